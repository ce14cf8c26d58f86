//! Random scripts reach every kind of answer and refusal.

use std::collections::BTreeMap;

use dm_core::store::{
    Action, Change, Done, Expect, GateRefusal, MemoryStore, Outcome, Party, Refusal, StoreError, Write,
};
use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::TestRunner;
use proptest_state_machine::ReferenceStateMachine;

use super::generate::Scripts;
use super::{Model, Step};
use crate::Harness;

struct Memory;

impl Harness for Memory {
    type Store = MemoryStore;

    async fn fresh() -> Self {
        Self
    }

    async fn open(&self) -> Result<MemoryStore, StoreError> {
        Ok(MemoryStore::new())
    }
}

/// The kinds of answers that a case of 256 scripts must reach, each at least five times.
const KINDS: [&str; 51] = [
    "none done",
    "open done",
    "append done",
    "acknowledge done",
    "register done",
    "forget done",
    "expire done",
    "none found",
    "open found",
    "append found",
    "register found",
    "forget found",
    "none with conditions",
    "open with conditions",
    "append with conditions",
    "append with changes",
    "append with posts",
    "found with changes",
    "found with posts",
    "refused with changes",
    "refused with posts",
    "put",
    "raise",
    "delete",
    "clear",
    "take",
    "gate",
    "user gate",
    "taken: a record",
    "taken: none",
    "revisions of two users",
    "addressed post",
    "not found",
    "client id reused",
    "closed",
    "ceiling",
    "user closed",
    "user ceiling",
    "too many devices",
    "unknown device",
    "unknown registration",
    "beyond head",
    "invalid",
    "absent unmet",
    "tagged unmet",
    "fewer unmet",
    "sender unmet",
    "peer unmet",
    "conversation unmet",
    "peer met",
    "a later condition unmet",
];

#[test]
fn random_scripts_reach_every_kind_of_answer() {
    let mut reached = BTreeMap::<&str, u32>::new();
    let mut runner = TestRunner::deterministic();
    let scripts = Scripts::<Memory>::sequential_strategy(2..=24_usize);
    for _ in 0..256 {
        let (_, steps, _) = scripts.new_tree(&mut runner).unwrap().current();
        let (mut model, mut now) = (Model::default(), 0);
        for step in steps {
            match step {
                Step::Batch { ops, .. } => {
                    now += 1;
                    for write in ops.iter().map(|op| op.write(now)) {
                        let outcome = model.apply(&write).remove(0);
                        for kind in kinds(&write, &outcome) {
                            *reached.entry(kind).or_default() += 1;
                        }
                    }
                }
                Step::Clock(jump) => now += jump,
                Step::Reopen | Step::Read(_) => {}
            }
        }
    }
    println!("{reached:?}");
    for kind in KINDS {
        let count = reached.get(kind).copied().unwrap_or_default();
        assert!(count >= 5, "{kind}: {count}, of {reached:?}");
    }
}

fn kinds(write: &Write, outcome: &Outcome) -> Vec<&'static str> {
    let mut kinds = Vec::new();
    let mut add = |is_so: bool, kind| kinds.extend(is_so.then_some(kind));
    let (changes, posts) = (!write.changes.is_empty(), !write.posts.is_empty());
    match outcome {
        Outcome::Done(done) if done.is_found => {
            add(changes, "found with changes");
            add(posts, "found with posts");
            kinds.push(found(write));
        }
        Outcome::Done(done) => {
            let (is_append, is_none) =
                (matches!(write.action, Action::AppendMessage(_)), matches!(write.action, Action::None));
            add(is_append && changes, "append with changes");
            add(is_append && posts, "append with posts");
            let conditions = !write.expects.is_empty();
            add(is_append && conditions, "append with conditions");
            add(is_none && conditions, "none with conditions");
            add(matches!(write.action, Action::OpenConversation(_)) && conditions, "open with conditions");
            let names_peer = |expect: &Expect| matches!(expect, Expect::Fence { of: Party::Peer, .. });
            add(write.expects.iter().any(names_peer), "peer met");
            add(write.posts.iter().any(|post| post.addressee.is_some()), "addressed post");
            kinds.push(self::done(write));
            kinds.extend(write.changes.iter().map(change));
            kinds.extend(effects(done));
        }
        Outcome::Refused(refusal) => {
            add(changes, "refused with changes");
            add(posts, "refused with posts");
            add(matches!(refusal, Refusal::Unmet { which: 1.., .. }), "a later condition unmet");
            kinds.push(self::refusal(write, refusal));
        }
    }
    kinds
}

fn effects(done: &Done) -> Vec<&'static str> {
    let taken = |record: &Option<_>| if record.is_some() { "taken: a record" } else { "taken: none" };
    let mut effects: Vec<_> = done.taken.iter().map(taken).collect();
    effects.extend((done.revisions.len() > 1).then_some("revisions of two users"));
    effects
}

fn found(write: &Write) -> &'static str {
    match write.action {
        Action::None => "none found",
        Action::OpenConversation(_) => "open found",
        Action::AppendMessage(_) => "append found",
        Action::RegisterDevice(_) => "register found",
        Action::ForgetDevice(_) => "forget found",
        _ => "another found",
    }
}

fn done(write: &Write) -> &'static str {
    match write.action {
        Action::None => "none done",
        Action::OpenConversation(_) => "open done",
        Action::AppendMessage(_) => "append done",
        Action::Acknowledge(_) => "acknowledge done",
        Action::RegisterDevice(_) => "register done",
        Action::ForgetDevice(_) => "forget done",
        Action::Expire(_) => "expire done",
        _ => "another done",
    }
}

fn change(change: &Change) -> &'static str {
    match change {
        Change::Put(_) => "put",
        Change::Raise(_) => "raise",
        Change::Delete(_) => "delete",
        Change::Clear(_) => "clear",
        Change::TakeFirst { .. } => "take",
        Change::Gate(_) => "gate",
        Change::UserGate(_) => "user gate",
        _ => "another change",
    }
}

fn refusal(write: &Write, refusal: &Refusal) -> &'static str {
    match refusal {
        Refusal::NotFound => "not found",
        Refusal::ClientIdReused => "client id reused",
        Refusal::Gate(GateRefusal::Closed { .. }) => "closed",
        Refusal::Gate(GateRefusal::Ceiling) => "ceiling",
        Refusal::Gate(GateRefusal::UserClosed { .. }) => "user closed",
        Refusal::Gate(GateRefusal::UserCeiling { .. }) => "user ceiling",
        Refusal::TooManyDevices => "too many devices",
        Refusal::UnknownDevice => "unknown device",
        Refusal::UnknownRegistration { .. } => "unknown registration",
        Refusal::BeyondHead { .. } => "beyond head",
        Refusal::Invalid(_) => "invalid",
        Refusal::Unmet { which, .. } => match write.expects.get(*which) {
            Some(Expect::Absent(_)) => "absent unmet",
            Some(Expect::Tagged(..)) => "tagged unmet",
            Some(Expect::Fewer { .. }) => "fewer unmet",
            Some(Expect::Fence { of: Party::Sender, .. }) => "sender unmet",
            Some(Expect::Fence { of: Party::Peer, .. }) => "peer unmet",
            Some(Expect::Fence { of: Party::Conversation, .. }) => "conversation unmet",
            _ => "another unmet",
        },
        _ => "another refusal",
    }
}
