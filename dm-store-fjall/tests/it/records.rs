//! Records, fences and gates of stores that share a database, and records that are taken.

use std::path::Path;

use dm_conformance::build::{kind, name, naming, publish, put, record};
use dm_core::store::*;
use dm_store_fjall::{FjallConfig, FjallStore};
use fjall::Database;

use crate::common::{open, user};

/// Two stores in one database.
fn two_stores(folder: &Path) -> [FjallStore; 2] {
    let database = Database::builder(folder).open().unwrap();
    [(); 2].map(|()| FjallStore::from_database(database.clone(), &FjallConfig::default()).unwrap())
}

fn send(id: u64, version: u32) -> Write {
    naming(dm_conformance::build::append(1, 1, id), version)
}

fn close_gate(close: u8, open: u8) -> Write {
    let pair = Participants::new(user(1), user(2)).unwrap();
    Write::default().change(Change::Gate(GateChange { close, open, ..GateChange::new(pair) }))
}

#[tokio::test]
async fn a_send_sees_the_fence_and_the_gate_that_another_store_of_the_database_changed() {
    let folder = tempfile::tempdir().unwrap();
    let [one, other] = two_stores(folder.path());
    one.commit(vec![open(1, 1, 2), publish(2, 1, 1)]).await.unwrap();
    for round in 1..=20_u8 {
        let version = u32::from(round);
        let id = 10 * u64::from(round);
        let sent = one.commit(vec![send(id, version)]).await.unwrap();
        let Outcome::Done(sent) = &sent[0] else { panic!("{sent:?}") };
        let Answer::MessageAppended(sent) = &sent.answer else { panic!("{sent:?}") };
        // The other store sends the second message of each round.
        assert_eq!(sent.message.sender_sequence.get(), 2 * u64::from(round) - 1);
        other.commit(vec![publish(2, round + 1, 1), close_gate(4, 0)]).await.unwrap();
        let refused = one.commit(vec![send(id + 1, version), send(id + 2, version + 1)]).await.unwrap();
        let closed = Refusal::Gate(GateRefusal::Closed { bits: 4 });
        for outcome in &refused {
            assert!(matches!(outcome, Outcome::Refused(refusal) if *refusal == closed), "{outcome:?}");
        }
        other.commit(vec![close_gate(0, 4)]).await.unwrap();
        let refused = one.commit(vec![send(id + 3, version)]).await.unwrap();
        assert!(matches!(&refused[0], Outcome::Refused(Refusal::Unmet { which: 0, .. })), "{refused:?}");
        other.commit(vec![send(id + 4, version + 1)]).await.unwrap();
    }
}

fn key(n: u64) -> RecordKey {
    RecordKey::new(Owner::User(user(1)), kind(), name(format!("{n:06}")))
}

fn take() -> Write {
    let under = Prefix { owner: Owner::User(user(1)), kind: kind(), name: name("") };
    Write::default().change(Change::TakeFirst { under, or: None })
}

#[tokio::test]
async fn records_are_taken_in_order_by_stores_of_one_database() {
    const COUNT: u64 = 1_000;
    let folder = tempfile::tempdir().unwrap();
    let stores = two_stores(folder.path());
    let puts = |numbers: std::ops::Range<u64>| numbers.map(|n| put(record(key(n), "", n))).collect();
    stores[0].commit(puts(1..COUNT)).await.unwrap();
    let mut next = 1;
    while next < COUNT {
        for store in &stores {
            for outcome in store.commit(vec![take(); 20]).await.unwrap() {
                let Outcome::Done(done) = outcome else { panic!("{outcome:?}") };
                let taken = done.taken.into_iter().next().flatten().map(|record| record.key);
                assert_eq!(taken, (next < COUNT).then(|| key(next)));
                next += 1;
            }
        }
        // A record that comes before all others is seen by both stores.
        let (putting, taking) = (&stores[(next % 2) as usize], &stores[(next % 3 % 2) as usize]);
        putting.commit(vec![put(record(key(0), "", 0))]).await.unwrap();
        let outcome = taking.commit(vec![take()]).await.unwrap().remove(0);
        let Outcome::Done(done) = outcome else { panic!("{outcome:?}") };
        assert_eq!(done.taken[0].as_ref().map(|record| record.key.clone()), Some(key(0)));
    }
}
