//! Clause 19, fences: a write that names a fence is done only if the fence has the tag.

use std::sync::Arc;

use dm_core::store::{
    Change, CurrentRecord, Event, InboxEntry, Kind, Outcome, Owner, Party, RecordKey, Refusal, Store as _,
    Tag, Write,
};

use crate::build::{append, conversation, message, name, open, tag, user, who};
use crate::outcome::done;
use crate::records::{
    all, fence, fenced, kind_of, only, posted, put, raise, said, stored, tag_of, take, under,
};
use crate::{Harness, World};

/// The three parties, by their owners when user 1 sends to user 2 in conversation 1.
const PARTIES: [Party; 3] = [Party::Sender, Party::Peer, Party::Conversation];

fn fence_of(party: Party) -> RecordKey {
    match party {
        Party::Sender => fence(1),
        Party::Peer => fence(2),
        Party::Conversation => RecordKey::fence(Owner::Conversation(conversation(1))),
    }
}

/// A send of user 1 that names a fence.
fn send(id: u64, party: Party, n: u64) -> Write {
    Write::from(append(1, 1, id)).expect(fenced(party, n))
}

/// The refusal of a write whose first condition is not met.
fn unmet(current: Option<CurrentRecord>) -> Refusal {
    Refusal::Unmet { which: 0, current }
}

/// No fence, the fence with the tag, and the fence with another one, for each party.
pub async fn a_send_is_done_if_the_named_fence_has_the_tag<H: Harness>(world: World<H>) {
    world.done(open(1, 1, 2)).await;
    for (party, n) in PARTIES.into_iter().zip([10, 20, 30]) {
        must_be!(world.refused(send(n, party, n)).await, unmet(None), "{party:?} without a fence");
        world.done(only(put(fence_of(party), "one", n))).await;
        world.done(send(n, party, n)).await;
        world.done(only(put(fence_of(party), "two", n + 1))).await;
        let current = Some(stored(fence_of(party), "two", n + 1, 0).into());
        must_be!(world.refused(send(n + 2, party, n)).await, unmet(current), "an old tag of {party:?}");
        world.done(send(n + 3, party, n + 1)).await;
    }
}

/// Sender and peer change their roles with the direction of the message.
pub async fn the_parties_are_those_of_the_message<H: Harness>(world: World<H>) {
    world.commit(vec![open(1, 1, 2), only(put(fence(1), "one", 1)), only(put(fence(2), "two", 2))]).await;
    for (id, from, of, n, is_done) in [
        (1, 1, Party::Sender, 1, true),
        (2, 1, Party::Sender, 2, false),
        (3, 1, Party::Peer, 2, true),
        (4, 1, Party::Peer, 1, false),
        (5, 2, Party::Sender, 2, true),
        (6, 2, Party::Sender, 1, false),
        (7, 2, Party::Peer, 1, true),
        (8, 2, Party::Peer, 2, false),
    ] {
        let outcome = world.one(Write::from(append(1, from, id)).expect(fenced(of, n))).await;
        must_be!(matches!(outcome, Outcome::Done(_)), is_done, "message {id}: {outcome:?}");
    }
}

/// All three in one write; the first that is not met is named.
pub async fn a_send_may_name_all_fences<H: Harness>(world: World<H>) {
    world.done(open(1, 1, 2)).await;
    world.done(all(PARTIES.map(|party| put(fence_of(party), "v", 1)))).await;
    let all_of = |id, tags: [u64; 3]| {
        PARTIES
            .into_iter()
            .zip(tags)
            .fold(Write::from(append(1, 1, id)), |write, (party, n)| write.expect(fenced(party, n)))
    };
    world.done(all_of(1, [1, 1, 1])).await;
    for (which, tags) in [[2, 1, 1], [1, 2, 1], [1, 1, 2]].into_iter().enumerate() {
        let current = Some(stored(fence_of(PARTIES[which]), "v", 1, 0).into());
        must_be!(world.refused(all_of(2, tags)).await, Refusal::Unmet { which, current });
    }
    must_be!(world.state(1).await.unwrap().head.get(), 1);
}

/// An opening names the fences of the two users.
pub async fn an_opening_names_the_fences_of_its_users<H: Harness>(world: World<H>) {
    world.done(only(put(fence(2), "v", 5))).await;
    let opening = |n| open(n, 1, 2).expect(fenced(Party::Peer, 5));
    must_be!(world.refused(open(1, 1, 2).expect(fenced(Party::Sender, 5))).await, unmet(None));
    let refusal = world.refused(open(1, 1, 2).expect(fenced(Party::Peer, 6))).await;
    must_be!(refusal, unmet(Some(stored(fence(2), "v", 5, 0).into())));
    must_be!(world.state(1).await, None);
    assert!(!world.done(opening(1)).await.is_found);
    world.done(open(2, 2, 3).expect(fenced(Party::Sender, 5))).await;
}

