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
mod nodes;
mod sessions;
mod user;

pub(crate) use nodes::NodeSaid;
pub(crate) use sessions::{CLAIMS_AT_ONCE, Objection};
pub(crate) use user::Said;

use std::fmt;

use dm_core::entropy::{Entropy as _, OsEntropy};
use dm_core::notify::NodeId;
use dm_core::{DeviceId, Timestamp};
use fields::Fields;

use crate::seal::TAG_LEN;

const VERSION: u8 = 3;

const NO_DEVICE: u8 = u8::MAX;

/// Writes what a node says.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Writer(pub(crate) NodeId);

/// Tells a frame from the sender's others, and when it was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stamp {
    pub(crate) at: Timestamp,
    pub(crate) count: u64,
}

/// Tells a question from all others, of all nodes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Nonce([u8; 16]);

/// Something that a node said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Frame<S> {
    pub(crate) from: NodeId,
    pub(crate) said: S,
}

/// Bytes that are none of these, or of another version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Undecodable;

impl Nonce {
    /// One that no question had before.
    pub(crate) fn fresh() -> Self {
        let mut bytes = [0; 16];
        OsEntropy.fill(&mut bytes);
        Self(bytes)
    }
}

impl Writer {
    /// The beginning of a frame, with room for what follows.
    fn say(self, kind: u8, room: usize) -> Vec<u8> {
        let mut out = Vec::with_capacity(10 + room + TAG_LEN);
        out.extend([VERSION, kind]);
        out.extend(self.0.as_bytes());
        out
    }

    /// The beginning of a frame that has a stamp.
    fn stamped(self, kind: u8, stamp: Stamp, room: usize) -> Vec<u8> {
        let mut out = self.say(kind, 16 + room);
        out.extend(stamp.at.as_millis().to_be_bytes());
        out.extend(stamp.count.to_be_bytes());
        out
    }
}

impl<S> Frame<S> {
    /// Reads the beginning of a frame, and the rest by its kind.
    fn read<'a>(
        bytes: &'a [u8],
        said: impl FnOnce(u8, NodeId, &mut Fields<'a>) -> Result<S, Undecodable>,
    ) -> Result<Self, Undecodable> {
        let mut fields = Fields(bytes);
        let [version, kind] = fields.take()?;
        if version != VERSION {
            return Err(Undecodable);
        }
        let from = fields.node()?;
        let said = said(kind, from, &mut fields)?;
        fields.end()?;
        Ok(Self { from, said })
    }
}

fn put_device(out: &mut Vec<u8>, device: Option<&DeviceId>) {
    match device {
        None => out.push(NO_DEVICE),
        Some(device) if device.is_default() => out.push(0),
        Some(device) => {
            // A device has at most 64 bytes.
            out.push(u8::try_from(device.as_str().len()).unwrap_or(NO_DEVICE));
            out.extend(device.as_str().as_bytes());
        }
    }
}

impl fmt::Display for Nonce {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", u128::from_be_bytes(self.0))
    }
}

impl fmt::Debug for Nonce {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests;
