//! Registering and forgetting devices.

use dm_core::store::{ForgetDevice, InboxSeq, Outcome, RegisterDevice};

use super::{BatchWriter, WriteError};
use crate::codec::{DeviceRow, mark_key, refs_key};
use crate::failure::Failure;
use crate::rows::Changes;

impl<T: Changes> BatchWriter<'_, T> {
    /// Registers a device, or returns the cursor of one that is registered.
    pub(super) fn register_device(&mut self, write: &RegisterDevice) -> Result<Outcome, WriteError> {
        let mut registered = 0;
        let mut device_ref = 1_u32;
        let (mut floor, mut head) = (InboxSeq::ZERO, InboxSeq::ZERO);
        if let Some(user) = self.heads.user(self.tables, write.who.user)? {
            for found in self.tables.user_devices(user.user_ref)? {
                let (existing_ref, row) = found?;
                if row.device == write.who.device {
                    return Ok(Outcome::DeviceRegistered { cursor: row.cursor });
                }
                registered += 1;
                device_ref = existing_ref.checked_add(1).ok_or(Failure::Exhausted)?;
            }
            (floor, head) = (self.tables.floor(user.user_ref)?, user.head);
        }
        let cursor = write.new_device_cursor(registered, floor, head)?;

        let user = self.user_or_new(write.who.user)?;
        let row = DeviceRow { cursor, registered_at: write.at, device: write.who.device.clone() };
        self.tables.devices.insert(&refs_key(user.user_ref, device_ref), &row.encode())?;
        Ok(Outcome::DeviceRegistered { cursor })
    }

    /// Removes a device and its marks.
    pub(super) fn forget_device(&mut self, write: &ForgetDevice) -> Result<Outcome, WriteError> {
        let device = match self.heads.user(self.tables, write.who.user)? {
            Some(user) => {
                let found = self.tables.device(user.user_ref, &write.who.device)?;
                found.map(|(device_ref, row)| (user.user_ref, device_ref, row.cursor))
            }
            None => None,
        };
        let Some((user_ref, device_ref, cursor)) = device else {
            return Ok(Outcome::DeviceForgotten { existed: false });
        };
        self.remove_marks(user_ref, device_ref, cursor, InboxSeq::new(u64::MAX))?;
        self.tables.devices.remove(&refs_key(user_ref, device_ref))?;
        Ok(Outcome::DeviceForgotten { existed: true })
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
