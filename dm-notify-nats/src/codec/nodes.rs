//! Frames for all nodes, and answers.

use dm_core::{DisconnectReason, EndSessions, NodeId, UserId};

use super::fields::Fields;
use super::{Stamp, Undecodable, VERSION, Writer, device, stamp};

const ALIVE: u8 = 8;
const ASKING: u8 = 9;
const LEAVING: u8 = 10;
const ORDER: u8 = 11;
const HERE: u8 = 12;
const DONE: u8 = 13;

const FORGOTTEN: u8 = 0;
const REFUSED: u8 = 1;
const SIGNED_OUT: u8 = 2;

/// Something that a node said to all nodes, or answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NodeFrame {
    pub(crate) from: NodeId,
    pub(crate) said: NodeSaid,
}

/// The content of a [`NodeFrame`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum NodeSaid {
    /// It is there; whether the others are to say that they are.
    Alive {
        stamp: Stamp,
        asks: bool,
    },
    Leaving(Stamp),
    Order(Stamp, EndSessions),
    /// The user who was asked for is connected.
    Here,
    /// An order was carried out, and ended some sessions.
    Done {
        sessions: u32,
    },
}

impl Writer {
    pub(crate) fn alive(self, at: Stamp, asks: bool) -> Vec<u8> {
        self.stamped(if asks { ASKING } else { ALIVE }, at)
    }

    pub(crate) fn leaving(self, at: Stamp) -> Vec<u8> {
        self.stamped(LEAVING, at)
    }

    pub(crate) fn order(self, at: Stamp, order: &EndSessions) -> Vec<u8> {
        let mut out = self.stamped(ORDER, at);
        out.push(match order.reason {
            DisconnectReason::DeviceForgotten => FORGOTTEN,
            DisconnectReason::SignedOut => SIGNED_OUT,
            // The core may learn new reasons.
            _ => REFUSED,
        });
        out.extend(order.user.as_bytes());
        device(&mut out, order.device.as_ref());
        out
    }

    pub(crate) fn here(self) -> Vec<u8> {
        self.say(HERE, 0)
    }

    pub(crate) fn done(self, sessions: usize) -> Vec<u8> {
        let mut out = self.say(DONE, 4);
        out.extend(u32::try_from(sessions).unwrap_or(u32::MAX).to_be_bytes());
        out
    }

    fn stamped(self, kind: u8, at: Stamp) -> Vec<u8> {
        let mut out = self.say(kind, 120);
        stamp(&mut out, at);
        out
    }
}

impl NodeFrame {
    /// The stamp, of what has one.
    pub(crate) const fn stamp(&self) -> Option<Stamp> {
        match self.said {
            NodeSaid::Alive { stamp, .. } | NodeSaid::Leaving(stamp) | NodeSaid::Order(stamp, _) => {
                Some(stamp)
            }
            NodeSaid::Here | NodeSaid::Done { .. } => None,
        }
    }

    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, Undecodable> {
        let mut fields = Fields(bytes);
        let [version, kind] = fields.take()?;
        if version != VERSION {
            return Err(Undecodable);
        }
        let from = fields.node()?;
        let said = match kind {
            ALIVE | ASKING => NodeSaid::Alive { stamp: fields.stamp()?, asks: kind == ASKING },
            LEAVING => NodeSaid::Leaving(fields.stamp()?),
            ORDER => NodeSaid::Order(fields.stamp()?, fields.order()?),
            HERE => NodeSaid::Here,
            DONE => NodeSaid::Done { sessions: fields.take().map(u32::from_be_bytes)? },
            _ => return Err(Undecodable),
        };
        fields.end()?;
        Ok(Self { from, said })
    }
}

impl Fields<'_> {
    fn order(&mut self) -> Result<EndSessions, Undecodable> {
        let reason = match self.take()? {
            [FORGOTTEN] => DisconnectReason::DeviceForgotten,
            [REFUSED] => DisconnectReason::Refused,
            [SIGNED_OUT] => DisconnectReason::SignedOut,
            _ => return Err(Undecodable),
        };
        let user = UserId::from_bytes(self.take()?).map_err(|_| Undecodable)?;
        Ok(EndSessions { user, device: self.device()?, reason })
    }
}
