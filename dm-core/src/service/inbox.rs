//! Calls of [`Service`] that fetch and acknowledge pending entries, and calls about devices.

use std::sync::Arc;

use super::handle::{Service, outcome_mismatch};
use crate::config::AckMode;
use crate::device::{DeviceId, Principal};
use crate::disconnect::DisconnectReason;
use crate::error::Error;
use crate::inbox::{Gap, InboxEntry};
use crate::numbers::InboxSeq;
use crate::store::{
    AckTarget, Acknowledge, Acknowledged, Answer, Depth, DeviceStart, DeviceState, Done, ForgetDevice,
    InboxQuery, Outcome, OwnEntries, Refusal, RegisterDevice, Registered, StoreErrorKind,
};

/// A query for pending entries.
#[derive(Clone, Copy, Debug, Default)]
pub struct PendingQuery {
    /// Only entries with a higher number than this; `None` starts at the device's cursor.
    pub after: Option<InboxSeq>,
    /// Maximum number of entries. `None` stands for
    /// [`Config::pending_page`](crate::Config::pending_page). A higher limit is reduced to that
    /// value.
    ///
    /// With a limit, a page may end early, even without entries, if many entries are left out (own,
    /// acknowledged, or of another kind). [`Pending::next`] then tells where the next page starts.
    /// Without a limit, a page ends only at the maximum number of entries, at
    /// [`Config::pending_bytes`](crate::Config::pending_bytes), or at the newest entry.
    pub limit: Option<usize>,
    /// The kind of entries.
    pub kind: PendingKind,
}

/// The kind of entries that a fetch asks for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PendingKind {
    /// All entries that the device did not cause itself.
    #[default]
    Everything,
    /// Messages from other users.
    Received,
    /// Messages from other users and from the user's other devices.
    ReceivedAndSent,
}

/// A page of pending entries.
#[derive(Clone, Debug)]
pub struct Pending {
    /// The range of expired entries with which the page starts, if there is one. The client reads
    /// the history of its conversations instead of these entries.
    pub gap: Option<Gap>,
    /// The entries, oldest first.
    pub entries: Vec<InboxEntry>,
    /// The `after` of the next page; `None` if this page is the last.
    pub next: Option<InboxSeq>,
}

/// A fetch with a limit ends early after it has walked this number of entries, shown or not. So the
/// time of a call is bounded.
const MAX_LIMITED_SPAN: u64 = 16_384;
/// Minimum number of entries by which a fetch moves a device's cursor. These entries follow the
/// cursor and are not shown to the device: it caused or acknowledged them, or they are for other
/// devices. Each move is a commit, so shorter moves are not worth it.
const MIN_CURSOR_MOVE: u64 = 256;
/// Maximum number of cursor moves that run at the same time after fetches. Each is a task, and
/// while the store hangs, every fetch would add one.
pub(super) const MAX_CURSOR_MOVES: usize = 64;

