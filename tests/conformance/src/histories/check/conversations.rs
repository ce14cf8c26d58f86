//! One conversation per pair.

use std::collections::{BTreeMap, BTreeSet};

use dm_core::store::{Action, Answer, Conversation, Event, Notice};

use super::facts::Facts;
use crate::histories::Finding;

pub(super) fn check(facts: &Facts<'_>, findings: &mut Vec<Finding>) {
    let asked = |conversation: &Conversation| {
        facts.writes().any(|(_, write)| {
            matches!(&write.action, Action::OpenConversation(open) if open.id == conversation.id
                && open.participants == conversation.participants
                && open.at == conversation.opened_at)
        })
    };
    let mut of_pair: BTreeMap<_, BTreeSet<_>> = BTreeMap::new();
    for (user, view) in &facts.snapshot.users {
        for state in &view.list {
            let conversation = &state.conversation;
            if !asked(conversation) || conversation.participants.side(*user).is_none() {
                findings.push(Finding::Phantom(format!("{conversation:?}")));
            }
            of_pair.entry(conversation.participants).or_default().insert(conversation.id);
            let peer =
                conversation.participants.peer_of(*user).and_then(|peer| facts.snapshot.users.get(&peer));
            if peer.is_some_and(|peer| peer.list.iter().all(|other| other.conversation != *conversation)) {
                findings.push(Finding::LostConversation(conversation.id));
            }
        }
        let notices = view.entries.iter().filter_map(|entry| match &entry.event {
            Event::Notice(Notice::ConversationOpened(conversation)) => Some(conversation),
            _ => None,
        });
        let mut told = BTreeSet::new();
        for conversation in notices {
            of_pair.entry(conversation.participants).or_default().insert(conversation.id);
            if !told.insert(conversation.participants) {
                findings.push(Finding::TwoConversations(conversation.participants));
            }
        }
        for state in view.list.iter().filter(|_| view.floor.get() == 0) {
            if !told.contains(&state.conversation.participants) {
                findings.push(Finding::LostConversation(state.conversation.id));
            }
        }
    }
    let mut created = BTreeSet::new();
    for (.., done) in facts.done() {
        let Answer::ConversationOpened(conversation) = &done.answer else { continue };
        let pair = conversation.participants;
        of_pair.entry(pair).or_default().insert(conversation.id);
        if !done.is_found && !created.insert(pair) {
            findings.push(Finding::TwoConversations(pair));
        }
        let a = facts.snapshot.users.get(&pair.a());
        if a.is_some_and(|a| a.list.iter().all(|state| state.conversation != *conversation)) {
            findings.push(Finding::LostConversation(conversation.id));
        }
    }
    let twice = of_pair.into_iter().filter(|(_, ids)| ids.len() > 1);
    findings.extend(twice.map(|(pair, _)| Finding::TwoConversations(pair)));
}
