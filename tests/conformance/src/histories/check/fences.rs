//! Each send that names a fence comes after the put of the named tag and before the next put.
//!
//! The inbox that gets both the message and the notices of the puts tells their order: its numbers
//! are those of the order of commits.

use std::collections::{BTreeMap, BTreeSet};

use dm_core::store::{
    Action, Change, Event, Expect, Notice, Outcome, Owner, Party, Put, Refusal, Tag, UserId, Write,
};

use super::facts::{Facts, Sent};
use crate::histories::{Call, Finding, Reply};

/// The puts of one fence that may have been done.
#[derive(Default)]
struct Moves<'a> {
    asked: Vec<(&'a Call, Tag)>,
    /// The tags of the puts of which it is known that they were done.
    done: BTreeSet<[u8; Tag::LEN]>,
    /// The tags in each inbox, by the number of their notices.
    order: BTreeMap<UserId, BTreeMap<u64, Tag>>,
}

pub(super) fn check(facts: &Facts<'_>, findings: &mut Vec<Finding>) {
    let moves = moves(facts);
    for sent in &facts.answers {
        if !sent.done.is_found && named(sent.write).any(|(of, tag)| !lies_between(&moves, sent, of, tag)) {
            findings.push(Finding::StaleFence(sent.append.id));
        }
    }
    for (call, write, outcome) in facts.outcomes() {
        let Outcome::Refused(refusal) = outcome else { continue };
        let wrongly = match (&write.action, refusal) {
            (Action::AppendMessage(append), Refusal::Unmet { which, current }) => {
                let current = current.as_ref().map(|current| current.tag);
                let Some(Expect::Fence { tag, .. }) = write.expects.get(*which) else { continue };
                (current == Some(*tag)).then_some(Finding::WronglyRefused(append.id))
            }
            (Action::None, refusal) => {
                let owner = put_of(write).map(|(owner, _)| owner);
                owner.filter(|_| !may_be_unmet(call, write, refusal, &moves)).map(Finding::WrongFence)
            }
            _ => None,
        };
        findings.extend(wrongly);
    }
    for (owner, moves) in &moves {
        if !ends_as_put(facts, *owner, moves) {
            findings.push(Finding::WrongFence(*owner));
        }
    }
    for (owner, tag) in &facts.snapshot.fences {
        if !moves.get(owner).is_some_and(|moves| moves.asked.iter().any(|(_, asked)| asked == tag)) {
            findings.push(Finding::Phantom(format!("a fence of {owner:?}")));
        }
    }
}

fn moves<'a>(facts: &Facts<'a>) -> BTreeMap<Owner, Moves<'a>> {
    let mut moves: BTreeMap<Owner, Moves<'a>> = BTreeMap::new();
    let mut owners: BTreeMap<Vec<u8>, (Owner, Tag)> = BTreeMap::new();
    for (call, write) in facts.writes() {
        if let Some((owner, tag)) = put_of(write) {
            moves.entry(owner).or_default().asked.push((call, tag));
            owners.extend(write.posts.iter().map(|post| (post.notice.encode(), (owner, tag))));
        }
    }
    // The inboxes have the notices of the puts whose answers are not known.
    let held = facts.snapshot.users.iter();
    let held = held.flat_map(|(user, view)| view.entries.iter().map(|entry| (*user, entry)));
    let told = facts.done().flat_map(|(.., done)| done.appended.iter().map(|told| (told.user, &told.entry)));
    for (user, entry) in held.chain(told) {
        if let Event::Notice(notice @ Notice::Other(_)) = &entry.event
            && let Some((owner, tag)) = owners.get(&notice.encode())
        {
            let moves = moves.entry(*owner).or_default();
            moves.done.insert(*tag.as_bytes());
            moves.order.entry(user).or_default().insert(entry.seq.get(), *tag);
        }
    }
    moves
}

/// The fence that a write puts.
fn put_of(write: &Write) -> Option<(Owner, Tag)> {
    write.changes.iter().find_map(|change| match change {
        Change::Put(Put { key, tag, .. }) if key.is_fence() => Some((key.owner, *tag)),
        _ => None,
    })
}

/// The fences that a send names.
fn named(write: &Write) -> impl Iterator<Item = (Party, Tag)> {
    write.expects.iter().filter_map(|expect| match expect {
        Expect::Fence { of, tag } => Some((*of, *tag)),
        _ => None,
    })
}

/// Whether a message was appended between the put of a tag and the next put.
fn lies_between(moves: &BTreeMap<Owner, Moves<'_>>, sent: &Sent<'_>, of: Party, tag: Tag) -> bool {
    let sender = sent.append.sender.user;
    let entry_of =
        |is_sender: bool| sent.done.appended.iter().find(|told| (told.user == sender) == is_sender);
    let entry = entry_of(of != Party::Peer);
    let Some(entry) = entry else { return false };
    let owner = match of {
        Party::Conversation => Owner::Conversation(sent.append.conversation),
        Party::Sender | Party::Peer => Owner::User(entry.user),
    };
    let Some(moves) = moves.get(&owner) else { return false };
    let (seq, order) = (entry.entry.seq.get(), moves.order.get(&entry.user));
    let order: Vec<_> = order.into_iter().flatten().collect();
    match order.iter().position(|(_, put)| **put == tag) {
        Some(at) => {
            let next = order.get(at + 1).map_or(u64::MAX, |(next, _)| **next);
            (*order[at].0..next).contains(&seq)
        }
        // The notice of a put without an answer may have expired.
        None => moves.asked.iter().any(|(call, asked)| {
            *asked == tag && matches!(call.reply, Reply::Unknown) && !sent.call.before(call)
        }),
    }
}

/// Whether a put may have been refused: its condition was not met at some moment of the call.
fn may_be_unmet(call: &Call, write: &Write, refusal: &Refusal, moves: &BTreeMap<Owner, Moves<'_>>) -> bool {
    let (Some((owner, _)), Refusal::Unmet { which, current }) = (put_of(write), refusal) else {
        return false;
    };
    let current = current.as_ref().map(|current| current.tag);
    let differs = match write.expects.get(*which) {
        Some(Expect::Absent(_)) => current.is_some(),
        Some(Expect::Tagged(_, tag)) => current != Some(*tag),
        _ => false,
    };
    // The present tag is one that a call before the end of this one asked for.
    let asked = current.is_none_or(|current| {
        moves.get(&owner).is_some_and(|moves| {
            moves.asked.iter().any(|(other, tag)| *tag == current && !call.before(other))
        })
    });
    differs && asked
}

/// Whether a fence ends with the tag of its last put.
fn ends_as_put(facts: &Facts<'_>, owner: Owner, moves: &Moves<'_>) -> bool {
    let last = moves.order.values().next().and_then(|order| order.values().next_back());
    let end = facts.snapshot.fences.get(&owner);
    let unknown = |end: &Tag| {
        moves.asked.iter().any(|(call, tag)| {
            tag == end && matches!(call.reply, Reply::Unknown) && !moves.done.contains(tag.as_bytes())
        })
    };
    last == end || end.is_some_and(unknown)
}