impl Service {
    /// A page of the entries that are pending for the caller's device. A new device is registered.
    /// In [`AckMode::OnFetch`] the returned entries are acknowledged before this returns.
    ///
    /// If the device itself caused many entries right after its cursor, the cursor is moved over
    /// them after the answer. Without this, each fetch of a device that only sends would walk all
    /// messages that it has sent.
    ///
    /// # Errors
    /// [`Error::TooManyDevices`] for a new device of a user with
    /// [`Config::devices_per_user`](crate::Config::devices_per_user) devices.
    pub async fn pending(&self, who: &Principal, query: PendingQuery) -> Result<Pending, Error> {
        let cursor = self.register(who, DeviceStart::Oldest).await?.cursor;
        let after = query.after.unwrap_or(cursor);
        let max_entries = self.config().pending_page;
        let limit = query.limit.unwrap_or(max_entries).clamp(1, max_entries);
        let mut remaining_bytes = self.config().pending_bytes;
        let mut pending = Pending { gap: None, entries: Vec::new(), next: None };
        let mut through = after;
        loop {
            let query_page = InboxQuery {
                who: who.clone(),
                after: through,
                own: query.kind.own_entries(),
                limit: limit - pending.entries.len(),
                max_bytes: remaining_bytes,
            };
            let page = self.store().inbox(query_page).await?.require_progress(through)?;
            if through == after {
                pending.gap = page.gap_after(after);
            }
            for entry in page.entries.into_iter().filter(|entry| query.kind.includes(entry)) {
                remaining_bytes = remaining_bytes.saturating_sub(entry.cost());
                pending.entries.push(entry);
            }
            through = through.max(page.through);
            if through >= page.head {
                break;
            }
            let is_span_used_up = query.limit.is_some() && through.get() - after.get() >= MAX_LIMITED_SPAN;
            if pending.entries.len() >= limit || remaining_bytes == 0 || is_span_used_up {
                pending.next = Some(through);
                break;
            }
            // The page has fewer entries than asked for because others were left out. The next page
            // may have more.
        }
        let shown_from = pending.entries.first().map_or(through, |entry| entry.seq);
        if after == cursor
            && pending.gap.is_none()
            && shown_from.get() - after.get() > MIN_CURSOR_MOVE
            && let Ok(permit) = Arc::clone(&self.inner.cursor_moves).try_acquire_owned()
        {
            // The move runs in a task, because the answer must not wait for a commit.
            let (service, who) = (self.clone(), who.clone());
            tokio::spawn(async move {
                let _permit = permit;
                service.move_cursor_past_own_entries(&who, cursor).await
            });
        }
        if self.config().ack_mode == AckMode::OnFetch && !pending.entries.is_empty() {
            let target = AckTarget::Entries(pending.entries.iter().map(|entry| entry.seq).collect());
            self.acknowledge(who, target).await?;
        }
        Ok(pending)
    }

    /// Acknowledges entries for the caller's device. A new device is registered. An entry may be
    /// acknowledged more than once, and even if the device was never shown the entry.
    ///
    /// # Errors
    /// [`Error::BeyondHead`] for an entry that does not exist yet; then nothing is acknowledged.
    /// [`Error::TooLarge`] for more entries or messages than the larger of
    /// [`Config::list_page`](crate::Config::list_page) and
    /// [`Config::pending_page`](crate::Config::pending_page). [`Error::TooManyDevices`] for a new
    /// device of a user with [`Config::devices_per_user`](crate::Config::devices_per_user) devices.
    pub async fn acknowledge(&self, who: &Principal, target: AckTarget) -> Result<Acknowledged, Error> {
        if let Some(acknowledged) = self.acknowledge_registered(who, &target).await? {
            return Ok(acknowledged);
        }
        // The acknowledgement was refused because the device is not registered, which is rare.
        self.register(who, DeviceStart::Oldest).await?;
        self.acknowledge_registered(who, &target).await?.ok_or(Error::NotFound)
    }

