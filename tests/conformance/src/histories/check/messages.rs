//! Every answered message is stored once and completely, and every stored message was requested.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use dm_core::store::{Action, Answer, Event, Message, MessageId, Outcome, Refusal, UserId};

use super::facts::{Facts, SendKey, Sent};
use crate::histories::{Finding, Reply, UserView};

pub(super) fn check(facts: &Facts<'_>, findings: &mut Vec<Finding>) {
    asked_for(facts, findings);
    answered(facts, findings);
    in_both_inboxes(facts, findings);
    whole_batches(facts, findings);
    in_time(facts, findings);
    refused(facts, findings);
}

/// No stored message is one that no call requested, and none is stored twice.
fn asked_for(facts: &Facts<'_>, findings: &mut Vec<Finding>) {
    let (mut ids, mut sends) = (BTreeSet::new(), BTreeSet::new());
    for (id, messages) in &facts.snapshot.conversations {
        for message in messages {
            let asked = facts.sends.get(&message.id).is_some_and(|(_, append)| {
                append.repeats(message) && append.at == message.received_at && message.conversation == *id
            });
            if !asked {
                findings.push(Finding::Phantom(format!("{message:?}")));
                continue;
            }
            let (_, append) = facts.sends[&message.id];
            let (new_id, new_send) = (ids.insert(message.id), sends.insert(SendKey::of(append)));
            if !new_id || !new_send {
                findings.push(Finding::Doubled(message.id));
            }
        }
    }
}

/// Every answered message is stored under the numbers in the answer.
fn answered(facts: &Facts<'_>, findings: &mut Vec<Finding>) {
    let mut first: BTreeMap<SendKey, (MessageId, u64, u64)> = BTreeMap::new();
    for Sent { append, done, answer, .. } in &facts.answers {
        let message = &answer.message;
        let stored = facts.snapshot.conversations.get(&append.conversation);
        if !stored.is_some_and(|messages| messages.contains(message)) {
            findings.push(Finding::Lost(message.id));
        }
        let numbers = (message.id, message.sequence.get(), answer.sender_seq.get());
        if *first.entry(SendKey::of(append)).or_insert(numbers) != numbers {
            findings.push(Finding::TwoAnswers(message.id));
        }
        let told = done.appended.iter().map(|told| (told.user, told.entry.seq));
        for (user, seq) in told.chain([(append.sender.user, answer.sender_seq)]) {
            let Some(view) = facts.snapshot.users.get(&user) else { continue };
            let there = view.entries.iter().find(|entry| entry.seq == seq);
            if seq > view.floor && there.and_then(|entry| entry.message()) != Some(message) {
                findings.push(Finding::Lost(message.id));
            }
        }
    }
}

/// A message is equal in both inboxes and in its conversation, except for expired entries: those
/// are the oldest of each conversation.
fn in_both_inboxes(facts: &Facts<'_>, findings: &mut Vec<Finding>) {
    for (user, view) in &facts.snapshot.users {
        let mut found: BTreeMap<_, Vec<&Arc<Message>>> = BTreeMap::new();
        for entry in &view.entries {
            if let Event::Message(message) = &entry.event {
                found.entry(message.conversation).or_default().push(message);
            }
        }
        for state in &view.list {
            let id = state.conversation.id;
            let stored = facts.snapshot.conversations.get(&id).map(Vec::as_slice).unwrap_or_default();
            compare(*user, view, stored, &found.remove(&id).unwrap_or_default(), findings);
        }
        for message in found.into_values().flatten() {
            findings.push(Finding::HalfPresent { message: message.id, user: *user });
        }
    }
}

