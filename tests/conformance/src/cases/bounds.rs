//! Clause 24, bounds: a write beyond its limits is refused and changes nothing.

use dm_core::store::{
    Change, Expect, GateChange, Kind, Owner, Party, Prefix, Put, Record, RecordKey, Refusal, UserGateChange,
    Write,
};

use crate::build::{append, conversation, expire, name, open, register, synced, tag, user, who};
use crate::records::{all, fenced, gate, only, plain, posted, put, raise, shared, under};
use crate::{Harness, World};

/// Commits a write that must be refused as invalid, beside a neighbour that must be done.
async fn invalid<H: Harness>(world: &World<H>, write: Write, what: &str) {
    let before = world.snapshot().await;
    let refusal = world.refused(write).await;
    assert!(matches!(refusal, Refusal::Invalid(_)), "{what} is refused as {refusal:?}");
    must_be!(world.snapshot().await, before, "after {what}");
}

fn absent(n: u64) -> Expect {
    Expect::Absent(plain(9, n.to_be_bytes()))
}

/// Sixty-four are accepted; one more and ten thousand are refused.
pub async fn a_write_has_at_most_64_conditions<H: Harness>(world: World<H>) {
    let write =
        |count| Write { expects: (0..count).map(absent).collect(), ..only(put(plain(1, "a"), "v", count)) };
    world.done(write(64)).await;
    for count in [65, 10_000] {
        invalid(&world, write(count), &format!("{count} conditions")).await;
    }
}

/// Sixty-four are accepted; one more and a thousand are refused.
pub async fn a_write_has_at_most_64_changes<H: Harness>(world: World<H>) {
    let write = |count: u64| all((0..count).map(|n| put(plain(1, n.to_be_bytes()), "v", count)));
    world.done(write(64)).await;
    must_be!(world.names_under(plain(1, "")).await.len(), 64);
    for count in [65, 1_000] {
        invalid(&world, write(count), &format!("{count} changes")).await;
    }
}

/// 1,024 are accepted; one more and ten thousand are refused.
pub async fn a_write_has_at_most_1024_posts<H: Harness>(world: World<H>) {
    let write =
        |count: u64| Write { posts: (0..count).map(|n| posted(1 + n % 3, n)).collect(), ..Write::default() };
    must_be!(world.done(write(1_024)).await.appended.len(), 1_024);
    for count in [1_025, 10_000] {
        invalid(&world, write(count), &format!("{count} posts")).await;
    }
}

/// 128 KiB are accepted; one byte more and ten times as many are refused.
pub async fn a_value_has_at_most_128_kib<H: Harness>(world: World<H>) {
    let value = |len| vec![9; len];
    world.done(only(put(plain(1, "a"), value(Record::MAX_VALUE), 1))).await;
    world.done(only(raise(plain(1, "b"), value(Record::MAX_VALUE), 1))).await;
    for len in [Record::MAX_VALUE + 1, 10 * Record::MAX_VALUE] {
        invalid(&world, only(put(plain(1, "a"), value(len), 2)), &format!("a value of {len} bytes")).await;
        invalid(&world, only(raise(plain(1, "c"), value(len), 2)), &format!("{len} raised bytes")).await;
    }
}

/// One MiB in all changes is accepted; one byte more is refused.
pub async fn the_values_of_a_write_have_at_most_one_mib<H: Harness>(world: World<H>) {
    let large = || (0..8).map(|n| put(plain(1, [n]), vec![n; Record::MAX_VALUE], 1));
    world.done(all(large())).await;
    must_be!(world.names_under(plain(1, "")).await.len(), 8);
    invalid(&world, all(large().chain([put(plain(1, "x"), "v", 1)])), "one MiB and a byte").await;
}

