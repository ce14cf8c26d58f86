//! Fences that do not fit the messages that name them.

use dm_core::store::{Expect, InboxSeq, Owner, Party};

use super::{after, outcome};
use crate::build::{self, message, user};
use crate::histories::Finding;

#[test]
fn a_fence_that_does_not_end_as_it_was_put_is_named() {
    let owner = Owner::User(user(1));
    let findings = after(|_, snapshot| _ = snapshot.fences.insert(owner, build::tag(1)));
    assert_eq!(findings, [Finding::WrongFence(owner)]);
    let findings = after(|_, snapshot| _ = snapshot.fences.remove(&owner));
    assert_eq!(findings, [Finding::WrongFence(owner)]);
    let findings = after(|_, snapshot| _ = snapshot.fences.insert(owner, build::tag(3)));
    assert!(findings.iter().any(|finding| matches!(finding, Finding::Phantom(_))), "{findings:?}");
}

#[test]
fn a_fenced_message_outside_its_puts_is_named() {
    // The send names the tag of the later put, or one that nobody put.
    for tag in [2, 3] {
        let findings = after(|history, _| {
            history.calls[4].writes[0].expects =
                vec![Expect::Fence { of: Party::Peer, tag: build::tag(tag) }];
        });
        assert_eq!(findings, [Finding::StaleFence(message(4))]);
    }
    // The message comes after the next put.
    let findings = after(|history, snapshot| {
        let swap = |seq: InboxSeq| match seq.get() {
            7 => InboxSeq::new(8),
            8 => InboxSeq::new(7),
            _ => seq,
        };
        for call in [4, 7] {
            let own = outcome(history, call).appended.iter_mut().filter(|told| told.user == user(1));
            own.for_each(|told| told.entry.seq = swap(told.entry.seq));
        }
        let view = snapshot.users.get_mut(&user(1)).unwrap();
        view.entries.iter_mut().for_each(|entry| entry.seq = swap(entry.seq));
        view.entries.sort_by_key(|entry| entry.seq);
        history.reads.clear();
    });
    assert!(findings.contains(&Finding::StaleFence(message(4))), "{findings:?}");
}
