//! What is pending for a device, and acknowledging it.

use std::sync::Arc;

use super::handle::{Service, misaligned};
use crate::config::AckMode;
use crate::device::{DeviceId, Principal};
use crate::disconnect::DisconnectReason;
use crate::error::Error;
use crate::inbox::{Gap, InboxEntry};
use crate::numbers::InboxSeq;
use crate::store::{
    AckTarget, Acknowledge, Acknowledged, Depth, DeviceStart, DeviceState, ForgetDevice, InboxQuery, Outcome,
    OwnEntries, Refusal, RegisterDevice, StoreErrorKind, Write,
};

/// Asks for what is pending.
#[derive(Clone, Copy, Debug, Default)]
pub struct PendingQuery {
    /// Only entries after this one; `None` starts after what is acknowledged.
    pub after: Option<InboxSeq>,
    /// Most entries; anything larger means [`Config::pending_page`](crate::Config::pending_page).
    /// With a limit, a page may end early, even empty, where much is passed over: [`Pending::next`]
    /// says where to go on. `None` also means that many, and ends only when there are so many, when
    /// their bytes reach [`Config::pending_bytes`](crate::Config::pending_bytes), or at the newest
    /// entry.
    pub limit: Option<usize>,
    /// Which entries.
    pub kind: PendingKind,
}

/// Which entries a fetch is about.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PendingKind {
    /// Everything that was not caused by the device itself.
    #[default]
    Everything,
    /// Messages that others sent.
    Received,
    /// Messages that others sent and that the user's other devices sent.
    ReceivedAndSent,
}

/// A page of what is pending.
#[derive(Clone, Debug)]
pub struct Pending {
    /// A stretch after the cursor that is no longer held, if there is one: read history instead.
    pub gap: Option<Gap>,
    /// The entries, oldest first.
    pub entries: Vec<InboxEntry>,
    /// Where the next page starts; `None` after the last.
    pub next: Option<InboxSeq>,
}

/// Entries that a fetch with a limit goes through before it ends early.
const STRETCH: u64 = 16_384;
/// Entries without anything to show behind a device's cursor, from which on a fetch looks whether
/// the cursor can be moved.
const OWN_RUN: u64 = 256;
/// Fetches that may be moving a cursor at a time, however many clients ask while commits stand
/// still.
pub(super) const PASSING: usize = 64;

impl Service {
    /// A page of what is pending for the caller's device, which is registered if it is new. In
    /// [`AckMode::OnFetch`] the returned entries are acknowledged before this returns.
    ///
    /// A long run of entries that the device caused itself, right behind its cursor, is
    /// acknowledged after the answer, so that a device that only sends does not go through all it
    /// ever sent at each fetch.
    ///
    /// # Errors
    /// [`Error::TooManyDevices`] for one device too many.
    pub async fn pending(&self, who: &Principal, query: PendingQuery) -> Result<Pending, Error> {
        let cursor = self.register(who, DeviceStart::Oldest).await?;
        let after = query.after.unwrap_or(cursor);
        let most = self.config().pending_page;
        let limit = query.limit.unwrap_or(most).clamp(1, most);
        let mut bytes_left = self.config().pending_bytes;
        let mut pending = Pending { gap: None, entries: Vec::new(), next: None };
        let mut through = after;
        loop {
            let query_page = InboxQuery {
                who: who.clone(),
                after: through,
                own: query.kind.own(),
                limit: limit - pending.entries.len(),
                max_bytes: bytes_left,
            };
            let page = self.store().inbox(query_page).await?.leading_on(through)?;
            if through == after {
                pending.gap = page.gap_after(after);
            }
            for entry in page.entries.into_iter().filter(|entry| query.kind.wants(entry)) {
                bytes_left = bytes_left.saturating_sub(entry.cost());
                pending.entries.push(entry);
            }
            through = through.max(page.through);
            if through >= page.head {
                break;
            }
            let is_stretch = query.limit.is_some() && through.get() - after.get() >= STRETCH;
            if pending.entries.len() >= limit || bytes_left == 0 || is_stretch {
                pending.next = Some(through);
                break;
            }
            // What was left out made the page short. The next one may have more.
        }
        let shown_from = pending.entries.first().map_or(through, |entry| entry.seq);
        if after == cursor
            && pending.gap.is_none()
            && shown_from.get() - after.get() > OWN_RUN
            && let Ok(room) = Arc::clone(&self.inner.passing).try_acquire_owned()
        {
            // Detached: the answer is right without it, and must not wait for a commit.
            let (service, who) = (self.clone(), who.clone());
            tokio::spawn(async move {
                let _room = room;
                service.pass_over_own(&who, cursor).await
            });
        }
        if self.config().ack_mode == AckMode::OnFetch && !pending.entries.is_empty() {
            let target = AckTarget::Entries(pending.entries.iter().map(|entry| entry.seq).collect());
            self.acknowledge(who, target).await?;
        }
        Ok(pending)
    }

    /// Acknowledges entries for the caller's device, which is registered if it is new. Idempotent: acknowledging
    /// again, or what was never shown, is no error.
    ///
    /// # Errors
    /// [`Error::BeyondHead`] for entries that do not exist yet, and nothing is acknowledged; [`Error::TooLarge`] for
    /// more names than both [`Config::list_page`](crate::Config::list_page) and
    /// [`Config::pending_page`](crate::Config::pending_page); [`Error::TooManyDevices`] for one device too many.
    pub async fn acknowledge(&self, who: &Principal, target: AckTarget) -> Result<Acknowledged, Error> {
        if let Some(acknowledged) = self.acknowledge_registered(who, &target).await? {
            return Ok(acknowledged);
        }
        // Only a device that was never seen costs a second commit.
        self.register(who, DeviceStart::Oldest).await?;
        self.acknowledge_registered(who, &target).await?.ok_or(Error::NotFound)
    }

