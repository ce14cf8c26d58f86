//! Registering devices.

use dm_core::store::{InboxSeq, Outcome, RegisterDevice};

use crate::write::state::{BatchState, Device, Stop};

impl BatchState {
    /// Registers a device. If it is registered already, returns its cursor.
    pub(super) fn register_device(&mut self, write: &RegisterDevice) -> Result<Outcome, Stop> {
        let who = &write.who;
        if let Some(device) = self.devices.get(who) {
            return Ok(Outcome::DeviceRegistered { cursor: InboxSeq::new(device.cursor) });
        }
        let registered = self.devices.keys().filter(|device| device.user == who.user).count();
        let user = self.user(who.user)?;
        let cursor = write.new_device_cursor(registered, user.floor, user.head)?;
        (user.registrations, user.is_changed) = (user.registrations + 1, true);
        let registered_as = Some((user.registrations, write.at));
        let device = Device { cursor: cursor.get(), registered_as, ..Device::default() };
        self.devices.insert(who.clone(), device);
        Ok(Outcome::DeviceRegistered { cursor })
    }
}