/// Records with another name or of another kind, and the fences of others.
pub async fn only_the_record_with_the_empty_name_is_a_fence<H: Harness>(world: World<H>) {
    world.done(open(1, 1, 2)).await;
    let owner = Owner::User(user(2));
    for key in [
        RecordKey::new(owner, Kind::FENCE, name("\0")),
        RecordKey::new(owner, Kind::FENCE, name("a")),
        RecordKey::new(owner, kind_of(1, false), name("")),
        RecordKey::new(owner, Kind::KEY_ANNOUNCEMENT, name("")),
        RecordKey::fence(Owner::Store),
        fence(1),
        fence(3),
    ] {
        world.done(only(put(key.clone(), "v", 1))).await;
        must_be!(world.refused(send(1, Party::Peer, 1)).await, unmet(None), "after {key:?}");
    }
    world.done(only(put(fence(2), "v", 1))).await;
    world.done(only(put(RecordKey::new(owner, Kind::FENCE, name("\0")), "v", 2))).await;
    world.done(send(1, Party::Peer, 1)).await;
}

/// Deleted, cleared and taken fences are none; a fence of the empty value is one.
pub async fn a_removed_fence_has_no_tag<H: Harness>(world: World<H>) {
    world.done(open(1, 1, 2)).await;
    let parties = PARTIES.into_iter().flat_map(|party| {
        let key = fence_of(party);
        [Change::Delete(key.clone()), Change::Clear(under(key.clone())), take(key)]
            .map(|removal| (party, removal))
    });
    for (n, (party, removal)) in (1..).zip(parties) {
        let key = || fence_of(party);
        world.done(only(put(key(), "", n))).await;
        world.done(send(n, party, n)).await;
        world.done(only(removal.clone())).await;
        must_be!(world.refused(send(99, party, n)).await, unmet(None), "{party:?}");
        // The same in one batch.
        let batch =
            vec![only(put(key(), "", 70)), send(100 + n, party, 70), only(removal), send(99, party, 70)];
        let outcomes = world.commit(batch).await;
        let refused: Vec<_> = outcomes.iter().map(|outcome| matches!(outcome, Outcome::Refused(_))).collect();
        must_be!(refused, [false, false, false, true]);
    }
}

/// A fence that is raised has the new tag; one that stays has the old one.
pub async fn a_raised_fence_has_the_tag_of_its_record<H: Harness>(world: World<H>) {
    world.done(open(1, 1, 2)).await;
    for (value, n, current) in [("b", 1, 1), ("a", 2, 1), ("c", 3, 3), ("c", 4, 3)] {
        world.done(only(raise(fence(2), value, n))).await;
        world.done(send(n, Party::Peer, current)).await;
        must_be!(tag_of(world.record(fence(2)).await.as_ref()), Some(tag(current)));
    }
}

/// A write may name a fence and replace it: the tag before counts.
pub async fn a_write_may_name_the_fence_that_it_puts<H: Harness>(world: World<H>) {
    world.commit(vec![open(1, 1, 2), only(put(fence_of(Party::Conversation), "v", 1))]).await;
    for n in 1..=3 {
        let write = send(n, Party::Conversation, n).change(put(fence_of(Party::Conversation), "v", n + 1));
        world.done(write).await;
        world.refused(send(9, Party::Conversation, n)).await;
    }
}

/// Sends of one batch see the fences that are put between them.
pub async fn each_send_of_a_batch_sees_the_fences_put_before_it<H: Harness>(world: World<H>) {
    world.done(open(1, 1, 2)).await;
    for (first, party) in [100, 200, 300].into_iter().zip(PARTIES) {
        world.done(only(put(fence_of(party), "v", 1))).await;
        let batch = (1..=20).flat_map(|n| {
            let moved = only(put(fence_of(party), "v", n + 1)).post(posted(2, n));
            [send(first + n, party, n), send(99, party, n + 1), moved]
        });
        let outcomes = world.commit(batch.collect()).await;
        for (n, outcome) in outcomes.into_iter().enumerate() {
            must_be!(matches!(outcome, Outcome::Refused(_)), n % 3 == 1, "{party:?}, write {n}");
        }
    }
}

/// A value beyond 4 KiB is left out of the refusal.
pub async fn the_record_of_a_moved_fence_is_named<H: Harness>(world: World<H>) {
    world.done(open(1, 1, 2)).await;
    for (n, len) in [(1, 4_096), (2, 4_097)] {
        world.done(only(put(fence(2), vec![5; len], n))).await;
        let Refusal::Unmet { which: 0, current: Some(current) } =
            world.refused(send(1, Party::Peer, 9)).await
        else {
            panic!("refused for another reason")
        };
        must_be!(
            (current.value.map(|value| value.len()), current.tag),
            ((len <= 4_096).then_some(len), tag(n))
        );
    }
}

