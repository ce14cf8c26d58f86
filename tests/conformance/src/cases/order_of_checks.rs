//! Clause 16, order of checks: the first check that fails is the one that the refusal names, and the
//! first change comes after the last check.

use dm_core::store::{Change, Event, Expect, GateRefusal, Notice, Party, Refusal, Write};

use crate::build::{ack_up_to, append, append_as, open, register, who};
use crate::outcome::sent;
use crate::records::{
    all, fence, fenced, gate_bits, only, plain, posted, posted_to, put, revision_of, said, shared, take,
    under, user_gate,
};
use crate::{Harness, World};

/// A write that no store accepts, whatever is stored.
fn invalid(write: impl Into<Write>) -> Write {
    let expects = vec![Expect::Absent(plain(9, "none")); Write::MAX_EXPECTS + 1];
    Write { expects, ..write.into() }
}

/// A condition that is not met.
fn unmet() -> Expect {
    Expect::Tagged(plain(9, "none"), crate::build::tag(1))
}

fn is_unmet(refusal: &Refusal) -> bool {
    matches!(refusal, Refusal::Unmet { .. })
}

/// Also before a missing conversation, a repeated send and a closed gate.
pub async fn an_invalid_write_is_refused_before_all_else<H: Harness>(world: World<H>) {
    world
        .commit(vec![open(1, 1, 2), append_as(1, 1, 1, 1).into(), gate_bits(1, 2, 1, 0), register(who(1))])
        .await;
    let before = world.snapshot().await;
    for write in [
        Write::from(append(9, 1, 9)),
        append_as(1, 1, 1, 1).into(),
        append_as(1, 1, 2, 1).into(),
        append(1, 1, 9).into(),
        open(2, 2, 1),
        register(who(1)),
        ack_up_to(who(2), 99),
    ] {
        let refusal = world.refused(invalid(write.clone())).await;
        assert!(matches!(refusal, Refusal::Invalid(_)), "{write:?} is refused as {refusal:?}");
    }
    must_be!(world.snapshot().await, before);
}

/// A missing or foreign conversation and an unknown device, before conditions.
pub async fn what_does_not_exist_comes_before_the_conditions<H: Harness>(world: World<H>) {
    world.commit(vec![open(1, 1, 2), gate_bits(1, 3, 1, 0), user_gate(3, true)]).await;
    for (n, from) in [(9, 1), (1, 3)] {
        let write = Write::from(append(n, from, 1)).expect(fenced(Party::Peer, 1)).expect(unmet());
        must_be!(world.refused(write.post(posted_to(2, 9, 1))).await, Refusal::NotFound);
    }
    must_be!(world.refused(ack_up_to(who(2), 1).expect(unmet())).await, Refusal::UnknownDevice);
}

/// A repeat, and a client id that was used for something else.
pub async fn a_repeat_comes_before_the_gates_and_the_conditions<H: Harness>(world: World<H>) {
    world.commit(vec![open(1, 1, 2), append_as(1, 1, 1, 1).into()]).await;
    world.commit(vec![gate_bits(1, 2, 1, 0), user_gate(1, true)]).await;
    let with_all = |id| {
        let write = Write::from(append_as(1, 1, id, 1)).expect(unmet()).expect(fenced(Party::Peer, 1));
        write.post(posted_to(2, 9, 1))
    };
    assert!(world.append(with_all(1)).await.is_found);
    must_be!(world.refused(with_all(2)).await, Refusal::ClientIdReused);
    assert!(world.done(open(2, 2, 1).expect(unmet())).await.is_found);
}

/// Sends and openings.
pub async fn the_gates_come_before_the_conditions<H: Harness>(world: World<H>) {
    world.commit(vec![open(1, 1, 2), gate_bits(1, 2, 1, 0), gate_bits(3, 4, 2, 0)]).await;
    let closed = |bits| Refusal::Gate(GateRefusal::Closed { bits });
    let write = Write::from(append(1, 1, 1)).expect(unmet()).expect(fenced(Party::Peer, 1));
    must_be!(world.refused(write.post(posted_to(2, 9, 1))).await, closed(1));
    must_be!(world.refused(open(2, 3, 4).expect(fenced(Party::Peer, 1))).await, closed(2));
    world.done(gate_bits(1, 2, 0, 1)).await;
    assert!(is_unmet(&world.refused(Write::from(append(1, 1, 1)).expect(unmet())).await));
}

/// That of the pair first, then the sender's, then the recipient's.
pub async fn the_gates_are_checked_in_their_order<H: Harness>(world: World<H>) {
    world.done(open(1, 1, 2)).await;
    world.commit(vec![gate_bits(1, 2, 1, 0), user_gate(1, true), user_gate(2, true)]).await;
    let closed_user = |n| Refusal::Gate(GateRefusal::UserClosed { user: crate::build::user(n) });
    for from in [1, 2] {
        let refusal = world.refused(append(1, from, 1).into()).await;
        must_be!(refusal, Refusal::Gate(GateRefusal::Closed { bits: 1 }));
    }
    world.done(gate_bits(1, 2, 0, 1)).await;
    for from in [1, 2] {
        must_be!(world.refused(append(1, from, 1).into()).await, closed_user(from));
    }
    world.done(user_gate(2, false)).await;
    must_be!(world.refused(append(1, 2, 1).into()).await, closed_user(1));
}

