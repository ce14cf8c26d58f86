//! The direct-message wire format: the protobuf messages in the frames of a WebSocket, and the
//! constants that client and server share.
//!
//! Every binary frame holds one [`Envelope`]: a `request_id`, which an answer repeats, and one
//! payload.
//!
//! ```
//! use dm_proto::prost::Message as _;
//! use dm_proto::{DmHistoryRequest, Envelope, envelope::Payload};
//!
//! let request = DmHistoryRequest { conversation_id: "c1".into(), before_sequence: 51, limit: 50 };
//! let frame = Envelope::new("r1", Payload::DmHistoryRequest(request)).encode_to_vec();
//!
//! let received = Envelope::decode(frame.as_slice())?;
//! assert_eq!(received.request_id, "r1");
//! let Some(Payload::DmHistoryRequest(asked)) = received.payload else {
//!     return Err("some other payload".into());
//! };
//! assert_eq!((asked.before_sequence, asked.limit), (51, 50));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Payloads
//!
//! | Field | Payload | Sent by | Purpose |
//! |---|---|---|---|
//! | 150 | [`DmMessageEvent`] | server | a message was sent in a conversation of the user |
//! | 151 | [`DmConversationCreatedEvent`] | server | a conversation was opened |
//! | 152 | [`DmKeyRotatedEvent`] | server | a peer published a new key |
//! | 153 | [`DmHistoryRequest`] | client | asks for a page of a conversation |
//! | 154 | [`DmHistoryResponse`] | server | answers 153 |
//! | 155 | [`DmConversationListRequest`] | client | asks for the conversations |
//! | 156 | [`DmConversationListResponse`] | server | answers 155 |
//! | 157 | [`DmOfflineMessagesResponse`] | server | pending messages |
//! | 158 | [`DmServerFrame`] | server | deliveries with positions, answers, problems |
//! | 159 | [`DmClientFrame`] | client | hello, send, acknowledge, ping |
//!
//! A user has an *inbox* on the server: a log of events, numbered 1, 2, 3 … The *position* of an
//! event is its number in this log. A *hello* ([`DmHello`] in 159) is the request of a client for
//! positions. Before a hello, a client receives events as 150 to 152 and answers as 154 and 156.
//! After a hello, it receives events with their positions in 158, and acknowledges them.
//!
//! [`close`] has the codes with which a WebSocket is closed, and [`field`] the field numbers of the
//! payloads. [`PROTOCOL_VERSION`] is the version that a hello names.
//!
//! # Beside a host's own messages
//!
//! A host (the program that embeds the server) may send its own payloads over the same WebSocket,
//! with any field numbers except 1 and 150 to 159. A reader skips fields that it does not know. So
//! a frame of the host decodes as an [`Envelope`] without a payload, and a frame of this crate
//! decodes as an envelope of the host without a payload. An old reader skips the fields of later
//! versions in the same way.
//!
//! # Limits
//!
//! Decoding returns a message or an error for any bytes, and never panics. Decoding does not limit
//! its memory: an empty list element of two bytes on the wire becomes a value of up to 256 bytes.
//! Limit the length of a frame before you decode it. This crate does not check the length or form
//! of keys, nonces and ids.
//!
//! # Debug output
//!
//! `Debug` shows only the length of payloads, nonces, keys and previews, and only the first eight
//! characters of a user's public key. This is also true inside other messages, so a frame may be
//! logged while debugging.
//!
//! # Generated code
//!
//! The Rust code is generated from the `.proto` files in the crate's `proto` folder and checked in.
//! Building the crate needs no protobuf compiler.

pub mod close;
mod constructors;
mod debug;
pub mod field;
mod generated;

pub use generated::*;
/// The protobuf runtime. `prost::Message` has `encode` and `decode`, and `prost::bytes::Bytes` is
/// the type of the byte fields.
pub use prost;

/// The version of the protocol that this crate describes. A hello names it in
/// [`DmHello::protocol`].
pub const PROTOCOL_VERSION: u32 = 1;