/// 1,024 is the largest number of records that a condition counts.
pub async fn a_condition_counts_at_most_1024_records<H: Harness>(world: World<H>) {
    let write = |than| Write::default().expect(Expect::Fewer { under: under(plain(1, "")), than });
    world.done(write(1)).await;
    world.done(write(1_024)).await;
    for than in [1_025, u16::MAX] {
        invalid(&world, write(than), &format!("fewer than {than}")).await;
    }
}

/// Also through prefixes, and the same gate.
pub async fn no_key_is_in_two_changes<H: Harness>(world: World<H>) {
    world.done(all([put(plain(1, "a"), "v", 1), put(plain(1, "ab"), "v", 1)])).await;
    let take = |under: Prefix, or: Option<RecordKey>| Change::TakeFirst { under, or };
    let key = |bytes: &str| plain(1, bytes);
    let clear = |bytes: &str| Change::Clear(under(plain(1, bytes)));
    for pair in [
        [put(key("a"), "x", 2), put(key("a"), "y", 3)],
        [put(key("a"), "x", 2), raise(key("a"), "y", 3)],
        [put(key("a"), "x", 2), Change::Delete(key("a"))],
        [Change::Delete(key("a")), Change::Delete(key("a"))],
        [put(key("ab"), "x", 2), clear("a")],
        [put(key("a"), "x", 2), clear("")],
        [Change::Delete(key("ab")), clear("ab")],
        [clear("a"), clear("ab")],
        [clear(""), clear("")],
        [take(under(key("a")), None), put(key("ab"), "x", 2)],
        [take(under(key("a")), None), take(under(key("ab")), None)],
        [take(under(key("a")), Some(key("z"))), put(key("z"), "x", 2)],
        [take(under(key("a")), Some(key("z"))), clear("z")],
        [Change::Gate(gate(1, 2)), Change::Gate(GateChange { close: 1, ..gate(2, 1) })],
        [Change::UserGate(UserGateChange::new(user(1))), Change::UserGate(UserGateChange::new(user(1)))],
    ] {
        let [one, other] = pair;
        invalid(&world, all([one.clone(), other.clone()]), &format!("{one:?} and {other:?}")).await;
        invalid(&world, all([other.clone(), one.clone()]), &format!("{other:?} and {one:?}")).await;
    }
    let gates = [(1, 2), (1, 3), (2, 3)].map(|(one, other)| Change::Gate(gate(one, other)));
    let users = [1, 2].map(|n| Change::UserGate(UserGateChange::new(user(n))));
    world.done(all(gates.into_iter().chain(users))).await;
    let changes =
        [put(plain(2, "a"), "x", 4), put(key("a"), "x", 4), clear("ab"), put(shared(1, "ab"), "x", 4)];
    world.done(all(changes)).await;
}

/// Those of conversations and of the store have no devices to be synced to.
pub async fn synced_records_belong_to_users<H: Harness>(world: World<H>) {
    for owner in [Owner::Conversation(conversation(1)), Owner::Store] {
        let key = || RecordKey::new(owner, synced(), name("a"));
        every_use_of_a_key_is_invalid(&world, key()).await;
    }
}

/// Zero, with and without the bit of synced kinds.
pub async fn kind_zero_is_no_kind<H: Harness>(world: World<H>) {
    for number in [0, 1 << 15] {
        let key = RecordKey::new(Owner::User(user(1)), Kind::from_stored(number), name("a"));
        every_use_of_a_key_is_invalid(&world, key).await;
    }
}

async fn every_use_of_a_key_is_invalid<H: Harness>(world: &World<H>, key: RecordKey) {
    let key = || key.clone();
    for change in [
        put(key(), "v", 1),
        raise(key(), "v", 1),
        Change::Delete(key()),
        Change::Clear(under(key())),
        Change::TakeFirst { under: under(key()), or: None },
        Change::TakeFirst { under: under(plain(1, "")), or: Some(key()) },
    ] {
        invalid(world, only(change.clone()), &format!("{change:?}")).await;
    }
    for expect in
        [Expect::Absent(key()), Expect::Tagged(key(), tag(1)), Expect::Fewer { under: under(key()), than: 1 }]
    {
        let write = only(put(plain(1, "x"), "v", 1)).expect(expect.clone());
        invalid(world, write, &format!("{expect:?}")).await;
    }
}

