//! Clause 29, scans: exactly the records that a scan names, in its order.

use dm_core::store::{Change, Owner, Record, RecordKey, Scan, ScanQuery};

use crate::build::{at, conversation, kind, name, user};
use crate::records::{
    about, all, due_time, kind_of, names, of_the_store, only, plain, put, put_due, raise, scan_due,
    scan_under, shared, take, under,
};
use crate::{Harness, World};

/// Names at the ends of the order of bytes, and names that start others.
const NAMES: [&[u8]; 11] =
    [b"", b"\0", b"a", b"a\0", b"aa", b"a\xff", b"a\xff\xff", b"b", b"\xfe", b"\xff", b"\xff\xff"];

/// Each prefix, with the neighbours of owner and kind stored.
pub async fn a_scan_has_the_records_under_its_prefix<H: Harness>(world: World<H>) {
    let owners =
        [Owner::User(user(1)), Owner::User(user(2)), Owner::Conversation(conversation(1)), Owner::Store];
    for owner in owners {
        for kind in [kind_of(0, false), kind_of(1, false), kind_of(2, false)] {
            world.done(all(NAMES.map(|bytes| put(RecordKey::new(owner, kind, name(bytes)), bytes, 1)))).await;
        }
    }
    for owner in owners {
        for prefix in NAMES {
            let key = RecordKey::new(owner, kind_of(1, false), name(prefix));
            let page = world.scan(scan_under(under(key), None, 100)).await;
            let mut expected: Vec<_> = NAMES.into_iter().filter(|name| name.starts_with(prefix)).collect();
            expected.sort_unstable();
            must_be!(names(&page.records), expected, "under {prefix:x?} of {owner:?}");
            must_be!(page.has_more, false);
            must_be!(page.records.iter().all(|record| record.key.owner == owner), true);
        }
    }
}

/// Names that exist, do not exist, are before the prefix and beyond it.
pub async fn a_scan_starts_after_a_name<H: Harness>(world: World<H>) {
    world.done(all(NAMES.map(|bytes| put(plain(1, bytes), "v", 1)))).await;
    let afters = [&b""[..], b"\0", b"a", b"a\0", b"a\0z", b"a\xff\xff", b"b", b"c", b"\xff", b"\xff\xff\xff"];
    for prefix in [&b""[..], b"a", b"a\xff", b"\xff"] {
        for after in afters {
            let page = world.scan(scan_under(under(plain(1, prefix)), Some(name(after)), 100)).await;
            let is_there = |name: &&[u8]| name.starts_with(prefix) && *name > after;
            let mut expected: Vec<_> = NAMES.into_iter().filter(is_there).collect();
            expected.sort_unstable();
            must_be!(names(&page.records), expected, "under {prefix:x?} after {after:x?}");
        }
    }
}

/// Pages of several sizes; only the last one has no more.
pub async fn pages_of_names_join_to_the_whole<H: Harness>(world: World<H>) {
    let key = |n: u16| plain(1, [b"k", n.to_be_bytes().as_slice()].concat());
    world.commit((0..300).map(|n| only(put(key(n), "v", n.into()))).collect()).await;
    world.done(all([put(plain(1, "j"), "v", 1), put(plain(1, "l"), "v", 1)])).await;
    let whole: Vec<_> = (0..300).map(|n| key(n).name.as_bytes().to_vec()).collect();
    let prefix = under(plain(1, "k"));
    for limit in [1, 7, 100, 299, 300, 301] {
        let next = |last: &Record| Scan::Under { prefix: prefix.clone(), after: Some(last.key.name.clone()) };
        let records = world.in_pages(scan_under(prefix.clone(), None, limit), next).await;
        must_be!(names(&records), whole, "pages of {limit}");
    }
    must_be!(world.scan(scan_under(prefix.clone(), None, 300)).await.has_more, false);
    must_be!(world.scan(scan_under(prefix, None, 299)).await.has_more, true);
}

/// The cost of records, and a record that alone exceeds the bound.
pub async fn a_page_of_records_keeps_its_bound_in_bytes<H: Harness>(world: World<H>) {
    for n in 0..6 {
        let value = vec![n; 1_000];
        world.done(all([put_due(plain(1, [n]), &value, 1, 5), put_due(shared(1, [n]), &value, 1, 5)])).await;
    }
    let cost = 1_000 + 192;
    let scans = [
        Scan::Under { prefix: under(plain(1, "")), after: None },
        Scan::Since { user: user(1), revision: Default::default() },
        Scan::Due { kind: kind(), until: at(9), after: None },
    ];
    for scan in scans {
        for (max_bytes, count) in
            [(0, 1), (1, 1), (cost, 1), (2 * cost - 1, 1), (2 * cost, 2), (6 * cost, 6), (usize::MAX, 6)]
        {
            let page = world.scan(ScanQuery { scan: scan.clone(), limit: 100, max_bytes }).await;
            must_be!(
                (page.records.len(), page.has_more),
                (count, count < 6),
                "{scan:?} in {max_bytes} bytes"
            );
        }
    }
}

