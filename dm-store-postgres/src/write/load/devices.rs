//! Reading devices, and the entries that block their cursors.

use std::collections::{BTreeMap, BTreeSet};

use dm_core::store::{AckTarget, Action, InboxSeq, Principal, UserId, Write};

use crate::codec;
use crate::error::Fault;
use crate::write::load::rows::RowKind;
use crate::write::pipeline::{Param, Pipeline, param};
use crate::write::state::BatchState;

/// Reads all devices of users, each with its highest individually acknowledged entry.
pub(super) const DEVICES: &str = "SELECT d.user_id, d.device, d.number, d.cursor,
           (SELECT max(k.seq) FROM acked k WHERE k.user_id = d.user_id AND k.device = d.device)
    FROM devices d WHERE d.user_id = ANY ($1::bytea[])";

/// Finds the entries that block the cursors of devices. For each device and each possible position
/// of its cursor, these are the first entries above the position that are about a message and that
/// the device neither caused nor acknowledged. At most `max_rows` are read: one more than the
/// segment can acknowledge, so that at least one of them still blocks the cursor after the segment.
///
/// Only entries below the device's highest individually acknowledged entry are read, because the
/// cursor never advances beyond that entry.
pub(super) const UNACKNOWLEDGED: &str = "SELECT s.user_id, s.device, e.seq,
           (SELECT max(k.seq) FROM acked k
            WHERE k.user_id = s.user_id AND k.device = s.device AND k.seq < e.seq)
    FROM unnest($1::bytea[], $2::text[], $3::text[], $4::bigint[], $5::bigint[], $6::bigint[])
         AS s(user_id, device, origin, start, highest_acked, max_rows)
    JOIN devices d ON d.user_id = s.user_id AND d.device = s.device
    JOIN users u ON u.id = s.user_id
    CROSS JOIN LATERAL (
        SELECT i.seq FROM inbox i
        WHERE i.user_id = s.user_id
          AND i.seq > greatest(s.start, d.cursor, u.inbox_floor)
          AND i.seq < greatest(s.highest_acked, (SELECT max(k.seq) FROM acked k
                                                 WHERE k.user_id = s.user_id AND k.device = s.device))
          AND i.message_seq IS NOT NULL AND i.origin IS DISTINCT FROM s.origin
          AND NOT EXISTS (SELECT FROM acked k
                          WHERE k.user_id = s.user_id AND k.device = s.device AND k.seq = i.seq)
        ORDER BY i.seq LIMIT s.max_rows
    ) e";

/// Adds the statement that reads all devices of the users for whom the segment registers or forgets
/// a device, acknowledges entries, or posts an entry to a registration.
pub(super) async fn read_devices(
    pipeline: &mut Pipeline<'_>,
    kinds: &mut Vec<RowKind>,
    writes: &[Write],
) -> Result<(), Fault> {
    let owners: Vec<Vec<u8>> = owners(writes).iter().map(|user| user.as_bytes().to_vec()).collect();
    if !owners.is_empty() {
        pipeline.add(DEVICES, vec![param(owners)]).await?;
        kinds.push(RowKind::Devices);
    }
    Ok(())
}

/// Adds the statement that reads the entries that may block the cursors of the segment's devices.
pub(super) async fn read_unacknowledged<'a>(
    pipeline: &mut Pipeline<'a>,
    kinds: &mut Vec<RowKind>,
    writes: &'a [Write],
    state: &BatchState,
) -> Result<(), Fault> {
    if let Some(acks) = AcksByDevice::collect(writes, state) {
        pipeline.add(UNACKNOWLEDGED, acks.into_params()).await?;
        kinds.push(RowKind::Unacknowledged);
    }
    Ok(())
}

/// The users whose devices `writes` read.
fn owners(writes: &[Write]) -> BTreeSet<UserId> {
    let mut owners = BTreeSet::new();
    for write in writes.iter().filter(|write| write.validate().is_ok()) {
        match &write.action {
            Action::RegisterDevice(write) => _ = owners.insert(write.who.user),
            Action::ForgetDevice(write) => _ = owners.insert(write.who.user),
            Action::Acknowledge(write) => _ = owners.insert(write.who.user),
            _ => {}
        }
        owners.extend(write.posts.iter().filter(|post| post.addressee.is_some()).map(|post| post.to));
    }
    owners
}

/// The acknowledgements of a segment, by device, as the parameters of [`UNACKNOWLEDGED`].
struct AcksByDevice<'a> {
    by_device: BTreeMap<&'a Principal, DeviceAcks>,
}

/// The acknowledgements of one device.
#[derive(Default)]
struct DeviceAcks {
    /// The positions that the cursor may have before it advances: each [`AckTarget::UpTo`] number,
    /// and 0 for the stored cursor.
    starts: BTreeSet<u64>,
    /// The number of the highest entry that the segment acknowledges individually; 0 if there is
    /// none. It is `u64::MAX`, which no entry has, if the segment acknowledges a message that was
    /// not stored before the batch. Unacknowledged entries above this number and above the stored
    /// acknowledgements cannot block the cursor.
    highest_acked: u64,
    /// An upper limit for the number of entries that the segment acknowledges individually.
    /// Duplicates and unknown ids count, too.
    acked_count: usize,
}

impl<'a> AcksByDevice<'a> {
    /// Collects the acknowledgements. `None` if the segment acknowledges nothing.
    fn collect(writes: &'a [Write], state: &BatchState) -> Option<Self> {
        let mut by_device: BTreeMap<_, DeviceAcks> = BTreeMap::new();
        for write in writes {
            let Action::Acknowledge(write) = &write.action else { continue };
            let acks = by_device.entry(&write.who).or_default();
            acks.starts.insert(0);
            let acked: Vec<InboxSeq> = match &write.target {
                AckTarget::UpTo(seq) => {
                    acks.starts.insert(seq.get());
                    continue;
                }
                AckTarget::Entries(seqs) => seqs.clone(),
                AckTarget::Messages(ids) => ids
                    .iter()
                    .map(|id| match state.inbox_numbers.get(id) {
                        Some(numbers) if numbers.sender == write.who.user => numbers.sender_seq,
                        Some(numbers) if numbers.recipient == write.who.user => numbers.recipient_seq,
                        // The user is not a participant, and has no entry about the message.
                        Some(_) => InboxSeq::ZERO,
                        // The message is not stored. If this segment appends it, its entry is above
                        // all stored entries.
                        None => InboxSeq::new(u64::MAX),
                    })
                    .collect(),
            };
            acks.acked_count += acked.len();
            acks.highest_acked = acked.iter().map(|seq| seq.get()).fold(acks.highest_acked, u64::max);
        }
        (!by_device.is_empty()).then_some(Self { by_device })
    }

    /// The parameters of [`UNACKNOWLEDGED`].
    fn into_params(self) -> Vec<Param<'a>> {
        let (mut users, mut devices, mut origins) = (Vec::new(), Vec::new(), Vec::new());
        let (mut starts, mut highest_acked, mut max_rows) = (Vec::new(), Vec::new(), Vec::new());
        for (who, acks) in self.by_device {
            for start in acks.starts {
                users.push(who.user.as_bytes().as_slice());
                devices.push(who.device.as_str());
                origins.push(codec::origin(Some(&who.device)));
                starts.push(codec::u64_to_i64(start));
                highest_acked.push(codec::u64_to_i64(acks.highest_acked));
                max_rows.push(codec::usize_to_i64(acks.acked_count.saturating_add(1)));
            }
        }
        vec![
            param(users),
            param(devices),
            param(origins),
            param(starts),
            param(highest_acked),
            param(max_rows),
        ]
    }
}
