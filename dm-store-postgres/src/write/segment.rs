//! [`Segment`], a part of a batch, and the division of a batch into segments.

use std::collections::HashSet;

use dm_core::store::{Action, Change, Expect, Expire, Kind, Owner, Prefix, Write};

/// A part of a batch that is loaded, decided and written at once. All segments of a batch are in
/// the same transaction.
pub(super) enum Segment<'a> {
    /// Writes that are decided in memory, one after another.
    InMemory(&'a [Write]),
    /// An expiry, which runs statements of its own (see `direct`), and its write. The slice has one
    /// item.
    Expire(&'a Expire, &'a [Write]),
}

/// Divides a batch into segments, in order. Most batches are one segment.
///
/// A segment ends before a write that needs rows of which an earlier write of the segment decides
/// that they are loaded:
/// - an acknowledgement for a device that the segment registers, because the device's
///   unacknowledged entries are loaded only for devices that exist when a segment begins;
/// - a condition or change about the first records under a prefix, after records of the same owner
///   and kind were cleared, because the number of the cleared ones is not known before.
pub(super) fn segments(batch: &[Write]) -> Vec<Segment<'_>> {
    let mut segments = Vec::new();
    let mut remaining = batch;
    while let Some(first) = remaining.first() {
        let (segment, following) = if let Action::Expire(expire) = &first.action {
            let (write, following) = remaining.split_at(1);
            (Segment::Expire(expire, write), following)
        } else {
            let (writes, following) = remaining.split_at(in_memory_length(remaining));
            (Segment::InMemory(writes), following)
        };
        segments.push(segment);
        remaining = following;
    }
    segments
}

/// The number of writes at the start of `writes` that one segment decides in memory: at least one,
/// unless the first one is an expiry.
fn in_memory_length(writes: &[Write]) -> usize {
    let mut registered = HashSet::new();
    let mut cleared: HashSet<(Owner, Kind)> = HashSet::new();
    for (length, write) in writes.iter().enumerate() {
        match &write.action {
            Action::Expire(_) => return length,
            Action::Acknowledge(write) if registered.contains(&write.who) => return length,
            Action::RegisterDevice(write) => _ = registered.insert(&write.who),
            _ => {}
        }
        if !cleared.is_empty() && prefixes(write).any(|under| cleared.contains(&(under.owner, under.kind))) {
            return length;
        }
        cleared.extend(write.changes.iter().filter_map(|change| match change {
            Change::Clear(under) => Some((under.owner, under.kind)),
            _ => None,
        }));
    }
    writes.len()
}

/// The prefixes whose first records a write reads.
fn prefixes(write: &Write) -> impl Iterator<Item = &Prefix> {
    let expected = write.expects.iter().filter_map(|expect| match expect {
        Expect::Fewer { under, .. } => Some(under),
        _ => None,
    });
    let changed = write.changes.iter().filter_map(|change| match change {
        Change::Clear(under) | Change::TakeFirst { under, .. } => Some(under),
        _ => None,
    });
    expected.chain(changed)
}
