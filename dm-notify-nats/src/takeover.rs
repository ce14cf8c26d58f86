//! Sessions of one device on several nodes: what the nodes tell each other, so that the newest
//! stays. How two are compared the hub says ([`Term`](dm_core::notify::Term)).

use dm_core::UserId;
use dm_core::notify::SessionClaim;

use crate::codec::{CLAIMS_AT_ONCE, Objection};
use crate::shared::Shared;

impl Shared {
    /// Tells the other nodes of a user's new device sessions. Lost claims are repeated when the
    /// servers are reached again.
    pub(crate) async fn claim_new(&self, user: UserId) {
        self.tell(user, &self.hub.take_claims(user)).await;
    }

    /// Tells them of all device sessions of a user, after a time in which this node may not have
    /// been heard.
    pub(crate) async fn repeat_claims(&self, user: UserId) {
        self.tell(user, &self.hub.claims(user)).await;
    }

    /// Tells them of all device sessions of a user, also of those that were taken, and takes those
    /// that were not.
    pub(crate) async fn claim_all(&self, user: UserId) {
        self.hub.take_claims(user);
        self.repeat_claims(user).await;
    }

    /// Takes another node's claim, and objects to it if the session here has the higher term.
    pub(crate) async fn contend(&self, claim: &SessionClaim) {
        if let Some(theirs) = self.hub.contend(claim) {
            let (device, session) = (claim.device.clone(), claim.term.session);
            let objection = Objection { stamp: self.stamp(), device, session, theirs };
            self.publish(self.subjects.user(claim.user), self.writer.objection(&objection)).await;
        }
    }

    async fn tell(&self, user: UserId, claims: &[SessionClaim]) {
        for claims in claims.chunks(CLAIMS_AT_ONCE) {
            let frame = self.writer.claims(self.stamp(), claims);
            self.publish(self.subjects.user(user), frame).await;
        }
    }
}