/// The conditions in their order, whatever their kinds.
pub async fn the_conditions_are_checked_in_their_order<H: Harness>(world: World<H>) {
    world.commit(vec![open(1, 1, 2), only(put(fence(2), "v", 1)), only(put(plain(1, "a"), "v", 1))]).await;
    let conditions = [
        fenced(Party::Peer, 2),
        Expect::Absent(plain(1, "a")),
        unmet(),
        Expect::Fewer { under: under(plain(1, "")), than: 1 },
    ];
    let met = || Expect::Absent(plain(1, "x"));
    for first in 0..4 {
        let expects: Vec<_> =
            (0..4).map(|n| conditions[(first + n) % 4].clone()).flat_map(|unmet| [met(), unmet]).collect();
        let refusal = world.refused(Write { expects, ..append(1, 1, 1).into() }).await;
        let Refusal::Unmet { which: 1, current } = refusal else { panic!("not the first one: {refusal:?}") };
        must_be!(current.is_some(), first < 2, "the record of condition {first}");
    }
}

/// An unknown registration and too many records to clear, after the conditions.
pub async fn the_conditions_come_before_addressees_and_cleared_records<H: Harness>(world: World<H>) {
    world.commit((0..1_025_u16).map(|n| only(put(plain(1, n.to_be_bytes()), "v", 1))).collect()).await;
    let clear = || Write::default().change(Change::Clear(under(plain(1, ""))));
    let post = || Write::default().post(posted_to(1, 1, 1));
    for write in [clear(), post()] {
        assert!(is_unmet(&world.refused(write.expect(unmet())).await));
    }
    must_be!(world.refused(clear()).await, Refusal::TooManyRecords);
    must_be!(world.refused(post()).await, Refusal::UnknownRegistration { which: 0 });
}

/// The last check refuses a write with an action, changes and posts.
pub async fn a_write_refused_by_its_last_check_changed_nothing<H: Harness>(world: World<H>) {
    world.commit(vec![open(1, 1, 2), register(who(2)), only(put(plain(1, "k"), "v", 1))]).await;
    let before = world.snapshot().await;
    let write = Write::from(append_as(1, 1, 1, 1))
        .expect(Expect::Absent(plain(1, "a")))
        .change(put(shared(1, "s"), "v", 1))
        .change(put(fence(1), "v", 1))
        .change(take(plain(1, "k")))
        .post(posted(2, 1))
        .post(posted_to(2, 1, 2))
        .post(posted_to(2, 2, 3));
    must_be!(world.refused(write.clone()).await, Refusal::UnknownRegistration { which: 2 });
    must_be!(world.snapshot().await, before);
    let Some((_, posts)) = write.posts.split_last() else { unreachable!() };
    assert!(!world.append(Write { posts: posts.to_vec(), ..write.clone() }).await.is_found);
}

/// The message has the first number, then come the posts in their order.
pub async fn the_action_comes_before_the_posts_and_these_keep_their_order<H: Harness>(world: World<H>) {
    let posts: Vec<_> = (1..=20).map(|n| posted(1 + n % 2, n)).collect();
    let write = Write { posts: posts.clone(), ..open(1, 1, 2) };
    let appended = world.done(write).await.appended;
    must_be!(appended.len(), 22);
    for n in [1, 2] {
        let entries = world.inbox(&who(n)).await.entries;
        assert!(matches!(entries[0].event, Event::Notice(Notice::ConversationOpened(_))), "{entries:?}");
        let numbers: Vec<_> = entries.iter().filter_map(|entry| number(&entry.event)).collect();
        must_be!(numbers, (1..=20).filter(|number| 1 + number % 2 == n).collect::<Vec<_>>());
    }
    let numbers: Vec<_> = appended.iter().filter_map(|hint| number(&hint.entry.event)).collect();
    must_be!(numbers, (1..=20).collect::<Vec<_>>());
    let write = Write { posts, ..append(1, 1, 1).into() };
    let outcome = world.commit(vec![write]).await.remove(0);
    let appended = sent(outcome).appended;
    must_be!(appended.iter().take(2).filter(|hint| hint.entry.message().is_some()).count(), 2);
    must_be!(appended.len(), 22);
}

/// Each change of a synced record takes the next revision, in the order of the changes.
pub async fn the_changes_are_made_in_their_order<H: Harness>(world: World<H>) {
    let names = ["d", "a", "c", "b"];
    let done = world.done(all(names.map(|name| put(shared(1, name), "v", 1)))).await;
    must_be!(revision_of(&done.revisions, 1), Some(4));
    let records = world.since(1, 0).await.records;
    must_be!(crate::records::names(&records), names.map(str::as_bytes));
    let done = world
        .done(all([put(shared(1, "z"), "v", 1), take(shared(1, "d")), put(shared(1, "e"), "v", 1)]))
        .await;
    must_be!(revision_of(&done.revisions, 1), Some(7));
    must_be!(world.since(1, 4).await.records.iter().map(|r| r.revision.get()).collect::<Vec<_>>(), [5, 7]);
}

/// A write forgets a device and posts to it: the check of the addressee came before.
pub async fn an_addressee_is_checked_before_the_action<H: Harness>(world: World<H>) {
    world.done(register(who(1))).await;
    world.done(crate::build::forget(who(1)).post(posted_to(1, 1, 1))).await;
    must_be!(world.heads([1]).await, [1]);
    let refusal = world.refused(register(who(1)).post(posted_to(1, 2, 1))).await;
    must_be!(refusal, Refusal::UnknownRegistration { which: 0 });
    must_be!(world.devices(1).await, []);
}

fn number(event: &Event) -> Option<u64> {
    match event {
        Event::Notice(notice) => said(notice),
        Event::Message(_) => None,
    }
}