    /// As [`acknowledge`](Self::acknowledge), but registers no device. Returns `None` if the device
    /// is not registered.
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
        match self.outcome(write.into()).await? {
            Outcome::Done(Done { answer: Answer::Acknowledged(acknowledged), .. }) => Ok(Some(acknowledged)),
            Outcome::Refused(Refusal::UnknownDevice) => Ok(None),
            Outcome::Refused(refusal) => Err(self.refusal_error(&refusal)),
            Outcome::Done(_) => Err(outcome_mismatch()),
        }
    }

    /// The numbers of messages and notices that are pending for the caller's device.
    ///
    /// # Errors
    /// Only the errors common to all calls; see [`Service`].
    pub async fn depth(&self, who: &Principal) -> Result<Depth, Error> {
        Ok(self.store().depth(who.clone()).await?)
    }

    /// The caller's devices, oldest registration first.
    ///
    /// # Errors
    /// Only the errors common to all calls; see [`Service`].
    pub async fn devices(&self, who: &Principal) -> Result<Vec<DeviceState>, Error> {
        Ok(self.store().devices(who.user).await?)
    }

    /// Removes one of the caller's devices with its acknowledgements, and ends its sessions on all
    /// nodes, with [`DisconnectReason::DeviceForgotten`]. Returns whether the device was
    /// registered. If it connects again, it is registered as a new device.
    ///
    /// The sessions of this process have ended when this returns. The sessions on other nodes have
    /// ended, too, except on nodes that did not confirm within the notifier's time limit. A session
    /// that the request did not reach ends when it acknowledges something, or within
    /// [`Config::poll_interval`](crate::Config::poll_interval) once its window is full.
    ///
    /// # Errors
    /// Only the errors common to all calls; see [`Service`]. After [`Error::OutcomeUnknown`] the
    /// sessions may not have ended; a second call ends them.
    pub async fn forget_device(&self, who: &Principal, device: DeviceId) -> Result<bool, Error> {
        let (service, user) = (self.clone(), who.user);
        // The work runs in a task, so that the sessions also end when the caller's future is
        // dropped after the device was removed.
        let forgetting = tokio::spawn(async move {
            let write = ForgetDevice { who: Principal::new(user, device.clone()) };
            let forgotten = service.submit(write.into()).await?;
            // The sessions are ended even if the device was not registered, because an earlier call
            // may have removed it without ending its sessions.
            service.disconnect(user, Some(device), DisconnectReason::DeviceForgotten).await;
            Ok(!forgotten.is_found)
        });
        // The task ends without an answer only if the runtime ends or the notifier panics.
        forgetting.await.unwrap_or_else(|_| Err(Error::OutcomeUnknown(StoreErrorKind::OutcomeUnknown.into())))
    }

    /// Moves a device's cursor over the entries right after it that the device is not shown, up to
    /// the end of one page of the store. After a failure the next fetch makes
    /// the move.
    async fn move_cursor_past_own_entries(&self, who: &Principal, cursor: InboxSeq) -> Result<(), Error> {
        // A page has at least one entry, so with these limits it ends at the first entry that is
        // shown.
        let query =
            InboxQuery { who: who.clone(), after: cursor, own: OwnEntries::Skip, limit: 1, max_bytes: 0 };
        let page = self.store().inbox(query).await?.require_progress(cursor)?;
        if page.gap_after(cursor).is_some() {
            // Entries have expired since the fetch. The cursor stays before this gap until the
            // device is told of the gap.
            return Ok(());
        }
        let through = match page.entries.first() {
            Some(entry) => InboxSeq::new(entry.seq.get() - 1),
            None => page.through,
        };
        if through.get().saturating_sub(cursor.get()) >= MIN_CURSOR_MOVE {
            let write = Acknowledge { who: who.clone(), target: AckTarget::UpTo(through) };
            self.submit(write.into()).await?;
        }
        Ok(())
    }

    /// Registers a device if it is new. Returns its cursor and registration.
    pub(crate) async fn register(&self, who: &Principal, start: DeviceStart) -> Result<Registered, Error> {
        let devices = self.store().devices(who.user).await?;
        if let Some(state) = devices.into_iter().find(|state| state.device == who.device) {
            return Ok(Registered { cursor: state.cursor, registration: state.registration });
        }
        let limit = self.config().devices_per_user;
        let write = RegisterDevice { who: who.clone(), start, limit, at: self.now() };
        match self.submit(write.into()).await?.answer {
            Answer::DeviceRegistered(registered) => Ok(registered),
            _ => Err(outcome_mismatch()),
        }
    }
}

impl PendingKind {
    /// The entries to query from the store.
    const fn own_entries(self) -> OwnEntries {
        match self {
            Self::Everything | Self::ReceivedAndSent => OwnEntries::Skip,
            Self::Received => OwnEntries::ReceivedOnly,
        }
    }

    /// Whether an entry from the store is part of the answer.
    fn includes(self, entry: &InboxEntry) -> bool {
        self == Self::Everything || entry.message().is_some()
    }
}
