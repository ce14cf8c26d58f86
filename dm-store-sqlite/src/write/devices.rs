//! Registers and forgets devices.

use dm_core::store::{ForgetDevice, InboxSeq, Outcome, Principal, RegisterDevice};
use rusqlite::{OptionalExtension, params};

use super::{Batch, WriteError};
use crate::codec;

/// A registered device.
#[derive(Clone, Copy)]
pub(super) struct Device {
    pub(super) device_ref: i64,
    pub(super) user_ref: i64,
    pub(super) cursor: InboxSeq,
    /// The number of the newest expired entry of the user's inbox.
    pub(super) floor: InboxSeq,
}

impl Batch<'_> {
    /// A device, if it is registered.
    pub(super) fn device(&self, who: &Principal) -> rusqlite::Result<Option<Device>> {
        self.connection
            .prepare_cached(
                "SELECT d.ref, u.ref, d.cursor, u.inbox_floor FROM dm_users u JOIN dm_devices d ON d.user = u.ref
                 WHERE u.pubkey = +?1 AND d.device = +?2",
            )?
            .query_row(params![who.user.as_bytes(), who.device.as_str()], |row| {
                Ok(Device {
                    device_ref: row.get(0)?,
                    user_ref: row.get(1)?,
                    cursor: codec::get_seq(row, 2)?,
                    floor: codec::get_seq(row, 3)?,
                })
            })
            .optional()
    }

    /// Registers a device and returns its cursor. Changes nothing if the device is registered.
    pub(super) fn register_device(&mut self, write: &RegisterDevice) -> Result<Outcome, WriteError> {
        if let Some(device) = self.device(&write.who)? {
            return Ok(Outcome::DeviceRegistered { cursor: device.cursor });
        }
        let user = self.user_or_new(write.who.user)?;
        let (devices, floor) = self
            .connection
            .prepare_cached(
                "SELECT (SELECT count(*) FROM dm_devices WHERE user = ?1), inbox_floor FROM dm_users WHERE ref = ?1",
            )?
            .query_row([user.user_ref], |row| Ok((row.get::<_, u32>(0)?, codec::get_seq(row, 1)?)))?;
        let devices = usize::try_from(devices).unwrap_or(usize::MAX);
        let cursor = write.new_device_cursor(devices, floor, user.head)?;
        self.connection
            .prepare_cached(
                "INSERT INTO dm_devices (user, device, cursor, registered_at) VALUES (?1, ?2, ?3, ?4)",
            )?
            .execute(params![
                user.user_ref,
                write.who.device.as_str(),
                codec::u64_to_i64(cursor.get()),
                codec::time_to_i64(write.at)
            ])?;
        Ok(Outcome::DeviceRegistered { cursor })
    }

    /// Deletes a device and its marks of acknowledged entries.
    pub(super) fn forget_device(&mut self, write: &ForgetDevice) -> Result<Outcome, WriteError> {
        let Some(device) = self.device(&write.who)? else {
            return Ok(Outcome::DeviceForgotten { existed: false });
        };
        self.connection
            .prepare_cached("DELETE FROM dm_acked WHERE device = ?1")?
            .execute([device.device_ref])?;
        self.connection
            .prepare_cached("DELETE FROM dm_devices WHERE ref = ?1")?
            .execute([device.device_ref])?;
        Ok(Outcome::DeviceForgotten { existed: true })
    }
}
