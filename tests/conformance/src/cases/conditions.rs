//! Clause 18, conditions: a write is done if all of them are met, and is refused with the first one
//! that is not.

use std::sync::Arc;

use dm_core::store::{Change, CurrentRecord, Expect, Outcome, RecordKey, Refusal, Store as _, Tag, Write};

use crate::build::{append, append_as, at, name, open, tag};
use crate::records::{
    about, all, byte, kind_of, of_the_store, only, plain, posted, put, put_due, raise, shared, stored, take,
    under,
};
use crate::{Harness, World};

/// The record is named if there is one, with its tag, its due time and its revision.
pub async fn an_absent_record_is_required<H: Harness>(world: World<H>) {
    for key in [plain(1, "a"), about(1, "a"), of_the_store("a"), shared(1, "a")] {
        let absent = || Expect::Absent(key.clone());
        world.done(only(put_due(key.clone(), "first", 1, 6)).expect(absent())).await;
        let current = world.record(key.clone()).await.map(CurrentRecord::from);
        assert!(current.as_ref().is_some_and(|current| current.due == Some(at(6))), "{current:?}");
        let refusal = world.refused(only(put(key.clone(), "second", 2)).expect(absent())).await;
        must_be!(refusal, Refusal::Unmet { which: 0, current });
        world.done(only(Change::Delete(key.clone()))).await;
        world.done(only(put(key.clone(), "third", 3)).expect(absent())).await;
    }
}

/// No record, a record with another tag, and the record with the tag.
pub async fn a_tag_is_required<H: Harness>(world: World<H>) {
    for key in [plain(1, "a"), about(1, "a"), of_the_store("a")] {
        let tagged = |n| Expect::Tagged(key.clone(), tag(n));
        let refusal = world.refused(only(put(key.clone(), "v", 1)).expect(tagged(0))).await;
        must_be!(refusal, Refusal::Unmet { which: 0, current: None });
        world.done(only(put(key.clone(), "v", 1))).await;
        let current = Some(stored(key.clone(), "v", 1, 0).into());
        for other in [tag(2), Tag::from_bytes([0; 16]), Tag::from_bytes([0xff; 16])] {
            let write = only(put(key.clone(), "w", 2)).expect(Expect::Tagged(key.clone(), other));
            must_be!(world.refused(write).await, Refusal::Unmet { which: 0, current: current.clone() });
        }
        world.done(only(put(key.clone(), "w", 2)).expect(tagged(1))).await;
        must_be!(world.value(key.clone()).await, Some("w".into()));
    }
}

/// Tags are compared in all of their bytes.
pub async fn a_tag_that_differs_in_one_byte_is_another<H: Harness>(world: World<H>) {
    let key = plain(1, "a");
    world.done(only(put(key.clone(), "v", 1))).await;
    for index in 0..16 {
        let mut bytes = *tag(1).as_bytes();
        bytes[index] ^= 0x80;
        let write =
            only(put(plain(1, "b"), "v", 1)).expect(Expect::Tagged(key.clone(), Tag::from_bytes(bytes)));
        assert!(matches!(world.refused(write).await, Refusal::Unmet { .. }));
    }
}

/// The present value is named up to 4 KiB.
pub async fn a_long_present_value_is_left_out<H: Harness>(world: World<H>) {
    for (n, len) in [(1, 0), (2, CurrentRecord::MAX_VALUE), (3, CurrentRecord::MAX_VALUE + 1)] {
        world.done(only(put(plain(1, "a"), vec![7; len], n))).await;
        let write = only(put(plain(1, "b"), "v", n)).expect(Expect::Absent(plain(1, "a")));
        let Refusal::Unmet { which: 0, current: Some(current) } = world.refused(write).await else {
            panic!("refused for another reason")
        };
        let expected = (len <= CurrentRecord::MAX_VALUE).then(|| vec![7; len]);
        must_be!((current.value.map(|value| value.to_vec()), current.tag), (expected, tag(n)));
    }
}

