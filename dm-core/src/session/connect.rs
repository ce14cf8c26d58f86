//! Connecting clients.

#[cfg(doc)]
use super::delivery::SessionEnd;
use super::stream::Session;
use crate::device::Principal;
use crate::error::Error;
use crate::hub::Kind;
use crate::service::Service;
use crate::store::{DeviceStart, InboxQuery};

impl Service {
    /// Connects a device: the session brings what is pending, says when it has caught up, then brings what happens.
    ///
    /// The device is registered if it is new, at the oldest entry still held. An older session of the same device
    /// ends with [`SessionEnd::Replaced`]; what it delivered and was not acknowledged is delivered again here.
    ///
    /// # Errors
    /// [`Error::TooManyDevices`] for one device too many, and those common to all calls of the service.
    pub async fn connect(&self, who: &Principal) -> Result<Session, Error> {
        self.connect_from(who, DeviceStart::Oldest).await
    }

    /// As [`connect`](Self::connect), choosing where a new device starts.
    ///
    /// # Errors
    /// As [`connect`](Self::connect).
    pub async fn connect_from(&self, who: &Principal, start: DeviceStart) -> Result<Session, Error> {
        // In this order nothing falls between the backlog and the hints: what is committed from here on is hinted to
        // the mailbox, what was committed before is read from the store, and what is in both is told by its number.
        let place = self.hub().enter(who, Kind::Device, self.now());
        // Boxed, because the task that connects goes on to wait: it would keep the room of a commit for good.
        let cursor = Box::pin(self.register(who, start)).await?;
        Ok(Session::new(self.clone(), who.clone(), place, cursor))
    }

    /// Follows a user's inbox from its newest entry on, the device's own entries included, without a window, a
    /// take-over or a notice of having caught up: for clients that know nothing of positions, such as the seed's.
    ///
    /// Following registers no device and moves no cursor. [`Session::handle`] acknowledges for the
    /// device of `who`. The first acknowledgement registers that device if it is new, with
    /// everything still held pending for it. [`AckTarget::UpTo`](crate::AckTarget::UpTo) then
    /// acknowledges all of that up to its number, also entries from before this session, which it
    /// never showed. [`Entries`](crate::AckTarget::Entries) and
    /// [`Messages`](crate::AckTarget::Messages) acknowledge what they name and nothing else.
    ///
    /// # Errors
    /// Those common to all calls of the service.
    pub async fn follow(&self, who: &Principal) -> Result<Session, Error> {
        let place = self.hub().enter(who, Kind::Follower, self.now());
        let head = self.store().inbox(InboxQuery::of_head(who.user)).await?.head;
        Ok(Session::new(self.clone(), who.clone(), place, head))
    }
}
