//! The bytes that nodes send each other, before [`seal`](crate::seal) adds its tag.
//!
//! Integers are big-endian. Each frame begins alike:
//!
//! | bytes | |
//! |---|---|
//! | 1 | version of this format: 3 |
//! | 1 | kind |
//! | 8 | the node that sends it |
//!
//! Frames that concern one user go to the user's subject, which names the user (`codec/user.rs`,
//! `codec/sessions.rs`):
//!
//! | kind | |
//! |---|---|
//! | 1 | a hint with its entry: number 8, origin, queued at 8, then 1 and a message, or 2 and an encoded notice |
//! | 2 | a hint without it: number 8, origin |
//! | 3 | a probe, which tells the node that sent it that its subscription has begun: stamp |
//! | 4 | a question whether somebody is connected: nonce; the answer is kind 12 |
//! | 5 | device sessions of the node: stamp, then for each device, term at 8, number 8, age in ms 8 |
//! | 6 | an objection to a device session: stamp, device, the node that has the session 8, its number 8, then the objecting session's term at 8 and number 8 |
//!
//! Frames that concern all nodes go to the subject of the nodes, and answers to the subject that
//! the nonce of the question names (`codec/nodes.rs`):
//!
//! | kind | |
//! |---|---|
//! | 8 | alive: stamp |
//! | 9 | alive, and asking the others to say so: stamp |
//! | 10 | leaving: stamp |
//! | 11 | an order to end sessions: stamp, nonce, reason 1 (0 device forgotten, 1 refused, 2 signed out), user 32, device or none; the answer is kind 13 |
//! | 12 | the user who was asked for is connected |
//! | 13 | an order was carried out: sessions ended 4 |
//! | 14 | a question whether a node is there: the node 8, nonce; the answer is kind 8 |
//!
//! A stamp is the sender's time 8 and the number 8 of the frame among the sender's: a frame that
//! has one is taken once, and only while it is new. A nonce is 16 random bytes of the node that
//! asks. A device is a length of 1 and its name; length 0 is the default device, and length 255
//! none. An origin is a device or none. A message is id 16, conversation 16, sequence 8, sender 32,
//! sent at 8, received at 8, parts 1, then, as the bits of the parts say: client id 16, suite 4,
//! ephemeral key 32; then nonce 24, and the payload is the rest.

mod fields;
mod frame;
mod nodes;
mod sessions;
mod stamp;
mod user;

pub(crate) use frame::{Frame, Writer};
pub(crate) use nodes::NodeContent;
pub(crate) use sessions::{CLAIMS_AT_ONCE, Objection};
pub(crate) use stamp::{Nonce, Stamp, Undecodable};
pub(crate) use user::UserContent;

#[cfg(test)]
mod tests;