/// Zero is never met, and one only without a record.
pub async fn fewer_records_than_a_number_are_required<H: Harness>(world: World<H>) {
    for count in 0..4 {
        for than in 0..6 {
            let outcome = world.one(fewer(plain(1, "k"), than)).await;
            let is_met = count < u64::from(than);
            must_be!(matches!(outcome, Outcome::Done(_)), is_met, "fewer than {than} of {count}");
            if !is_met {
                let Outcome::Refused(refusal) = outcome else { unreachable!() };
                must_be!(refusal, Refusal::Unmet { which: 0, current: None });
            }
        }
        world.done(only(put(plain(1, [b'k', byte(count)]), "v", 1))).await;
    }
}

/// The largest number that a condition can name.
pub async fn fewer_than_1024_records_are_required<H: Harness>(world: World<H>) {
    let key = |n: u16| plain(1, n.to_be_bytes());
    world.commit((0..1_023).map(|n| only(put(key(n), "v", 1))).collect()).await;
    world.done(fewer(plain(1, ""), 1_024)).await;
    world.done(only(put(key(1_023), "v", 1))).await;
    world.refused(fewer(plain(1, ""), 1_024)).await;
    world.refused(fewer(plain(1, ""), 1_000)).await;
    world.done(fewer(plain(1, [0]), 257)).await;
}

/// Neighbours of owner, kind and name do not count.
pub async fn only_records_under_the_prefix_are_counted<H: Harness>(world: World<H>) {
    let owner = plain(1, "").owner;
    let other_kinds = [0, 2].map(|number| RecordKey::new(owner, kind_of(number, false), name("kk")));
    let others =
        [plain(1, b"j\xff"), plain(1, "l"), plain(1, ""), plain(2, "k"), plain(0, "k"), of_the_store("k")];
    world.done(all(others.into_iter().chain(other_kinds).map(|key| put(key, "v", 1)))).await;
    world.done(fewer(plain(1, "k"), 1)).await;
    world.done(all([put(plain(1, "k"), "v", 1), put(plain(1, b"k\xff"), "v", 1)])).await;
    world.refused(fewer(plain(1, "k"), 2)).await;
    world.done(fewer(plain(1, "k"), 3)).await;
}

/// The index of the first one, wherever it is.
pub async fn the_first_condition_that_is_not_met_is_named<H: Harness>(world: World<H>) {
    world.done(only(put(plain(1, "a"), "v", 1))).await;
    let met = || [Expect::Absent(plain(1, "x")), Expect::Tagged(plain(1, "a"), tag(1))].into_iter().cycle();
    let unmet = [
        (Expect::Absent(plain(1, "a")), true),
        (Expect::Tagged(plain(1, "a"), tag(2)), true),
        (Expect::Fewer { under: under(plain(1, "")), than: 1 }, false),
        (Expect::Tagged(plain(1, "x"), tag(1)), false),
    ];
    for (which, (first, has_record)) in [0, 1, 30, 62].into_iter().zip(unmet.clone()) {
        let expects: Vec<_> =
            met().take(which).chain([first]).chain([unmet[(which + 1) % 4].0.clone()]).collect();
        let refusal = world.refused(Write { expects, ..only(put(plain(1, "b"), "v", 1)) }).await;
        let current = has_record.then(|| stored(plain(1, "a"), "v", 1, 0).into());
        must_be!(refusal, Refusal::Unmet { which, current });
    }
    let expects = met().take(64).collect();
    world.done(Write { expects, ..only(put(plain(1, "b"), "v", 1)) }).await;
}

