//! The waits of a session: for a hint, for room in its window, and for the next poll. A poll reads
//! from the store what the session may have missed: the head of the inbox, or the device's cursor.
//! A session that waits makes one every [`Config::poll_interval`](crate::Config::poll_interval).

use super::delivery::SessionEnd;
use super::state::Session;
use crate::store::DeviceState;

impl Session {
    /// Whether the window has room for a delivery. A follower has no window.
    pub(super) fn has_room(&self) -> bool {
        !self.is_device() || self.guard.connection.outstanding_count() < self.service.config().window
    }

    /// Waits for a hint. At each poll the session asks for the head of the inbox, because every
    /// hint may have been lost. Returns whether the session has to read its inbox from the store.
    pub(super) async fn wait_for_hint(&mut self) -> bool {
        let Some(head_answer) = &mut self.head_answer else {
            if self.wait_for_change().await == WakeReason::PollDue {
                self.head_answer = Some(self.service.inbox_head(self.who.user));
            }
            return false;
        };
        let head = tokio::select! {
            biased;
            head = head_answer => head,
            () = self.guard.connection.wait_for_change() => return false,
            () = self.service.wait_for_shutdown() => return false,
        };
        self.head_answer = None;
        // There is no answer if the store failed. Then the session reads its inbox, and that read
        // returns the error.
        head.map_or(true, |head| head > self.position)
    }

    /// Waits for room in the window. An acknowledgement through a handle of this session makes
    /// room. At each poll the session reads the device's cursor from the store, because the device
    /// may have acknowledged through another connection.
    pub(super) async fn wait_for_room(&mut self) -> Result<(), SessionEnd> {
        let Some(devices_read) = &mut self.devices_read else {
            if self.wait_for_change().await == WakeReason::PollDue {
                self.devices_read = Some(self.service.store().devices(self.who.user));
            }
            return Ok(());
        };
        let devices = tokio::select! {
            biased;
            devices = devices_read => devices,
            () = self.guard.connection.wait_for_change() => return Ok(()),
            () = self.service.wait_for_shutdown() => return Ok(()),
        };
        self.devices_read = None;
        // A device that was registered again under the name is another device.
        let is_own = |state: &DeviceState| {
            state.device == self.who.device
                && Some(state.registration) == self.guard.connection.registration()
        };
        match devices.map_err(SessionEnd::failed)?.into_iter().find(is_own) {
            Some(state) => self.guard.connection.remove_acknowledged(state.cursor, None),
            None => self.guard.connection.end_as_forgotten(),
        }
        Ok(())
    }

    /// Waits for a change of the connection, the shutdown of the service, or the next poll.
    async fn wait_for_change(&mut self) -> WakeReason {
        let poll_timer = self.poll_timer.get_or_insert_with(|| self.service.poll_timer());
        tokio::select! {
            () = self.guard.connection.wait_for_change() => WakeReason::Changed,
            () = self.service.wait_for_shutdown() => WakeReason::Changed,
            () = poll_timer => {
                self.poll_timer = None;
                WakeReason::PollDue
            }
        }
    }
}

/// The reason why a wait ended.
#[derive(PartialEq, Eq)]
enum WakeReason {
    /// The connection changed, or the service is shutting down.
    Changed,
    /// The poll interval is over.
    PollDue,
}
