//! Calls of [`Service`] that publish and look up keys.

use super::handle::{Service, outcome_mismatch};
use crate::config::KeyPolicy;
use crate::device::Principal;
use crate::error::Error;
use crate::invalid::Invalid;
use crate::key::{KeyBinding, KeyRecord, X25519Key};
use crate::store::{Outcome, PublishKey, Write};
use crate::user::UserId;

impl Service {
    /// Publishes the caller's X25519 key. A new key becomes the next version, and every user who
    /// has a conversation with the caller then gets a notice. Publishing the current key a second
    /// time changes nothing.
    ///
    /// # Errors
    /// [`Error::Invalid`] when the key is not derived from the caller's identity key, under
    /// [`KeyPolicy::Derived`].
    ///
    /// ```
    /// # use dm_core::{MemoryStore, Service, UserId, X25519Key};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let service = Service::builder(MemoryStore::new()).start()?;
    /// let ana: UserId = "5866666666666666666666666666666666666666666666666666666666666666".parse()?;
    /// // The Montgomery form of that identity: u = 9.
    /// let key: X25519Key = "0900000000000000000000000000000000000000000000000000000000000000".parse()?;
    /// let record = service.publish_key(&ana.into(), key).await?;
    /// assert_eq!(record.version.get(), 1);
    /// # Ok(())
    /// # }
    /// ```
    pub async fn publish_key(&self, who: &Principal, key: X25519Key) -> Result<KeyRecord, Error> {
        let binding = if key.is_derived_from(who.user) { KeyBinding::Derived } else { KeyBinding::Unproven };
        if binding == KeyBinding::Unproven && self.config().key_policy == KeyPolicy::Derived {
            return Err(Invalid::new("x25519_pubkey", "not derived from the caller's identity key").into());
        }
        let write = PublishKey { user: who.user, key, binding, at: self.now() };
        match self.submit(Write::PublishKey(write)).await? {
            Outcome::KeyPublished { record, .. } => Ok(record),
            _ => Err(outcome_mismatch()),
        }
    }

    /// A user's current key.
    ///
    /// # Errors
    /// [`Error::NotFound`] when the user has published none.
    pub async fn key(&self, user: UserId) -> Result<KeyRecord, Error> {
        self.store().key(user).await?.ok_or(Error::NotFound)
    }
}
