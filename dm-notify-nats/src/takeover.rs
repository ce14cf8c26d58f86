//! Sessions of one device on several nodes: claims and objections, by which only the newest session
//! stays. The hub compares two sessions ([`Term`](dm_core::notify::Term)).

use dm_core::UserId;
use dm_core::notify::SessionClaim;

use crate::codec::{CLAIMS_AT_ONCE, Objection};
use crate::shared::Shared;

impl Shared {
    /// Claims a user's new device sessions. Lost claims are repeated when the servers are reached
    /// again.
    pub(crate) async fn claim_new(&self, user: UserId) {
        self.publish_claims(user, &self.hub.take_claims(user)).await;
    }

    /// Claims all device sessions of a user, after a time in which claims may have been lost.
    pub(crate) async fn repeat_claims(&self, user: UserId) {
        self.publish_claims(user, &self.hub.claims(user)).await;
    }

    /// Claims all device sessions of a user, and takes the new ones as claimed.
    pub(crate) async fn claim_all(&self, user: UserId) {
        self.hub.take_claims(user);
        self.repeat_claims(user).await;
    }

    /// Compares another node's claim with the session here, and objects if the session here has the
    /// higher term.
    pub(crate) async fn contend(&self, claim: &SessionClaim) {
        if let Some(theirs) = self.hub.contend(claim) {
            let (device, session) = (claim.device.clone(), claim.term.session);
            let objection = Objection { stamp: self.stamp(), device, session, theirs };
            self.publish(self.subjects.user(claim.user), self.writer.objection(&objection)).await;
        }
    }

    async fn publish_claims(&self, user: UserId, claims: &[SessionClaim]) {
        for claims in claims.chunks(CLAIMS_AT_ONCE) {
            let frame = self.writer.claims(self.stamp(), claims);
            self.publish(self.subjects.user(user), frame).await;
        }
    }
}
