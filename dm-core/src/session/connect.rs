//! [`Service::connect`] and the other calls that start a session.

#[cfg(doc)]
use super::delivery::SessionEnd;
use super::state::Session;
use crate::device::Principal;
use crate::error::Error;
use crate::hub::ConnectionKind;
use crate::service::Service;
use crate::store::{DeviceStart, InboxQuery, Registered};

impl Service {
    /// Connects a device: the session delivers the pending entries, then
    /// [`CaughtUp`](crate::Delivery::CaughtUp), then new entries.
    ///
    /// A new device is registered, and starts at the oldest entry still kept. An older session of
    /// the same device ends with [`SessionEnd::Replaced`]. Entries that it delivered and that were
    /// not acknowledged are delivered again by the new session.
    ///
    /// # Errors
    /// [`Error::TooManyDevices`] for a new device of a user with
    /// [`Config::devices_per_user`](crate::Config::devices_per_user) devices, and the errors common
    /// to all calls; see [`Service`].
    pub async fn connect(&self, who: &Principal) -> Result<Session, Error> {
        self.connect_from(who, DeviceStart::Oldest).await
    }

    /// As [`connect`](Self::connect), but a new device starts where `start` says.
    ///
    /// # Errors
    /// As [`connect`](Self::connect).
    pub async fn connect_from(&self, who: &Principal, start: DeviceStart) -> Result<Session, Error> {
        // The connection is added before the store is read, so that no entry is missed. Entries
        // committed from here on are hinted to the connection. Entries committed before are read
        // from the store. An entry from both sources is delivered once, because the session
        // compares numbers.
        let guard = self.hub().add_connection(who, ConnectionKind::Device, self.now());
        // The future is boxed, so that its memory is freed here. Without the box, the task of the
        // host that connects and then runs the session would stay as large as the future of a
        // commit.
        let Registered { cursor, registration } = Box::pin(self.register(who, start)).await?;
        guard.connection.set_registration(registration);
        Ok(Session::new(self.clone(), who.clone(), guard, cursor))
    }

    /// Follows a user's inbox: the session delivers the entries after the newest one. This is for
    /// clients without cursors, such as [seed clients](crate#terms).
    ///
    /// The session also delivers the device's own entries, but none that is for a single device
    /// ([`InboxEntry::addressee`](crate::InboxEntry::addressee)). It has no window, replaces no
    /// other session, and delivers no gap and no [`CaughtUp`](crate::Delivery::CaughtUp).
    ///
    /// Following registers no device and moves no cursor. [`Session::handle`] acknowledges for the
    /// device of `who`. The first acknowledgement registers that device if it is new, and every
    /// entry still kept is then pending for it:
    ///
    /// - [`AckTarget::UpTo`](crate::AckTarget::UpTo) acknowledges all entries up to its number.
    ///   They include entries from before this session, which the session never delivered.
    /// - [`Entries`](crate::AckTarget::Entries) and [`Messages`](crate::AckTarget::Messages)
    ///   acknowledge the entries that they name and no others.
    ///
    /// # Errors
    /// Only the errors common to all calls; see [`Service`].
    pub async fn follow(&self, who: &Principal) -> Result<Session, Error> {
        let guard = self.hub().add_connection(who, ConnectionKind::Follower, self.now());
        let head = self.store().inbox(InboxQuery::for_head(who.user)).await?.head;
        Ok(Session::new(self.clone(), who.clone(), guard, head))
    }
}
