//! The pages that readers saw during the run are consistent.

use std::collections::BTreeMap;

use dm_core::store::{InboxSeq, UserId};

use super::facts::Facts;
use crate::histories::{Finding, Moment};

pub(super) fn check(facts: &Facts<'_>, findings: &mut Vec<Finding>) {
    // For each user: the entries that were certainly stored, and from which moment on.
    let mut known: BTreeMap<UserId, Vec<(Moment, InboxSeq)>> = BTreeMap::new();
    for (call, _, done) in facts.done() {
        for told in &done.appended {
            known.entry(told.user).or_default().push((call.answered, told.entry.seq));
        }
    }
    for read in &facts.history.reads {
        known.entry(read.user).or_default().push((read.answered, read.page.head));
    }
    for known in known.values_mut() {
        known.sort_unstable();
        let mut highest = InboxSeq::ZERO;
        for (_, seq) in known {
            highest = highest.max(*seq);
            *seq = highest;
        }
    }
    for read in &facts.history.reads {
        let (user, page) = (read.user, &read.page);
        let times = known.get(&user).map(Vec::as_slice).unwrap_or_default();
        let before = times.partition_point(|(moment, _)| *moment < read.asked);
        let least =
            before.checked_sub(1).and_then(|last| times.get(last)).map_or(InboxSeq::ZERO, |(_, seq)| *seq);
        // The page has all entries from the first held one, without a hole.
        let from = read.after.max(page.floor).next().get();
        let dense = page.entries.iter().zip(from..).all(|(entry, n)| entry.seq.get() == n);
        let complete = page.through < page.head
            || page.entries.len() as u64 == (page.head.get() + 1).saturating_sub(from);
        if page.head < least || !dense || !complete {
            findings.push(Finding::InconsistentRead { user, seq: least });
        }
        let held = facts.snapshot.users.get(&user).map(|view| view.entries.as_slice()).unwrap_or_default();
        for entry in &page.entries {
            let after = held.iter().find(|other| other.seq == entry.seq);
            if after.is_some_and(|after| after != entry) {
                findings.push(Finding::InconsistentRead { user, seq: entry.seq });
            }
        }
    }
}
