//! Takeover: of the sessions of one device on several nodes, only the newest session stays.
//!
//! A node sends a *claim* with the term and the age of its session. Another node replies with an
//! *objection* if its own session of this device is at least as old, but has the higher term. The
//! hub of each node compares the sessions ([`Term`](dm_core::notify::Term)).

use dm_core::UserId;
use dm_core::notify::SessionClaim;

use crate::codec::{MAX_CLAIMS, Objection};
use crate::shared::Shared;

impl Shared {
    /// Sends claims of a user's new device sessions. All claims are repeated when the servers are
    /// reached again, because some may have been lost.
    pub(crate) async fn claim_new(&self, user: UserId) {
        self.publish_claims(user, &self.hub.take_claims(user)).await;
    }

    /// Sends claims of all device sessions of a user again, because earlier claims may be lost.
    pub(crate) async fn repeat_claims(&self, user: UserId) {
        self.publish_claims(user, &self.hub.claims(user)).await;
    }

    /// Sends claims of all device sessions of a user, new ones included.
    pub(crate) async fn claim_all(&self, user: UserId) {
        self.hub.take_claims(user);
        self.repeat_claims(user).await;
    }

    /// Lets the hub compare another node's claim with the session here, and sends the hub's
    /// objection, if there is one.
    pub(crate) async fn answer_claim(&self, claim: &SessionClaim) {
        if let Some(objecting_term) = self.hub.handle_claim(claim) {
            let (device, session) = (claim.device.clone(), claim.term.session);
            let objection = Objection { stamp: self.new_stamp(), device, session, objecting_term };
            self.publish(self.subjects.user(claim.user), self.writer.objection(&objection)).await;
        }
    }

    /// Publishes claims, at most [`MAX_CLAIMS`] in one frame.
    async fn publish_claims(&self, user: UserId, claims: &[SessionClaim]) {
        for claims in claims.chunks(MAX_CLAIMS) {
            let frame = self.writer.claims(self.new_stamp(), claims);
            self.publish(self.subjects.user(user), frame).await;
        }
    }
}