/// Earlier writes of the batch put, raised, deleted, cleared and took the records.
pub async fn conditions_see_what_earlier_writes_of_the_batch_did<H: Harness>(world: World<H>) {
    let key = || plain(1, "a");
    let if_absent = |n: u64| only(put(plain(2, "log"), n.to_string(), n)).expect(Expect::Absent(key()));
    let if_tagged = |n: u64, wanted| {
        only(put(plain(2, "log"), n.to_string(), n)).expect(Expect::Tagged(key(), tag(wanted)))
    };
    let outcomes = world
        .commit(vec![
            if_absent(1),
            only(put(key(), "a", 1)),
            if_absent(2),
            if_tagged(3, 1),
            only(raise(key(), "b", 2)),
            if_tagged(4, 1),
            if_tagged(5, 2),
            only(Change::Delete(key())),
            if_absent(6),
            only(put(key(), "c", 3)),
            fewer(key(), 1),
            only(Change::Clear(under(key()))),
            fewer(key(), 1),
            only(put(key(), "d", 4)),
            only(take(key())),
            if_tagged(7, 4),
            if_absent(8),
        ])
        .await;
    let done: Vec<_> = outcomes.iter().map(|outcome| matches!(outcome, Outcome::Done(_))).collect();
    let refused: Vec<_> = done.iter().zip(0..).filter(|(done, _)| !**done).map(|(_, index)| index).collect();
    must_be!(refused, [2, 5, 10, 15]);
    must_be!(world.value(plain(2, "log")).await, Some("8".into()));
}

/// A condition is about the state before its own write.
pub async fn conditions_do_not_see_their_own_write<H: Harness>(world: World<H>) {
    let write = all([put(plain(1, "a"), "v", 1), put(plain(1, "b"), "v", 1)])
        .expect(Expect::Absent(plain(1, "a")))
        .expect(Expect::Fewer { under: under(plain(1, "")), than: 1 });
    world.done(write).await;
    let write = only(Change::Delete(plain(1, "a"))).expect(Expect::Tagged(plain(1, "a"), tag(1)));
    world.done(write).await;
    must_be!(world.names_under(plain(1, "")).await, [b"b"]);
}

/// An append with changes and posts is not stored, and its neighbours are.
pub async fn an_unmet_append_changes_nothing_and_spares_its_neighbours<H: Harness>(world: World<H>) {
    world
        .commit(vec![open(1, 1, 2), only(put(plain(1, "lock"), "v", 1)), only(put(plain(1, "old"), "v", 1))])
        .await;
    let unmet = |id: u64| {
        Write::from(append_as(1, 1, id, id))
            .expect(Expect::Tagged(plain(1, "lock"), tag(1)))
            .expect(Expect::Absent(plain(1, "lock")))
            .change(put(plain(1, "lock"), "changed", 9))
            .change(put(shared(1, "s"), "changed", 9))
            .change(Change::Delete(plain(1, "old")))
            .post(posted(2, 77))
            .post(posted(3, 77))
    };
    let before = world.snapshot().await;
    world.refused(unmet(1)).await;
    must_be!(world.snapshot().await, before);
    let outcomes =
        world.commit(vec![append(1, 1, 2).into(), unmet(3), append(1, 2, 4).into(), unmet(5)]).await;
    let done: Vec<_> = outcomes.iter().map(|outcome| matches!(outcome, Outcome::Done(_))).collect();
    must_be!(done, [true, false, true, false]);
    must_be!(world.state(1).await.unwrap().head.get(), 2);
    must_be!(world.heads([1, 2, 3]).await, [3, 3, 0]);
    must_be!(world.since(1, 0).await.revisions.head.get(), 0);
    // The refused send did not take its client id.
    assert!(!world.append(append_as(1, 1, 6, 1)).await.is_found);
}