fn compare(
    user: UserId,
    view: &UserView,
    stored: &[Arc<Message>],
    found: &[&Arc<Message>],
    findings: &mut Vec<Finding>,
) {
    for pair in found.windows(2) {
        match pair {
            [one, next] if one.id == next.id => findings.push(Finding::Doubled(one.id)),
            [one, next] if one.sequence > next.sequence => {
                findings.push(Finding::OutOfOrder { user, message: one.id });
            }
            _ => {}
        }
    }
    for message in found.iter().filter(|message| !stored.contains(message)) {
        findings.push(Finding::HalfPresent { message: message.id, user });
    }
    // Expired entries have lower numbers than all held ones, in the inbox and therefore in the
    // conversation.
    let oldest = found.iter().map(|message| message.sequence).min();
    for message in stored {
        let expired = view.floor.get() > 0 && oldest.is_none_or(|oldest| message.sequence < oldest);
        if !expired && !found.contains(&message) {
            findings.push(Finding::HalfPresent { message: message.id, user });
        }
    }
}

/// A batch whose answer was not waited for was stored as a whole or not at all.
fn whole_batches(facts: &Facts<'_>, findings: &mut Vec<Finding>) {
    for call in &facts.history.calls {
        let sends = call.writes.iter().filter_map(|write| match &write.action {
            Action::AppendMessage(append) => Some(append.id),
            _ => None,
        });
        let (there, absent): (Vec<_>, Vec<_>) = sends.partition(|id| facts.stored.contains(id));
        if matches!(call.reply, Reply::Unknown)
            && let ([_, ..], [absent, ..]) = (there.as_slice(), absent.as_slice())
        {
            findings.push(Finding::HalfBatch(*absent));
        }
        if call.failed() {
            findings.extend(there.into_iter().map(|id| Finding::Phantom(format!("{id:?} of a failed call"))));
        }
    }
}

/// A message that was answered before another was requested has the lower number.
fn in_time(facts: &Facts<'_>, findings: &mut Vec<Finding>) {
    let asked = facts.first_asked();
    let mut answered = BTreeMap::new();
    for Sent { call, answer, .. } in &facts.answers {
        let first = answered.entry(answer.message.id).or_insert(call.answered);
        *first = call.answered.min(*first);
    }
    for messages in facts.snapshot.conversations.values() {
        // A message must not have been answered before one with a lower number was requested. Of
        // those, the one that was requested last decides.
        let mut latest = None;
        for message in messages {
            let key = facts.sends.get(&message.id).map(|(_, append)| SendKey::of(append));
            let began = key.and_then(|key| asked.get(&key)).copied();
            if let (Some((second, began)), Some(ended)) = (latest, answered.get(&message.id))
                && *ended < began
            {
                findings.push(Finding::AgainstTime { first: message.id, second });
            }
            if let Some(began) = began
                && latest.is_none_or(|(_, latest)| began > latest)
            {
                latest = Some((message.id, began));
            }
        }
    }
}

/// A send is not refused as not found after its conversation was answered, nor because of its own
/// client id.
fn refused(facts: &Facts<'_>, findings: &mut Vec<Finding>) {
    for (call, write, outcome) in facts.outcomes() {
        let (Action::AppendMessage(append), Outcome::Refused(refusal)) = (&write.action, outcome) else {
            continue;
        };
        let wrongly = match refusal {
            Refusal::NotFound => facts.done().any(|(opening, _, done)| {
                matches!(done.answer, Answer::ConversationOpened(conversation)
                    if conversation.id == append.conversation
                        && conversation.participants.side(append.sender.user).is_some())
                    && opening.before(call)
            }),
            Refusal::ClientIdReused => {
                facts.sends.values().filter(|(_, other)| SendKey::of(other) == SendKey::of(append)).all(
                    |(_, other)| {
                        (other.conversation, other.sent_at) == (append.conversation, append.sent_at)
                            && other.ciphertext == append.ciphertext
                    },
                )
            }
            // The check of fences looks at these.
            Refusal::Unmet { which, .. } => *which >= write.expects.len(),
            _ => true,
        };
        if wrongly || facts.stored.contains(&append.id) {
            findings.push(Finding::WronglyRefused(append.id));
        }
    }
}
