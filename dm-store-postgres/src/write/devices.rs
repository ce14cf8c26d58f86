//! Registering devices, and forgetting them.

use dm_core::store::{ForgetDevice, Outcome, RegisterDevice};

use super::state::{BatchState, Device, Stop};
use super::pipeline::{Pipeline, param};
use crate::connection::Client;
use crate::error::Fault;

impl BatchState {
    pub(super) fn register_device(&mut self, write: &RegisterDevice) -> Result<Outcome, Stop> {
        let who = &write.who;
        if let Some(device) = self.devices.get(who) {
            return Ok(Outcome::DeviceRegistered { cursor: dm_core::InboxSeq::new(device.cursor) });
        }
        let registered = self.devices.keys().filter(|device| device.user == who.user).count();
        let user = self.user(who.user)?;
        let cursor = write.cursor_of_new(registered, user.floor, user.head)?;
        (user.registrations, user.is_changed) = (user.registrations + 1, true);
        let registered_as = Some((user.registrations, write.at));
        let device = Device { cursor: cursor.get(), registered_as, ..Device::default() };
        self.devices.insert(who.clone(), device);
        Ok(Outcome::DeviceRegistered { cursor })
    }
}

/// Forgets a device of a user whose row is locked, if there is one.
pub(super) async fn forget(client: Client<'_>, write: &ForgetDevice) -> Result<Outcome, Fault> {
    let who = &write.who;
    let params = || vec![param(who.user.as_bytes().as_slice()), param(who.device.as_str())];
    let mut pipeline = Pipeline::new(client);
    pipeline.add("DELETE FROM acked WHERE user_id = $1 AND device = $2", params()).await?;
    pipeline.add("DELETE FROM devices WHERE user_id = $1 AND device = $2 RETURNING true", params()).await?;
    let gone = pipeline.execute().await?.nth(1).unwrap_or_default();
    Ok(Outcome::DeviceForgotten { existed: !gone.is_empty() })
}
