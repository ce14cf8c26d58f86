//! Numbers are dense, heads are right, and expiry removed as many entries as it answered.

use std::collections::BTreeMap;

use dm_core::store::{Action, Answer, Counts};

use super::facts::Facts;
use crate::histories::{Finding, Reply};

pub(super) fn check(facts: &Facts<'_>, findings: &mut Vec<Finding>) {
    let mut heads = BTreeMap::new();
    for view in facts.snapshot.users.values() {
        heads.extend(view.list.iter().map(|state| (state.conversation.id, state)));
    }
    for (id, messages) in &facts.snapshot.conversations {
        if messages.iter().zip(1..).any(|(message, n)| message.sequence.get() != n) {
            findings.push(Finding::GapInConversation(*id));
        }
        let newest = messages.last();
        if let Some(state) = heads.get(id) {
            let head = newest.map(|message| message.sequence).unwrap_or_default();
            if state.head != head || state.last_activity != newest.map(|message| message.received_at) {
                findings.push(Finding::WrongHead(*id, state.head));
            }
            let mut counts = Counts::default();
            for message in messages {
                let Some(side) = state.conversation.participants.side(message.sender) else { continue };
                counts = counts.after_message(side, message.ciphertext.len() as u64);
                if message.sender_sequence != counts.side(side).sent {
                    findings.push(Finding::WrongCounts(*id));
                }
            }
            if state.counts != counts {
                findings.push(Finding::WrongCounts(*id));
            }
        }
    }
    for (user, view) in &facts.snapshot.users {
        let numbers = view.entries.iter().map(|entry| entry.seq.get());
        if !numbers.eq(view.floor.get() + 1..=view.head.get()) {
            findings.push(Finding::GapInInbox(*user));
        }
    }
    expiry(facts, findings);
}

fn expiry(facts: &Facts<'_>, findings: &mut Vec<Finding>) {
    let gone: u64 = facts.snapshot.users.values().map(|view| view.floor.get()).sum();
    let answered: u64 = facts
        .done()
        .map(|(.., done)| if let Answer::Expired { entries, .. } = done.answer { entries as u64 } else { 0 })
        .sum();
    let unknown = facts.history.calls.iter().any(|call| {
        matches!(call.reply, Reply::Unknown)
            && call.writes.iter().any(|write| matches!(write.action, Action::Expire(_)))
    });
    if gone < answered || (gone > answered && !unknown) {
        findings.push(Finding::WrongExpiry { answered, gone });
    }
    // The outcome that appended an entry tells its time, also after the entry was removed.
    for (.., done) in facts.done() {
        for told in &done.appended {
            let floor = facts.snapshot.users.get(&told.user).map(|view| view.floor).unwrap_or_default();
            let old = facts.expired_before.is_some_and(|before| told.entry.at < before);
            if told.entry.seq <= floor && !old {
                findings.push(Finding::ExpiredEarly { user: told.user, seq: told.entry.seq });
            }
        }
    }
}
