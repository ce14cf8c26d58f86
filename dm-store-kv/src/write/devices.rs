//! Registering and forgetting devices.

use dm_core::store::{
    Answer, DeviceId, ForgetDevice, InboxSeq, Prepared, RegisterDevice, Registered, Registration, Stop,
    Timestamp, UserId,
};

use super::BatchWriter;
use crate::codec::{DeviceRow, mark_key, refs_key};
use crate::failure::Failure;
use crate::rows::Changes;

/// A registration whose checks have passed.
pub(super) struct RegisterPlan {
    user: UserId,
    device: DeviceId,
    at: Timestamp,
    cursor: InboxSeq,
    device_ref: u32,
}

/// A registered device that is to be forgotten.
pub(super) struct ForgetPlan {
    user_ref: u32,
    device_ref: u32,
    cursor: InboxSeq,
    /// Whether it is the newest one of the user that is still registered.
    is_newest: bool,
}

impl<T: Changes> BatchWriter<'_, T> {
    /// Checks a registration. A device that is registered is found.
    pub(super) fn plan_registration(
        &mut self,
        write: RegisterDevice,
    ) -> Result<Prepared<RegisterPlan>, Stop<Failure>> {
        let mut count = 0;
        let mut newest = 0;
        let (mut floor, mut head) = (InboxSeq::ZERO, InboxSeq::ZERO);
        if let Some(user) = self.heads.user(self.tables, write.who.user)? {
            newest = self.tables.forgotten_registration(user.user_ref)?;
            for found in self.tables.user_devices(user.user_ref)? {
                let (device_ref, row) = found?;
                if row.device == write.who.device {
                    let (cursor, registration) = (row.cursor, Registration::new(device_ref.into()));
                    let answer = Answer::DeviceRegistered(Registered { cursor, registration });
                    return Ok(Prepared::Found(answer));
                }
                count += 1;
                newest = newest.max(device_ref);
            }
            (floor, head) = (self.tables.floor(user.user_ref)?, user.head);
        }
        let cursor = write.new_device_cursor(count, floor, head)?;
        let device_ref = newest.checked_add(1).ok_or(Failure::Exhausted)?;
        let RegisterDevice { who, at, .. } = write;
        let plan = RegisterPlan { user: who.user, device: who.device, at, cursor, device_ref };
        Ok(Prepared::Ready(plan))
    }

    /// Registers a device.
    pub(super) fn register_device(&mut self, plan: RegisterPlan) -> Result<Answer, Failure> {
        let RegisterPlan { user, device, at, cursor, device_ref } = plan;
        let user_ref = self.user_or_new(user)?.user_ref;
        let row = DeviceRow { cursor, registered_at: at, device };
        self.tables.devices.insert(&refs_key(user_ref, device_ref), &row.encode())?;
        let registration = Registration::new(device_ref.into());
        Ok(Answer::DeviceRegistered(Registered { cursor, registration }))
    }

    /// Finds the device that is to be forgotten. A device that is not registered is found as
    /// forgotten.
    pub(super) fn plan_forgetting(&mut self, write: &ForgetDevice) -> Result<Prepared<ForgetPlan>, Failure> {
        let mut plan = None;
        if let Some(user) = self.heads.user(self.tables, write.who.user)? {
            let user_ref = user.user_ref;
            for found in self.tables.user_devices(user_ref)? {
                let (device_ref, row) = found?;
                let is_it = row.device == write.who.device;
                plan = match plan {
                    None if is_it => {
                        Some(ForgetPlan { user_ref, device_ref, cursor: row.cursor, is_newest: true })
                    }
                    other => other.map(|plan| ForgetPlan { is_newest: false, ..plan }),
                };
            }
        }
        Ok(match plan {
            Some(plan) => Prepared::Ready(plan),
            None => Prepared::Found(Answer::DeviceForgotten),
        })
    }

    /// Removes a device and its marks. Keeps the number of its registration if no later device
    /// does.
    pub(super) fn forget_device(&mut self, plan: &ForgetPlan) -> Result<Answer, Failure> {
        let ForgetPlan { user_ref, device_ref, cursor, is_newest } = *plan;
        self.remove_marks(user_ref, device_ref, cursor, InboxSeq::new(u64::MAX))?;
        self.tables.devices.remove(&refs_key(user_ref, device_ref))?;
        if is_newest && device_ref > self.tables.forgotten_registration(user_ref)? {
            self.tables.devices.insert(&refs_key(user_ref, 0), &device_ref.to_be_bytes())?;
        }
        Ok(Answer::DeviceForgotten)
    }

    /// Whether a user has a device with this registration.
    pub(super) fn has_registration(
        &mut self,
        user: UserId,
        registration: Registration,
    ) -> Result<bool, Failure> {
        let Some(user) = self.heads.user(self.tables, user)? else { return Ok(false) };
        match u32::try_from(registration.get()) {
            Ok(device_ref @ 1..) => {
                Ok(self.tables.devices.get(&refs_key(user.user_ref, device_ref))?.is_some())
            }
            _ => Ok(false),
        }
    }

    /// Removes the marks of a device up to the entry `through`, included. A *mark* is an entry that
    /// the device acknowledged individually. `cursor` is the device's cursor, and all marks are
    /// above it.
    pub(super) fn remove_marks(
        &mut self,
        user_ref: u32,
        device_ref: u32,
        cursor: InboxSeq,
        through: InboxSeq,
    ) -> Result<(), Failure> {
        let from = mark_key(user_ref, device_ref, cursor.get());
        self.tables.acked.remove_between(&from, &mark_key(user_ref, device_ref, through.get()))
    }
}