/// A store keeps kinds that it does not know: a newer version of the library may.
pub async fn kinds_that_are_not_known_yet_are_kept<H: Harness>(world: World<H>) {
    for number in [3, 0x3fff, 0x8001, 0xbfff, 0xffff] {
        let key = RecordKey::new(Owner::User(user(1)), Kind::from_stored(number), name("a"));
        world.done(only(put(key.clone(), "v", 1))).await;
        must_be!(world.value(key).await, Some("v".into()), "kind {number}");
    }
}

/// Only a send and, without a conversation, an opening name fences.
pub async fn only_actions_with_parties_name_fences<H: Harness>(world: World<H>) {
    world.done(open(1, 1, 2)).await;
    for of in [Party::Sender, Party::Peer, Party::Conversation] {
        for write in [Write::default(), register(who(1)), expire(1, 1), only(put(plain(1, "a"), "v", 1))] {
            invalid(&world, write.clone().expect(fenced(of, 1)), &format!("{of:?} of {write:?}")).await;
        }
    }
    invalid(&world, open(2, 1, 3).expect(fenced(Party::Conversation, 1)), "the conversation that is opened")
        .await;
}

/// 1,024 records are cleared at once; one more is refused, and nothing is removed.
pub async fn a_change_clears_at_most_1024_records<H: Harness>(world: World<H>) {
    world.done(open(1, 1, 2)).await;
    for is_synced in [false, true] {
        let key = |n: u16| if is_synced { shared(1, n.to_be_bytes()) } else { plain(1, n.to_be_bytes()) };
        world.commit((0..1_025).map(|n| only(put(key(n), "v", n.into()))).collect()).await;
        let all_of = RecordKey { name: name(""), ..key(0) };
        let before = world.snapshot().await;
        let clear = |key: RecordKey| only(Change::Clear(under(key)));
        must_be!(world.refused(clear(all_of.clone())).await, Refusal::TooManyRecords);
        let id = if is_synced { 2 } else { 1 };
        let write = Write { changes: clear(all_of.clone()).changes, ..append(1, 1, id).into() };
        must_be!(world.refused(write.post(posted(2, 1))).await, Refusal::TooManyRecords);
        must_be!(world.snapshot().await, before);
        if is_synced {
            // Several changes may clear more together.
            let parts = (0..5).map(|byte| under(RecordKey { name: name([byte]), ..key(0) }));
            world.done(all(parts.map(Change::Clear))).await;
        } else {
            world.done(only(Change::Delete(key(9)))).await;
            world.done(clear(all_of.clone())).await;
        }
        must_be!(world.names_under(all_of).await.len(), 0);
    }
}

/// Refused writes of every sort in one batch, between writes that are done.
pub async fn invalid_writes_spare_their_neighbours<H: Harness>(world: World<H>) {
    let too_long = Put::new(plain(1, "long"), vec![1; Record::MAX_VALUE + 1].into(), tag(1));
    let outcomes = world
        .commit(vec![
            open(1, 1, 2),
            only(Change::Put(too_long)),
            append(1, 1, 1).into(),
            Write { expects: vec![absent(1); 65], ..append(1, 1, 2).into() },
            only(put(plain(1, "a"), "v", 1)),
            all([put(plain(1, "b"), "v", 1), put(plain(1, "b"), "w", 2)]),
            append(1, 2, 3).into(),
        ])
        .await;
    let refused: Vec<_> =
        outcomes.iter().map(|o| matches!(o, dm_core::store::Outcome::Refused(Refusal::Invalid(_)))).collect();
    must_be!(refused, [false, true, false, true, false, true, false]);
    must_be!(world.names_under(plain(1, "")).await, [b"a"]);
    must_be!(world.state(1).await.unwrap().head.get(), 2);
}
