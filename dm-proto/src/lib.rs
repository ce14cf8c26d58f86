//! The direct-message wire format: the protobuf messages in the frames of a WebSocket, and the
//! constants that both ends use.
//!
//! Every binary frame holds one [`Envelope`]: a `request_id`, which ties an answer to its request,
//! and one payload.
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
//! | 150 | [`DmMessageEvent`] | server | a message arrived |
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
//! A client that never sends a hello (159) is sent 150 to 152 and its answers 154 and 156, and no
//! 158. After a hello, events arrive inside 158, each with its position in the user's inbox, to be
//! acknowledged.
//!
//! [`close`] names the codes with which a WebSocket is closed, [`field`] the field numbers of the
//! payloads, and [`PROTOCOL_VERSION`] is the version that a hello names.
//!
//! # Beside a host's own messages
//!
//! A host may send its own payloads over the same socket, under any field numbers but 1 and 150 to
//! 159. Each side skips fields that it does not know: the host's frame decodes here as an
//! [`Envelope`] without payload, and a frame made here decodes there as an envelope without
//! payload. New fields reach old readers in the same way.
//!
//! # Limits
//!
//! Decoding accepts any bytes and returns an error or a message; it never panics. It has no limit
//! on size: an empty element of two bytes on the wire becomes a value of up to 256 bytes, so limit
//! a frame's length before decoding it. Nothing here checks that a key, a nonce or an id has the
//! right length or form.
//!
//! # Debug output
//!
//! `Debug` shows only the length of payloads, nonces, keys and previews, and only the beginning of
//! a user's identity. This holds for the messages that contain them too, so a frame may be logged
//! while debugging.
//!
//! The Rust code is generated from the `.proto` files in the crate's `proto` folder and checked in;
//! building needs no protobuf compiler.

pub mod close;
mod constructors;
mod debug;
pub mod field;
mod generated;

pub use generated::*;
/// The protobuf runtime: `prost::Message` has `encode` and `decode`, and `prost::bytes` has the
/// type of the byte fields.
pub use prost;

/// The version of the protocol that this crate describes, as a hello names it
/// ([`DmHello::protocol`]).
pub const PROTOCOL_VERSION: u32 = 1;
