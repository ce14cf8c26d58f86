//! Registers and forgets devices.

use dm_core::store::{
    Answer, ForgetDevice, InboxSeq, Prepared, Principal, RegisterDevice, Registered, Registration, Stop,
    UserId,
};
use rusqlite::{Error, OptionalExtension, Result, params};

use super::Batch;
use super::plan::{Device, Plan, RegisterPlan};
use crate::codec;

impl Batch<'_> {
    /// A device, if it is registered.
    pub(super) fn device(&self, who: &Principal) -> Result<Option<Device>> {
        self.connection
            .prepare_cached(
                "SELECT d.ref, u.ref, d.cursor, d.registration, u.inbox_floor
                 FROM dm_users u JOIN dm_devices d ON d.user = u.ref WHERE u.pubkey = +?1 AND d.device = +?2",
            )?
            .query_row(params![who.user.as_bytes(), who.device.as_str()], |row| {
                Ok(Device {
                    device_ref: row.get(0)?,
                    user_ref: row.get(1)?,
                    cursor: codec::get_seq(row, 2)?,
                    registration: Registration::new(codec::get_number(row, 3)?),
                    floor: codec::get_seq(row, 4)?,
                })
            })
            .optional()
    }

    /// Checks the registration of a device. Finds a device that is registered already.
    pub(super) fn plan_registration(&mut self, write: RegisterDevice) -> Result<Prepared<Plan>, Stop<Error>> {
        if let Some(device) = self.device(&write.who).map_err(Stop::Failed)? {
            let Device { cursor, registration, .. } = device;
            return Ok(Prepared::Found(Answer::DeviceRegistered(Registered { cursor, registration })));
        }
        let (mut devices, mut floor, mut head) = (0, InboxSeq::ZERO, InboxSeq::ZERO);
        let mut newest = Registration::ZERO;
        if let Some(user) = self.user(write.who.user).map_err(Stop::Failed)? {
            head = user.inbox.head;
            (devices, floor, newest) = self.registrations(user.inbox.user_ref).map_err(Stop::Failed)?;
        }
        let cursor = write.new_device_cursor(devices, floor, head)?;
        let registered = Registered { cursor, registration: newest.next() };
        Ok(Prepared::Ready(Plan::Register(RegisterPlan { write, registered })))
    }

    /// Registers a device whose checks have passed.
    pub(super) fn register_device(&mut self, plan: &RegisterPlan) -> Result<Answer> {
        let RegisterPlan { write, registered } = plan;
        let user_ref = self.user_or_new(write.who.user)?.inbox.user_ref;
        let registration = codec::u64_to_i64(registered.registration.get());
        self.connection
            .prepare_cached(
                "INSERT INTO dm_devices (user, device, cursor, registered_at, registration)
                 VALUES (?1, ?2, ?3, ?4, ?5)",
            )?
            .execute(params![
                user_ref,
                write.who.device.as_str(),
                codec::u64_to_i64(registered.cursor.get()),
                codec::time_to_i64(write.at),
                registration
            ])?;
        self.connection
            .prepare_cached("UPDATE dm_users SET registration = ?2 WHERE ref = ?1")?
            .execute([user_ref, registration])?;
        Ok(Answer::DeviceRegistered(*registered))
    }

    /// Finds a device to forget, unless it is not registered.
    pub(super) fn plan_forgetting(&self, write: &ForgetDevice) -> Result<Prepared<Plan>> {
        Ok(match self.device(&write.who)? {
            Some(device) => Prepared::Ready(Plan::Forget(device)),
            None => Prepared::Found(Answer::DeviceForgotten),
        })
    }

    /// Deletes a device and its marks of acknowledged entries.
    pub(super) fn forget_device(&self, device: Device) -> Result<Answer> {
        self.connection
            .prepare_cached("DELETE FROM dm_acked WHERE device = ?1")?
            .execute([device.device_ref])?;
        self.connection
            .prepare_cached("DELETE FROM dm_devices WHERE ref = ?1")?
            .execute([device.device_ref])?;
        Ok(Answer::DeviceForgotten)
    }

    /// Whether a user has a device with this registration.
    pub(super) fn has_registration(&self, user: UserId, registration: Registration) -> Result<bool> {
        self.connection
            .prepare_cached(
                "SELECT EXISTS (SELECT 1 FROM dm_users u JOIN dm_devices d ON d.user = u.ref
                                WHERE u.pubkey = +?1 AND d.registration = +?2)",
            )?
            .query_row(params![user.as_bytes(), codec::u64_to_i64(registration.get())], |row| row.get(0))
    }

    /// The number of a user's devices, the number of the newest expired entry, and the newest
    /// registration.
    fn registrations(&self, user_ref: i64) -> Result<(usize, InboxSeq, Registration)> {
        self.connection
            .prepare_cached(
                "SELECT (SELECT count(*) FROM dm_devices WHERE user = ?1), inbox_floor, registration
                 FROM dm_users WHERE ref = ?1",
            )?
            .query_row([user_ref], |row| {
                let devices = usize::try_from(row.get::<_, u32>(0)?).unwrap_or(usize::MAX);
                Ok((devices, codec::get_seq(row, 1)?, Registration::new(codec::get_number(row, 2)?)))
            })
    }
}
