//! The bytes of frames between nodes, without the tag that [`mac`](crate::mac) appends. The
//! [terms](crate#terms) are those of the crate.
//!
//! Integers are big-endian. A number after a field is the field's length in bytes. Each frame
//! begins with:
//!
//! | bytes | |
//! |---|---|
//! | 1 | version of this format: 4 |
//! | 1 | kind |
//! | 8 | the sending node |
//!
//! Frames that concern one user go to the user's subject, which names the user (`codec/user.rs`,
//! `codec/sessions.rs`):
//!
//! | kind | |
//! |---|---|
//! | 1 | a hint with its entry: number 8, origin, time 8, addressee 8, then 1 and a message, or 2 and an encoded notice |
//! | 2 | a hint without its entry: number 8, origin |
//! | 3 | a probe, which shows its own sender that its subscription has begun: stamp |
//! | 4 | a request whether the user is connected: nonce; the reply is kind 12 |
//! | 5 | claims of the node's device sessions: stamp, then for each session: device, the term's time 8, the session's number 8, age in ms 8 |
//! | 6 | an objection to a device session: stamp, device, the session's node 8 and number 8, then the time 8 and the number 8 of the objecting session's term |
//!
//! Frames for all nodes go to the subject of the nodes, and replies to the subject that the nonce
//! of the request names (`codec/nodes.rs`):
//!
//! | kind | |
//! |---|---|
//! | 8 | a heartbeat: stamp |
//! | 9 | a heartbeat that asks the other nodes for theirs: stamp |
//! | 10 | the node leaves: stamp |
//! | 11 | an order to end sessions: stamp, nonce, reason 1 (0 device forgotten, 1 refused, 2 signed out), user 32, device or none; the reply is kind 13 |
//! | 12 | the reply to kind 4: the user is connected |
//! | 13 | a confirmation of an order: count of ended sessions 4 |
//! | 14 | a challenge to one node: the challenged node 8, nonce; the reply is kind 8 |
//!
//! - A *number* of a hint is the number of the entry in the user's inbox.
//! - A *stamp* is the sender's time 8, and the frame's number 8. The sender numbers its frames with
//!   a stamp in ascending order. A frame with a stamp is accepted once, and only while it is new.
//! - A *nonce* is 16 random bytes of the requesting node.
//! - A *device* is the length 1 of its name, then the name. Length 0 is the default device, and
//!   length 255 is no device.
//! - An *origin* is the device that caused an entry, or no device.
//! - An *addressee* is the registration that an entry is for, or 0 if the entry is for all devices.
//! - A *message* is id 16, conversation 16, sequence 8, sender 32, sequence of the sender 8, sent at 8,
//!   received at 8, flags 1; then the optional fields whose flags are set: client id 16, suite 4,
//!   ephemeral key 32; then the ciphertext's nonce 24, and the payload to the end.
//! - An *encoded notice* is at most 512 bytes ([`Notice::encode`](dm_core::Notice::encode)).

mod fields;
mod frame;
mod nodes;
mod sessions;
mod stamp;
mod user;

pub(crate) use frame::{Frame, Writer};
pub(crate) use nodes::NodeContent;
pub(crate) use sessions::{MAX_CLAIMS, Objection};
pub(crate) use stamp::{Nonce, Stamp, Undecodable};
pub(crate) use user::UserContent;

#[cfg(test)]
mod tests;
