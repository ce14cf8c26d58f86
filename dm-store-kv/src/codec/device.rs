//! The rows of `devices`. The number of a device's registration is in the row's key.

use dm_core::store::{DeviceId, InboxSeq, Timestamp};

use crate::codec::fields::{Fields, device};
use crate::failure::Failure;

/// A row of `devices`.
#[derive(Clone, Debug)]
pub(crate) struct DeviceRow {
    pub(crate) cursor: InboxSeq,
    pub(crate) registered_at: Timestamp,
    pub(crate) device: DeviceId,
}

impl DeviceRow {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut value = Vec::with_capacity(32);
        value.extend(self.cursor.get().to_be_bytes());
        value.extend(self.registered_at.as_millis().to_be_bytes());
        value.extend(self.device.as_str().as_bytes());
        value
    }

    pub(crate) fn decode(mut value: Fields<'_>) -> Result<Self, Failure> {
        Ok(Self { cursor: value.seq()?, registered_at: value.time()?, device: device(value.remaining())? })
    }
}
