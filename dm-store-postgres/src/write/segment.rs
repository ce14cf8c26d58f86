//! [`Segment`], a part of a batch, and the division of a batch into segments.

use std::collections::HashSet;

use dm_core::store::{AnnounceKeys, Expire, ForgetDevice, Write};

/// A part of a batch that is loaded, decided and written at once. All segments of a batch are in
/// the same transaction.
pub(super) enum Segment<'a> {
    /// Writes that are decided in memory, one after another. The other kinds run statements of
    /// their own: see `direct`.
    InMemory(&'a [Write]),
    Forget(&'a ForgetDevice),
    Announce(&'a AnnounceKeys),
    Expire(&'a Expire),
}

/// Divides a batch into segments, in order. Most batches are one segment.
///
/// A segment ends before an acknowledgement for a device that the same segment registers. The
/// acknowledgement needs the device's unacknowledged entries, and these are loaded only for devices
/// that exist when a segment begins.
pub(super) fn segments(batch: &[Write]) -> Vec<Segment<'_>> {
    let mut segments = Vec::new();
    let mut remaining = batch;
    while let Some(first) = remaining.first() {
        let single = match first {
            Write::ForgetDevice(write) => Some(Segment::Forget(write)),
            Write::AnnounceKeys(write) => Some(Segment::Announce(write)),
            Write::Expire(write) => Some(Segment::Expire(write)),
            _ => None,
        };
        let (segment, following) = match single {
            Some(segment) => (segment, remaining.split_at(1).1),
            None => {
                let (writes, following) = remaining.split_at(in_memory_length(remaining));
                (Segment::InMemory(writes), following)
            }
        };
        segments.push(segment);
        remaining = following;
    }
    segments
}

/// The number of writes at the start of `writes` that one segment decides in memory.
fn in_memory_length(writes: &[Write]) -> usize {
    let mut registered = HashSet::new();
    for (length, write) in writes.iter().enumerate() {
        match write {
            Write::ForgetDevice(_) | Write::AnnounceKeys(_) | Write::Expire(_) => return length,
            Write::Acknowledge(write) if registered.contains(&write.who) => return length,
            Write::RegisterDevice(write) => _ = registered.insert(&write.who),
            _ => {}
        }
    }
    writes.len()
}