/// Up to a time, which is included; of all owners and no other kind.
pub async fn a_scan_has_the_records_that_are_due<H: Harness>(world: World<H>) {
    let other_kind = RecordKey::new(Owner::User(user(1)), kind_of(2, false), name("x"));
    world
        .done(all([
            put_due(plain(1, "c"), "v", 1, 30),
            put_due(about(1, "b"), "v", 1, 10),
            put_due(of_the_store("a"), "v", 1, 20),
            put_due(plain(2, "d"), "v", 1, 0),
            put_due(plain(2, "e"), "v", 1, u64::MAX),
            put_due(other_kind, "v", 1, 15),
            put_due(shared(1, "s"), "v", 1, 15),
            put(plain(1, "never"), "v", 1),
        ]))
        .await;
    for (until, expected) in [
        (0, vec!["d"]),
        (9, vec!["d"]),
        (10, vec!["d", "b"]),
        (29, vec!["d", "b", "a"]),
        (30, vec!["d", "b", "a", "c"]),
        (u64::MAX - 1, vec!["d", "b", "a", "c"]),
        (u64::MAX, vec!["d", "b", "a", "c", "e"]),
    ] {
        let page = world.scan(scan_due(kind(), until, None, 100)).await;
        let expected: Vec<_> = expected.into_iter().map(str::as_bytes).collect();
        must_be!(names(&page.records), expected, "due until {until}");
    }
    must_be!(world.scan(scan_due(kind_of(9, false), u64::MAX, None, 100)).await.records, []);
    must_be!(world.scan(scan_due(crate::build::synced(), 15, None, 100)).await.records.len(), 1);
}

/// Equal times are in the order of the keys, and pages go on within them.
pub async fn pages_of_due_records_join_to_the_whole<H: Harness>(world: World<H>) {
    let owners = [of_the_store(""), about(1, ""), about(0, ""), plain(2, ""), plain(1, "")];
    let mut keys = Vec::new();
    for n in 0..60_u8 {
        let key = RecordKey { name: name([n % 7, n]), ..owners[usize::from(n) % 5].clone() };
        keys.push((u64::from(n % 4), key.clone()));
        world.done(only(put_due(key, "v", 1, u64::from(n % 4)))).await;
    }
    keys.sort_unstable();
    for limit in [1, 2, 7, 59, 60, 61] {
        let next = |last: &Record| {
            let after = due_time(last).map(|(due, key)| (at(due), key));
            Scan::Due { kind: kind(), until: at(3), after }
        };
        let records = world.in_pages(scan_due(kind(), 3, None, limit), next).await;
        must_be!(records.iter().filter_map(due_time).collect::<Vec<_>>(), keys, "pages of {limit}");
    }
}

/// The position need not be that of a record.
pub async fn a_scan_of_due_records_starts_after_a_position<H: Harness>(world: World<H>) {
    let put = |name: &str, due| put_due(plain(1, name), "v", 1, due);
    world.done(all([put("b", 5), put("d", 5), put("a", 6), put("c", 4)])).await;
    for (after, expected) in [
        ((0, plain(9, "z")), "cbda"),
        ((4, plain(1, "c")), "bda"),
        ((4, plain(1, "bz")), "cbda"),
        ((5, plain(1, "")), "bda"),
        ((5, plain(1, "b")), "da"),
        ((5, plain(1, "c")), "da"),
        ((5, plain(1, "d")), "a"),
        ((5, of_the_store("z")), "a"),
        ((6, plain(1, "a")), ""),
        ((u64::MAX, plain(1, "a")), ""),
    ] {
        let page = world.scan(scan_due(kind(), 9, Some(after.clone()), 100)).await;
        must_be!(names(&page.records).concat(), expected.as_bytes(), "after {after:?}");
    }
}

