//! The versions of a key have no holes, and no message is stored for a version that was replaced
//! before its send was requested.

use std::collections::{BTreeMap, BTreeSet};

use dm_core::store::{Event, KeyRecord, Notice, Outcome, UserId, Write};

use super::facts::Facts;
use crate::histories::{Answer, Call, Finding};

pub(super) fn check(facts: &Facts<'_>, findings: &mut Vec<Finding>) {
    let asked = |record: &KeyRecord| {
        facts.writes().any(|(_, write)| {
            matches!(write, Write::PublishKey(publish) if publish.user == record.user
                && publish.key == record.key && publish.at == record.published_at
                && publish.binding == record.binding)
        })
    };
    let mut published: BTreeMap<UserId, Vec<(&Call, &KeyRecord)>> = BTreeMap::new();
    for (call, _, outcome) in facts.outcomes() {
        if let Outcome::KeyPublished { record, changed: true } = outcome {
            published.entry(record.user).or_default().push((call, record));
        }
    }
    for (user, view) in &facts.snapshot.users {
        let records = published.get(user).map(Vec::as_slice).unwrap_or_default();
        let versions: BTreeSet<u32> = records.iter().map(|(_, record)| record.version.get()).collect();
        let newest = view.key.map_or(0, |key| key.version.get());
        let unknown = facts.history.calls.iter().any(|call| {
            matches!(call.answer, Answer::Unknown)
                && call.writes.iter().any(|w| matches!(w, Write::PublishKey(p) if p.user == *user))
        });
        let dense = unknown || versions.iter().copied().eq(1..=newest);
        let above = versions.last().is_some_and(|version| *version > newest);
        let lost = records.iter().any(|(_, r)| r.version.get() == newest && Some(**r) != view.key);
        if versions.len() != records.len() || !dense || above || lost {
            findings.push(Finding::WrongKeys(*user));
        }
        if let Some(key) = view.key.filter(|key| !asked(key)) {
            findings.push(Finding::Phantom(format!("{key:?}")));
        }
        for entry in &view.entries {
            if let Event::Notice(Notice::PeerKeyChanged(record)) = &entry.event
                && !asked(record)
            {
                findings.push(Finding::Phantom(format!("{record:?}")));
            }
        }
    }
    stale(facts, &published, findings);
}

fn stale(
    facts: &Facts<'_>,
    published: &BTreeMap<UserId, Vec<(&Call, &KeyRecord)>>,
    findings: &mut Vec<Finding>,
) {
    for (call, append, answer) in &facts.answers {
        let Some(version) = append.recipient_key_version.filter(|_| !answer.repeated) else { continue };
        let recipient = answer.appended.iter().map(|told| told.user).find(|user| *user != append.sender.user);
        let newer = recipient.and_then(|user| published.get(&user)).is_some_and(|records| {
            records.iter().any(|(published, record)| record.version > version && published.before(call))
        });
        if newer {
            findings.push(Finding::StaleKey(append.id));
        }
    }
}
