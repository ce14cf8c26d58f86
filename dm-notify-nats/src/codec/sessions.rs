//! Frames about the sessions of devices: claims and objections ([`takeover`](crate::takeover)).

use std::time::Duration;

use dm_core::notify::{NodeId, SessionClaim, SessionId, Term};
use dm_core::{DeviceId, UserId};

use super::fields::Fields;
use super::frame::{Writer, put_device};
use super::stamp::{Stamp, Undecodable};

pub(super) const CLAIMS: u8 = 5;
pub(super) const OBJECTION: u8 = 6;

/// The maximum number of claims in one frame, so that no frame is too large. A node sends one claim
/// for each connected device of a user, in several frames if necessary.
pub(crate) const MAX_CLAIMS: usize = 64;

/// An objection of one node to a claim of another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Objection {
    pub(crate) stamp: Stamp,
    pub(crate) device: DeviceId,
    /// The claimed session.
    pub(crate) session: SessionId,
    /// The higher term, which the session on the objecting node has.
    pub(crate) objecting_term: Term,
}

impl Writer {
    /// Encodes claims of this node, at most [`MAX_CLAIMS`].
    pub(crate) fn claims(self, stamp: Stamp, claims: &[SessionClaim]) -> Vec<u8> {
        let mut out = self.start_stamped(CLAIMS, stamp, 40 * claims.len());
        for claim in claims {
            put_device(&mut out, Some(&claim.device));
            put_term(&mut out, claim.term);
            out.extend(u64::try_from(claim.age.as_millis()).unwrap_or(u64::MAX).to_be_bytes());
        }
        out
    }

    pub(crate) fn objection(self, objection: &Objection) -> Vec<u8> {
        let mut out = self.start_stamped(OBJECTION, objection.stamp, 100);
        put_device(&mut out, Some(&objection.device));
        out.extend(objection.session.node.as_bytes());
        out.extend(objection.session.number.to_be_bytes());
        put_term(&mut out, objection.objecting_term);
        out
    }
}

/// Encodes the term of a session of the sending node. The node itself is already in the first
/// fields of the frame.
fn put_term(out: &mut Vec<u8>, term: Term) {
    out.extend(term.at.as_millis().to_be_bytes());
    out.extend(term.session.number.to_be_bytes());
}

impl Fields<'_> {
    pub(super) fn claims(&mut self, user: UserId, from: NodeId) -> Result<Vec<SessionClaim>, Undecodable> {
        let mut claims = Vec::new();
        while self.end().is_err() {
            let device = self.device()?.ok_or(Undecodable)?;
            let (term, age) = (self.term(from)?, self.u64().map(Duration::from_millis)?);
            claims.push(SessionClaim { user, device, term, age });
            if claims.len() > MAX_CLAIMS {
                return Err(Undecodable);
            }
        }
        Ok(claims)
    }

    pub(super) fn objection(&mut self, from: NodeId) -> Result<Objection, Undecodable> {
        let stamp = self.stamp()?;
        let device = self.device()?.ok_or(Undecodable)?;
        let session = SessionId { node: self.node()?, number: self.u64()? };
        let objecting_term = self.term(from)?;
        Ok(Objection { stamp, device, session, objecting_term })
    }

    fn term(&mut self, node: NodeId) -> Result<Term, Undecodable> {
        Ok(Term { at: self.time()?, session: SessionId { node, number: self.u64()? } })
    }
}
