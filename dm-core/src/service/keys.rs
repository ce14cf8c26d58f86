//! Calls of [`Service`] that publish and look up keys.

use bytes::Bytes;

use super::handle::Service;
use crate::config::KeyPolicy;
use crate::device::Principal;
use crate::error::Error;
use crate::invalid::Invalid;
use crate::job::key_announcement;
use crate::key::{KeyBinding, KeyRecord, KeyVersion, X25519Key};
use crate::record::{Owner, Record, RecordKey, Tag};
use crate::store::{Change, CurrentRecord, Expect, Outcome, Put, Refusal, StoreError, StoreErrorKind, Write};
use crate::user::UserId;

/// Maximum number of attempts to publish a key while other publications of the user are committed.
const MAX_ATTEMPTS: usize = 64;

impl Service {
    /// Publishes the caller's X25519 key. A new key becomes the next version, and every user who
    /// has a conversation with the caller then gets a notice. Publishing the current key a second
    /// time changes nothing.
    ///
    /// # Errors
    /// [`Error::Invalid`] when the key is not derived from the caller's identity key, under
    /// [`KeyPolicy::Derived`]. [`Error::Conflict`] when the caller publishes many other keys at the
    /// same time.
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
        let mut current = self.fence(who.user).await?;
        // Each further attempt means that another publication of the user was committed first.
        for _ in 0..MAX_ATTEMPTS {
            let published = current.as_ref().map(|fence| fence.key(who.user)).transpose()?;
            if let Some(same) = published.filter(|published| published.key == key) {
                return Ok(same);
            }
            let version = published.map_or(KeyVersion::FIRST, |published| published.version.next());
            let record = KeyRecord { user: who.user, key, version, published_at: self.now(), binding };
            let outcome = self.outcome(self.publication(&record, current)).await;
            if !matches!(outcome, Ok(Outcome::Refused(_))) {
                // The job is there, or may be there if the outcome is unknown.
                self.inner.queue.status().job_added.notify_one();
            }
            current = match outcome? {
                Outcome::Done(_) => return Ok(record),
                Outcome::Refused(Refusal::Unmet { current, .. }) => current.map(Fence::from),
                Outcome::Refused(refusal) => return Err(self.refusal_error(&refusal)),
            };
        }
        Err(Error::Conflict)
    }

    /// The write that replaces a user's key and begins its announcement, which replaces that of an
    /// earlier key.
    fn publication(&self, record: &KeyRecord, current: Option<Fence>) -> Write {
        let Record { key, value, tag, due, .. } = record.to_record();
        let expect = match current {
            Some(current) => Expect::Tagged(key.clone(), current.tag),
            None => Expect::Absent(key.clone()),
        };
        let job = key_announcement(record.user, None, self.new_tag());
        let job = Put { key: job.key, value: job.value, tag: job.tag, due: job.due };
        Write::default()
            .expect(expect)
            .change(Change::Put(Put { key, value, tag, due }))
            .change(Change::Put(job))
    }

    /// A user's current key.
    ///
    /// # Errors
    /// [`Error::NotFound`] when the user has published none.
    pub async fn key(&self, user: UserId) -> Result<KeyRecord, Error> {
        self.published_key(user).await?.ok_or(Error::NotFound)
    }

    /// A user's current key; `None` if the user has published none.
    pub(super) async fn published_key(&self, user: UserId) -> Result<Option<KeyRecord>, Error> {
        self.fence(user).await?.map(|fence| fence.key(user)).transpose()
    }

    async fn fence(&self, user: UserId) -> Result<Option<Fence>, Error> {
        let fences = self.store().records(vec![RecordKey::fence(Owner::User(user))]).await?;
        Ok(fences.into_iter().next().flatten().map(|Record { value, tag, .. }| Fence { value, tag }))
    }
}

/// The fence of a user, which has the user's key.
pub(super) struct Fence {
    value: Bytes,
    tag: Tag,
}

impl Fence {
    /// The key.
    ///
    /// # Errors
    /// [`Error::Unavailable`] for a value that this version of the library does not know. It must
    /// not be replaced, because a newer version wrote it, whose nodes may run beside this one.
    pub(super) fn key(&self, user: UserId) -> Result<KeyRecord, Error> {
        KeyRecord::from_value(user, &self.value).ok_or_else(|| {
            StoreError::new(StoreErrorKind::NewerSchema, "a user's key is of an unknown form").into()
        })
    }
}

impl From<CurrentRecord> for Fence {
    fn from(CurrentRecord { value, tag, .. }: CurrentRecord) -> Self {
        // A value that is left out because of its length is of no known form either.
        Self { value: value.unwrap_or_default(), tag }
    }
}
