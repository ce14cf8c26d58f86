//! What is pending for a device, and acknowledging it.

use super::{Service, misaligned};
use crate::disconnect::DisconnectReason;
use crate::{
    AckMode, AckTarget, Acknowledge, Acknowledged, Depth, DeviceId, DeviceStart, DeviceState, Error,
    ForgetDevice, Gap, GapReason, InboxEntry, InboxPage, InboxQuery, InboxSeq, Outcome, OwnEntries,
    Principal, RegisterDevice, StoreErrorKind, UserId, Write,
};

/// Asks for what is pending.
#[derive(Clone, Copy, Debug, Default)]
pub struct PendingQuery {
    /// Only entries after this one; `None` starts after what is acknowledged.
    pub after: Option<InboxSeq>,
    /// Most entries; `None` and anything larger mean [`Config::pending_page`](crate::Config::pending_page).
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

impl Service {
    /// A page of what is pending for the caller's device, which is registered if it is new. In
    /// [`AckMode::OnFetch`] the returned entries are acknowledged before this returns.
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
                own: OwnEntries::Skip,
                limit: limit - pending.entries.len(),
                max_bytes: bytes_left,
            };
            let page = self.store().inbox(query_page).await?;
            if through == after {
                pending.gap = page.gap_after(after);
            }
            for entry in page.entries.into_iter().filter(|entry| query.kind.wants(entry, who.user)) {
                bytes_left = bytes_left.saturating_sub(entry.cost());
                pending.entries.push(entry);
            }
            through = through.max(page.through);
            if through >= page.head {
                break;
            }
            if pending.entries.len() >= limit || bytes_left == 0 {
                pending.next = Some(through);
                break;
            }
            // What was left out made the page short. The next one may have more.
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
    /// more than [`Config::list_page`](crate::Config::list_page) names; [`Error::TooManyDevices`] for one device too
    /// many.
    pub async fn acknowledge(&self, who: &Principal, target: AckTarget) -> Result<Acknowledged, Error> {
        match self.acknowledge_registered(who, &target).await {
            // Only a device that was never seen costs a second commit.
            Err(Error::NotFound) => {
                self.register(who, DeviceStart::Oldest).await?;
                self.acknowledge_registered(who, &target).await
            }
            acknowledged => acknowledged,
        }
    }

    /// As [`acknowledge`](Self::acknowledge), for a device that is registered: [`Error::NotFound`] if it is not.
    pub(crate) async fn acknowledge_registered(
        &self,
        who: &Principal,
        target: &AckTarget,
    ) -> Result<Acknowledged, Error> {
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
        match self.commit(Write::Acknowledge(write)).await? {
            Outcome::Acknowledged(acknowledged) => Ok(acknowledged),
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

    /// Forgets one of the caller's devices and what it acknowledged, and ends its sessions on all nodes, with
    /// [`DisconnectReason::DeviceForgotten`]. Returns whether it was known. A device that comes back is a new one.
    ///
    /// The sessions of this process have ended when this returns, and those of other nodes, too, unless a node did not
    /// confirm within the notifier's bound. A session that no order reached ends when it acknowledges something, or when its
    /// window is full.
    ///
    /// # Errors
    /// Those common to all calls. After [`Error::OutcomeUnknown`] the sessions have not ended; a second call ends them.
    pub async fn forget_device(&self, who: &Principal, device: DeviceId) -> Result<bool, Error> {
        let (service, user) = (self.clone(), who.user);
        // In a task: once it is forgotten its sessions end, also when the caller's future is dropped.
        let forgetting = tokio::spawn(async move {
            let write = ForgetDevice { who: Principal::new(user, device.clone()) };
            let Outcome::DeviceForgotten { existed } = service.commit(Write::ForgetDevice(write)).await?
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

    /// The cursor of a device, registering it if it is new.
    pub(crate) async fn register(&self, who: &Principal, start: DeviceStart) -> Result<InboxSeq, Error> {
        let known = self.store().devices(who.user).await?;
        if let Some(state) = known.into_iter().find(|state| state.device == who.device) {
            return Ok(state.cursor);
        }
        let limit = self.config().devices_per_user;
        let write = RegisterDevice { who: who.clone(), start, limit, at: self.now() };
        match self.commit(Write::RegisterDevice(write)).await? {
            Outcome::DeviceRegistered { cursor } => Ok(cursor),
            _ => Err(misaligned()),
        }
    }
}

impl PendingKind {
    fn wants(self, entry: &InboxEntry, user: UserId) -> bool {
        match (self, entry.message()) {
            (Self::Everything, _) | (Self::ReceivedAndSent, Some(_)) => true,
            (Self::Received, Some(message)) => message.sender != user,
            (Self::Received | Self::ReceivedAndSent, None) => false,
        }
    }
}

impl InboxPage {
    /// What is missing after a number, if anything is.
    pub(crate) fn gap_after(&self, after: InboxSeq) -> Option<Gap> {
        (self.floor > after).then_some(Gap { from: after.next(), to: self.floor, reason: GapReason::Expired })
    }
}