/// A moved record is found under its new time only; one that is due no more is not found.
pub async fn a_record_is_found_under_its_present_due_time<H: Harness>(world: World<H>) {
    let due = async |until| names(&world.scan(scan_due(kind(), until, None, 100)).await.records).concat();
    world.done(all(["a", "b", "c", "d", "e"].map(|name| put_due(plain(1, name), "v", 1, 10)))).await;
    world.done(only(put_due(plain(1, "a"), "v", 2, 20))).await;
    world.done(only(put(plain(1, "b"), "v", 2))).await;
    world.done(only(Change::Delete(plain(1, "c")))).await;
    world.done(only(take(plain(1, "d")))).await;
    must_be!(due(10).await, b"e");
    must_be!(due(20).await, b"ea");
    world.done(only(put_due(plain(1, "a"), "v", 3, 5))).await;
    must_be!(due(9).await, b"a");
    must_be!(due(99).await, b"ae");
    let Change::Put(moved) = put_due(plain(1, "e"), "w", 4, 50) else { unreachable!() };
    world.done(only(Change::Raise(moved))).await;
    must_be!(due(49).await, b"a");
    world.done(only(raise(plain(1, "e"), "x", 5))).await;
    must_be!(due(99).await, b"a");
    world.done(only(Change::Clear(under(plain(1, ""))))).await;
    must_be!(due(99).await, b"");
}

/// Moved, removed and put again within one batch.
pub async fn due_times_change_within_a_batch<H: Harness>(world: World<H>) {
    let put = |name: &str, n, due| only(put_due(plain(1, name), "v", n, due));
    world.done(put("a", 1, 10)).await;
    world
        .commit(vec![
            put("a", 2, 20),
            put("a", 3, 30),
            put("b", 1, 10),
            put("b", 2, 5),
            put("c", 1, 10),
            only(Change::Delete(plain(1, "c"))),
            put("d", 1, 10),
            only(take(plain(1, "d"))),
            put("d", 2, 40),
            put("e", 1, 10),
            only(Change::Clear(under(plain(1, "e")))),
        ])
        .await;
    let records = world.scan(scan_due(kind(), 100, None, 100)).await.records;
    let found: Vec<_> = records.iter().filter_map(due_time).collect();
    must_be!(found, [(5, plain(1, "b")), (30, plain(1, "a")), (40, plain(1, "d"))]);
}

/// As nodes do with jobs: each due record is claimed by one of many tasks, by moving its due time.
pub async fn a_due_record_is_claimed_once<H: Harness>(world: World<H>) {
    use dm_core::store::{Expect, Outcome};
    world.commit((0..8).map(|n| only(put_due(plain(n, "job"), "v", n, 10))).collect()).await;
    let jobs = world.scan(scan_due(kind(), 10, None, 100)).await.records;
    let claim = |node: u64| {
        let jobs = jobs.iter().map(move |job| {
            only(put_due(job.key.clone(), "claimed", 100 + node, 20))
                .expect(Expect::Tagged(job.key.clone(), job.tag))
        });
        jobs.collect::<Vec<_>>()
    };
    let outcomes = world.at_once((0..10).map(claim)).await;
    let claimed = outcomes.iter().flatten().filter(|outcome| matches!(outcome, Outcome::Done(_))).count();
    must_be!(claimed, 8);
    must_be!(world.scan(scan_due(kind(), 19, None, 100)).await.records, []);
    must_be!(world.scan(scan_due(kind(), 20, None, 100)).await.records.len(), 8);
}

/// Scans that name nothing.
pub async fn a_scan_without_records_is_an_empty_page<H: Harness>(world: World<H>) {
    world.done(all([put(plain(2, "b"), "v", 1), put(plain(4, "b"), "v", 1)])).await;
    for query in [
        scan_under(under(plain(3, "")), None, 10),
        scan_under(under(plain(2, "c")), None, 10),
        scan_due(kind(), u64::MAX, None, 10),
        crate::records::scan_since(3, 0, 10),
    ] {
        let page = world.scan(query.clone()).await;
        must_be!((page.records, page.has_more), (Vec::new(), false), "{query:?}");
    }
}

/// Whole scans after the last handle was dropped.
pub async fn scans_find_the_same_after_reopening<H: Harness>(mut world: World<H>) {
    world.done(all(NAMES.map(|bytes| put_due(plain(1, bytes), bytes, 1, bytes.len() as u64)))).await;
    world.done(all([put_due(plain(1, "a"), "v", 2, 99), put(plain(1, "b"), "v", 2)])).await;
    let scans = [scan_under(under(plain(1, "")), None, 100), scan_due(kind(), 98, None, 100)];
    let mut before = Vec::new();
    for scan in &scans {
        before.push(world.scan(scan.clone()).await.records);
    }
    must_be!(before.iter().map(Vec::len).collect::<Vec<_>>(), [NAMES.len(), NAMES.len() - 2]);
    world.reopen().await;
    for (scan, before) in scans.into_iter().zip(before) {
        must_be!(world.scan(scan).await.records, before);
    }
}
