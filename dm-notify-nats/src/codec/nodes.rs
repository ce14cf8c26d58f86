//! Frames for all nodes, and replies. `codec.rs` documents their bytes.

use dm_core::notify::{EndSessions, NodeId};
use dm_core::{DisconnectReason, UserId};

use super::fields::Fields;
use super::frame::{Frame, Writer, put_device};
use super::stamp::{Nonce, Stamp, Undecodable};

const HEARTBEAT: u8 = 8;
const ASKING_HEARTBEAT: u8 = 9;
const LEAVING: u8 = 10;
const ORDER: u8 = 11;
const USER_CONNECTED: u8 = 12;
const CONFIRMATION: u8 = 13;
const CHALLENGE: u8 = 14;

const FORGOTTEN: u8 = 0;
const REFUSED: u8 = 1;
const SIGNED_OUT: u8 = 2;

/// The content of a frame for all nodes, or of a reply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum NodeContent {
    /// A heartbeat. `requests_heartbeats` is whether the other nodes should send theirs.
    Heartbeat { stamp: Stamp, requests_heartbeats: bool },
    /// The last frame of a node that ends.
    Leaving(Stamp),
    /// An order to end sessions. The reply goes to the nonce's subject.
    Order { stamp: Stamp, nonce: Nonce, order: EndSessions },
    /// The positive reply to a presence request: the user is connected.
    UserConnected,
    /// The confirmation of an order, with the number of ended sessions.
    Confirmation { sessions: u32 },
    /// A challenge to `node`. The reply goes to the nonce's subject.
    Challenge { node: NodeId, nonce: Nonce },
}

impl NodeContent {
    /// The stamp, if this kind of frame has one.
    pub(crate) const fn stamp(&self) -> Option<Stamp> {
        match self {
            Self::Heartbeat { stamp, .. } | Self::Leaving(stamp) | Self::Order { stamp, .. } => Some(*stamp),
            Self::UserConnected | Self::Confirmation { .. } | Self::Challenge { .. } => None,
        }
    }
}

impl Writer {
    /// Encodes a heartbeat. `requests_heartbeats` is whether the other nodes should send theirs.
    pub(crate) fn heartbeat(self, stamp: Stamp, requests_heartbeats: bool) -> Vec<u8> {
        self.start_stamped(if requests_heartbeats { ASKING_HEARTBEAT } else { HEARTBEAT }, stamp, 0)
    }

    /// Encodes the last frame of a node that ends.
    pub(crate) fn leaving(self, stamp: Stamp) -> Vec<u8> {
        self.start_stamped(LEAVING, stamp, 0)
    }

    pub(crate) fn order(self, stamp: Stamp, nonce: Nonce, order: &EndSessions) -> Vec<u8> {
        let mut out = self.start_stamped(ORDER, stamp, 120);
        out.extend(nonce.0);
        out.push(match order.reason {
            DisconnectReason::DeviceForgotten => FORGOTTEN,
            DisconnectReason::SignedOut => SIGNED_OUT,
            // `Refused`, and reasons that `dm-core` may add later.
            _ => REFUSED,
        });
        out.extend(order.user.as_bytes());
        put_device(&mut out, order.device.as_ref());
        out
    }

    /// Encodes the positive reply to a presence request: the user is connected.
    pub(crate) fn user_connected(self) -> Vec<u8> {
        self.start(USER_CONNECTED, 0)
    }

    /// Encodes the confirmation of an order. `sessions` is the number of ended sessions.
    pub(crate) fn confirmation(self, sessions: usize) -> Vec<u8> {
        let mut out = self.start(CONFIRMATION, 4);
        out.extend(u32::try_from(sessions).unwrap_or(u32::MAX).to_be_bytes());
        out
    }

    pub(crate) fn challenge(self, node: NodeId, nonce: Nonce) -> Vec<u8> {
        let mut out = self.start(CHALLENGE, 24);
        out.extend(node.as_bytes());
        out.extend(nonce.0);
        out
    }
}

impl Frame<NodeContent> {
    /// Decodes a frame on the subject of the nodes, or a reply.
    pub(crate) fn decode_node(bytes: &[u8]) -> Result<Self, Undecodable> {
        Self::read(bytes, |kind, _, fields| {
            Ok(match kind {
                HEARTBEAT | ASKING_HEARTBEAT => NodeContent::Heartbeat {
                    stamp: fields.stamp()?,
                    requests_heartbeats: kind == ASKING_HEARTBEAT,
                },
                LEAVING => NodeContent::Leaving(fields.stamp()?),
                ORDER => NodeContent::Order {
                    stamp: fields.stamp()?,
                    nonce: fields.nonce()?,
                    order: fields.order()?,
                },
                USER_CONNECTED => NodeContent::UserConnected,
                CONFIRMATION => {
                    NodeContent::Confirmation { sessions: fields.take().map(u32::from_be_bytes)? }
                }
                CHALLENGE => NodeContent::Challenge { node: fields.node()?, nonce: fields.nonce()? },
                _ => return Err(Undecodable),
            })
        })
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