/// The tag is stored with the fence.
pub async fn fences_hold_after_reopening<H: Harness>(mut world: World<H>) {
    world.done(open(1, 1, 2)).await;
    world.done(all(PARTIES.map(|party| put(fence_of(party), "v", 1)))).await;
    world.done(only(put(fence(2), "v", 2))).await;
    world.reopen().await;
    for (id, (party, n)) in (1..).zip(PARTIES.into_iter().zip([1, 2, 1])) {
        world.refused(send(99, party, 3 - n)).await;
        world.done(send(id, party, n)).await;
        world.done(only(Change::Delete(fence_of(party)))).await;
    }
    world.reopen().await;
    for party in PARTIES {
        must_be!(world.refused(send(50, party, 1)).await, unmet(None));
    }
}

/// Between the sends of one handle another one moves and removes the fences.
pub async fn a_fence_moved_by_another_handle_holds_for_the_next_send<H: Harness>(world: World<H>) {
    let Some(second) = world.second_handle().await.map(Arc::new) else { return };
    world.done(open(1, 1, 2)).await;
    for (first, party) in [100, 200, 300].into_iter().zip(PARTIES) {
        let key = || fence_of(party);
        for n in (1..10).step_by(2) {
            world.done(only(put(key(), "v", n))).await;
            world.done(send(first + n, party, n)).await;
            _ = done(second.commit(vec![only(put(key(), "v", n + 1))]).await.unwrap().remove(0));
            let current = Some(stored(key(), "v", n + 1, 0).into());
            must_be!(world.refused(send(98, party, n)).await, unmet(current), "{party:?}");
            world.done(send(first + n + 1, party, n + 1)).await;
            _ = done(second.commit(vec![only(Change::Delete(key()))]).await.unwrap().remove(0));
            must_be!(world.refused(send(99, party, n + 1)).await, unmet(None), "{party:?}");
        }
    }
}

/// Commits whose futures are dropped may have moved the fence; sends agree with what is read.
pub async fn after_a_dropped_commit_the_fence_is_the_one_that_is_read<H: Harness>(world: World<H>) {
    world.commit(vec![open(1, 1, 2), only(put(fence(2), "v", 1)), send(1, Party::Peer, 1)]).await;
    for polls in 1..=6 {
        let moved = vec![only(put(fence(2), "v", 100 + polls)), append(1, 1, 100 + polls).into()];
        super::atomic::dropped_after(polls, world.store().commit(moved)).await;
        for n in [1].into_iter().chain(101..=100 + polls) {
            let before = current_tag(&world).await;
            let outcome = world.one(send(n * 10 + polls, Party::Peer, n)).await;
            let is_done = matches!(outcome, Outcome::Done(_));
            let after = current_tag(&world).await;
            // The dropped commit may still be in progress. If it ends in between, the send sees the
            // one tag or the other.
            if before == after {
                must_be!(is_done, tag(n) == before, "a send with tag {n} after {polls} polls");
            } else if is_done {
                let is_one = [before, after].contains(&tag(n));
                must_be!(is_one, true, "a send with tag {n} after {polls} polls");
            }
        }
    }
}

/// The tag of the fence that the case moves.
async fn current_tag<H: Harness>(world: &World<H>) -> Tag {
    tag_of(world.record(fence(2)).await.as_ref()).expect("a fence")
}

/// One task moves the fence, with a post to the recipient each time; others send. In the
/// recipient's inbox each message is between the posts of its tag.
pub async fn no_send_is_stored_after_its_fence_moved<H: Harness>(world: World<H>) {
    prepare(&world).await;
    let batches = moves().into_iter().map(|write| vec![write]).chain((1..=12).map(sends));
    world.at_once(batches).await;
    messages_are_between_their_posts(&world).await;
}

/// As [`no_send_is_stored_after_its_fence_moved`], with a handle that only moves the fence.
pub async fn no_send_is_stored_after_another_handle_moved_its_fence<H: Harness>(world: World<H>) {
    let Some(second) = world.second_handle().await.map(Arc::new) else { return };
    prepare(&world).await;
    let moves = moves().into_iter().map(|write| vec![write]).collect();
    world.in_step([(world.store(), (1..=12).map(sends).collect()), (second, moves)]).await;
    messages_are_between_their_posts(&world).await;
}

async fn prepare<H: Harness>(world: &World<H>) {
    world.commit(vec![open(1, 1, 2), only(put(fence(2), "v", 0))]).await;
}

/// Moves the fence to the tags 1 to 12, whatever it was.
fn moves() -> Vec<Write> {
    (1..=12).map(|n| only(put(fence(2), "v", n)).post(posted(2, n))).collect()
}

/// One send for each tag. Message `id` names tag `id % 100`.
fn sends(task: u64) -> Vec<Write> {
    (0..=12).map(|n| send(task * 100 + n, Party::Peer, n)).collect()
}

async fn messages_are_between_their_posts<H: Harness>(world: &World<H>) {
    let mut current = 0;
    for InboxEntry { seq, event, .. } in world.inbox(&who(2)).await.entries {
        match event {
            Event::Notice(notice) => current = said(&notice).unwrap_or(current),
            Event::Message(sent) => {
                let named = (100..1_400).find(|id| message(*id) == sent.id).expect("a sent message") % 100;
                must_be!(named, current, "the tag that the message of entry {seq} named");
            }
        }
    }
}