    /// As [`acknowledge`](Self::acknowledge), for a device that is registered: `None` if it is not.
    pub(crate) async fn acknowledge_registered(
        &self,
        who: &Principal,
        target: &AckTarget,
    ) -> Result<Option<Acknowledged>, Error> {
        let named = match target {
            AckTarget::UpTo(_) => 1,
            AckTarget::Entries(seqs) => seqs.len(),
            AckTarget::Messages(ids) => ids.len(),
        };
        let limit = self.config().list_page.max(self.config().pending_page);
        if named > limit {
            return Err(Error::TooLarge { field: "message_ids", limit });
        }
        let write = Acknowledge { who: who.clone(), target: target.clone() };
        match self.outcome(Write::Acknowledge(write)).await? {
            Outcome::Acknowledged(acknowledged) => Ok(Some(acknowledged)),
            Outcome::Refused(Refusal::UnknownDevice) => Ok(None),
            Outcome::Refused(refusal) => Err(self.refused(&refusal)),
            _ => Err(misaligned()),
        }
    }

    /// How much is pending for the caller's device.
    ///
    /// # Errors
    /// Those common to all calls.
    pub async fn depth(&self, who: &Principal) -> Result<Depth, Error> {
        Ok(self.store().depth(who.clone()).await?)
    }

    /// The caller's devices, oldest registration first.
    ///
    /// # Errors
    /// Those common to all calls.
    pub async fn devices(&self, who: &Principal) -> Result<Vec<DeviceState>, Error> {
        Ok(self.store().devices(who.user).await?)
    }

    /// Forgets one of the caller's devices and what it acknowledged, and ends its sessions on all
    /// nodes, with [`DisconnectReason::DeviceForgotten`]. Returns whether it was known. A device
    /// that comes back is a new one.
    ///
    /// The sessions of this process have ended when this returns, and those of other nodes, too,
    /// unless a node did not confirm within the notifier's bound. A session that no order reached
    /// ends when it acknowledges something, or when its window is full.
    ///
    /// # Errors
    /// Those common to all calls. After [`Error::OutcomeUnknown`] the sessions have not ended; a
    /// second call ends them.
    pub async fn forget_device(&self, who: &Principal, device: DeviceId) -> Result<bool, Error> {
        let (service, user) = (self.clone(), who.user);
        // In a task: once it is forgotten its sessions end, also when the caller's future is
        // dropped.
        let forgetting = tokio::spawn(async move {
            let write = ForgetDevice { who: Principal::new(user, device.clone()) };
            let Outcome::DeviceForgotten { existed } = service.submit(Write::ForgetDevice(write)).await?
            else {
                return Err(misaligned());
            };
            // Also when it was not known: an earlier call may have got as far as that.
            service.disconnect(user, Some(device), DisconnectReason::DeviceForgotten).await;
            Ok(existed)
        });
        // The task only ends early with the runtime.
        forgetting.await.unwrap_or_else(|_| Err(Error::OutcomeUnknown(StoreErrorKind::OutcomeUnknown.into())))
    }

    /// Moves a device's cursor over the entries right behind it that the device caused itself or
    /// acknowledged, as far as one page of the store goes. The next fetch makes up for a failure.
    async fn pass_over_own(&self, who: &Principal, cursor: InboxSeq) -> Result<(), Error> {
        let first_shown =
            InboxQuery { who: who.clone(), after: cursor, own: OwnEntries::Skip, limit: 1, max_bytes: 0 };
        let page = self.store().inbox(first_shown).await?.leading_on(cursor)?;
        if page.gap_after(cursor).is_some() {
            // Something expired meanwhile that the device has not been told of.
            return Ok(());
        }
        let through = match page.entries.first() {
            Some(entry) => InboxSeq::new(entry.seq.get() - 1),
            None => page.through,
        };
        if through.get().saturating_sub(cursor.get()) >= OWN_RUN {
            let write = Acknowledge { who: who.clone(), target: AckTarget::UpTo(through) };
            self.submit(Write::Acknowledge(write)).await?;
        }
        Ok(())
    }

    /// The cursor of a device, registering it if it is new.
    pub(crate) async fn register(&self, who: &Principal, start: DeviceStart) -> Result<InboxSeq, Error> {
        let known = self.store().devices(who.user).await?;
        if let Some(state) = known.into_iter().find(|state| state.device == who.device) {
            return Ok(state.cursor);
        }
        let limit = self.config().devices_per_user;
        let write = RegisterDevice { who: who.clone(), start, limit, at: self.now() };
        match self.submit(Write::RegisterDevice(write)).await? {
            Outcome::DeviceRegistered { cursor } => Ok(cursor),
            _ => Err(misaligned()),
        }
    }
}

impl PendingKind {
    /// The entries to ask the store for.
    const fn own(self) -> OwnEntries {
        match self {
            Self::Everything | Self::ReceivedAndSent => OwnEntries::Skip,
            Self::Received => OwnEntries::ReceivedOnly,
        }
    }

    /// Whether an entry that the store shows is part of the answer.
    fn wants(self, entry: &InboxEntry) -> bool {
        self == Self::Everything || entry.message().is_some()
    }
}
