//! Registering and forgetting devices.

use dm_core::store::{Answer, ForgetDevice, InboxSeq, Prepared, RegisterDevice, Registered, Stop};

use crate::write::decide::plan::Plan;
use crate::write::state::{BatchState, Device, Retry, stop};

impl BatchState {
    /// Checks the registration of a device. If it is registered already, the answer has its cursor.
    pub(super) fn plan_registration(&mut self, write: RegisterDevice) -> Result<Prepared<Plan>, Stop<Retry>> {
        let who = &write.who;
        if let Some(device) = self.devices.get(who) {
            let (cursor, registration) = (InboxSeq::new(device.cursor), device.registration);
            return Ok(Prepared::Found(Answer::DeviceRegistered(Registered { cursor, registration })));
        }
        let registered = self.devices_of(who.user).count();
        let user = self.user(who.user).map_err(stop)?;
        let cursor = write.new_device_cursor(registered, user.floor, user.head)?;
        Ok(Prepared::Ready(Plan::Register(write, cursor)))
    }

    pub(super) fn register_device(
        &mut self,
        write: RegisterDevice,
        cursor: InboxSeq,
    ) -> Result<Answer, Retry> {
        let user = self.user(write.who.user)?;
        let registration = user.registration.next();
        (user.registration, user.is_changed) = (registration, true);
        let (cursor_in_row, registered_at) = (cursor.get(), Some(write.at));
        let device = Device { registration, cursor: cursor_in_row, registered_at, ..Device::default() };
        self.devices.insert(write.who, device);
        Ok(Answer::DeviceRegistered(Registered { cursor, registration }))
    }

    /// Checks the removal of a device. A device that is not registered is forgotten already.
    pub(super) fn plan_removal(&self, write: ForgetDevice) -> Prepared<Plan> {
        if self.devices.contains_key(&write.who) {
            Prepared::Ready(Plan::Forget(write))
        } else {
            Prepared::Found(Answer::DeviceForgotten)
        }
    }

    pub(super) fn forget_device(&mut self, write: ForgetDevice) -> Answer {
        if let Some(device) = self.devices.remove(&write.who)
            && device.registered_at.is_none()
        {
            self.forgotten.insert(write.who);
        }
        Answer::DeviceForgotten
    }
}