/// Each action may have conditions.
pub async fn every_action_is_refused_for_an_unmet_condition<H: Harness>(world: World<H>) {
    use crate::build::{ack_up_to, expire, forget, on, register, who};
    world.commit(vec![open(1, 1, 2), register(who(2)), only(put(plain(1, "a"), "v", 1))]).await;
    let before = world.snapshot().await;
    for write in [
        open(2, 1, 3),
        append(1, 1, 1).into(),
        register(on(2, "desk")),
        ack_up_to(who(2), 1),
        forget(who(2)),
        expire(9, 100),
        Write::default().post(posted(1, 1)),
    ] {
        let refusal = world.refused(write.expect(Expect::Absent(plain(1, "a")))).await;
        must_be!(
            refusal,
            Refusal::Unmet { which: 0, current: Some(stored(plain(1, "a"), "v", 1, 0).into()) }
        );
    }
    must_be!(world.snapshot().await, before);
}

/// Fifty tasks replace the same record with the same condition: one of them does.
pub async fn of_equal_conditions_at_once_one_is_met<H: Harness>(world: World<H>) {
    for key in [plain(1, "a"), of_the_store("a")] {
        world.done(only(put(key.clone(), "v", 0))).await;
        let write = |n| only(put(key.clone(), "w", n)).expect(Expect::Tagged(key.clone(), tag(0)));
        let outcomes = world.at_once((1..=50).map(|n| vec![write(n)])).await;
        let done = outcomes.iter().zip(1..).filter(|(outcomes, _)| matches!(outcomes[0], Outcome::Done(_)));
        let done: Vec<_> = done.map(|(_, n)| tag(n)).collect();
        must_be!(done.len(), 1);
        must_be!(world.record(key).await.map(|record| record.tag), done.first().copied());
    }
}

/// Fifty tasks add a record while there are fewer than ten.
pub async fn a_limit_of_records_holds_for_tasks_at_once<H: Harness>(world: World<H>) {
    let add = |n: u8| {
        vec![only(put(plain(1, [n]), "v", 1)).expect(Expect::Fewer { under: under(plain(1, "")), than: 10 })]
    };
    world.at_once((0..50).map(add)).await;
    must_be!(world.names_under(plain(1, "")).await.len(), 10);
}

/// The second handle changes the record after the first has read and written it.
pub async fn a_condition_sees_the_commits_of_another_handle<H: Harness>(world: World<H>) {
    let Some(second) = world.second_handle().await.map(Arc::new) else { return };
    for key in [plain(1, "a"), of_the_store("a")] {
        for n in (1..20).step_by(2) {
            world.done(only(put(key.clone(), "first", n))).await;
            second.commit(vec![only(put(key.clone(), "second", n + 1))]).await.unwrap();
            let tagged = |n| Expect::Tagged(key.clone(), tag(n));
            let current = Some(stored(key.clone(), "second", n + 1, 0).into());
            let refusal = world.refused(only(put(key.clone(), "v", 99)).expect(tagged(n))).await;
            must_be!(refusal, Refusal::Unmet { which: 0, current });
            world.done(only(put(key.clone(), "v", 100 + n)).expect(tagged(n + 1))).await;
            second.commit(vec![only(Change::Delete(key.clone()))]).await.unwrap();
            world.done(fewer(key.clone(), 1).expect(Expect::Absent(key.clone()))).await;
        }
    }
}

/// Conditions are about stored records, not about what the handle remembers.
pub async fn conditions_hold_after_reopening<H: Harness>(mut world: World<H>) {
    world.done(all([put(plain(1, "a"), "v", 1), put(plain(1, "b"), "v", 2)])).await;
    world.reopen().await;
    let write = |expect| only(put(plain(2, "log"), "v", 1)).expect(expect);
    world.refused(write(Expect::Absent(plain(1, "a")))).await;
    world.refused(write(Expect::Tagged(plain(1, "a"), tag(2)))).await;
    world.refused(write(Expect::Fewer { under: under(plain(1, "")), than: 2 })).await;
    world.done(write(Expect::Tagged(plain(1, "b"), tag(2)))).await;
}

/// A condition of a write that changes nothing else.
fn fewer(key: RecordKey, than: u16) -> Write {
    Write::default().expect(Expect::Fewer { under: under(key), than })
}
