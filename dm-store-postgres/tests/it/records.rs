//! Records, fences and gates on PostgreSQL: the rows that a send writes, and several nodes that
//! write records at the same time.

use dm_conformance::build::{append, conversation, kind, name, open, publish, put, record, tag, user};
use dm_conformance::outcome;
use dm_core::store::{
    Ceiling, Change, Expect, Gate, GateChange, Kind, Outcome, Owner, Participants, Party, Prefix, RecordKey,
    Refusal, Scan, ScanQuery, SenderSequence, Store, Update, UserGateChange, Write,
};
use dm_store_postgres::PostgresStore;
use dm_test_servers::postgres::Database;

use crate::common::harness::fresh;

/// Counts the rows that are written from now on, by table and kind of change.
fn count_writes(database: &Database) {
    database.sql(
        "CREATE TABLE public.written (what text);
         CREATE FUNCTION public.write_down() RETURNS trigger LANGUAGE plpgsql AS
             'BEGIN INSERT INTO public.written VALUES (lower(TG_OP) || '' '' || TG_TABLE_NAME); RETURN NULL; END';
         DO $$ DECLARE t text; BEGIN
             FOR t IN SELECT tablename FROM pg_tables WHERE schemaname = 'dm' LOOP
                 EXECUTE format('CREATE TRIGGER written AFTER INSERT OR UPDATE OR DELETE ON dm.%I FOR EACH ROW
                                 EXECUTE FUNCTION public.write_down()', t);
             END LOOP;
         END $$",
    );
}

/// The rows that were written since the last call.
fn written(database: &Database) -> String {
    database.sql(
        "WITH gone AS (DELETE FROM public.written RETURNING what),
              counted AS (SELECT what || ' ' || count(*) AS what FROM gone GROUP BY gone.what)
         SELECT string_agg(what, ', ' ORDER BY what) FROM counted",
    )
}

#[tokio::test]
async fn a_send_that_names_fences_and_passes_gates_writes_no_further_row() {
    let database = fresh();
    let store = PostgresStore::open(&database.parameters()).await.unwrap();
    let pair = Participants::new(user(1), user(2)).unwrap();
    let ceiling = Ceiling { messages: SenderSequence::new(100), bytes: 10_000 };
    let mut gate = GateChange::new(pair);
    (gate.ceiling_a, gate.ceiling_b) = (Update::Set(ceiling), Update::Set(ceiling));
    let user_gate =
        UserGateChange { ceiling: Update::Set(dm_core::InboxSeq::new(100)), ..UserGateChange::new(user(2)) };
    let gates = Write::default().change(Change::Gate(gate)).change(Change::UserGate(user_gate));
    let epoch = RecordKey::fence(Owner::Conversation(conversation(1)));
    // The first send puts the conversation into the node's cache.
    let writes =
        vec![gates, open(1, 1, 2), publish(2, 1, 1), put(record(epoch, "e", 7)), append(1, 1, 1).into()];
    assert!(store.commit(writes).await.unwrap().iter().all(|o| matches!(o, Outcome::Done(_))));

    count_writes(&database);
    let send = "insert inbox 2, insert messages 1, update commits 1, update conversations 1, update users 2";
    store.commit(vec![append(1, 1, 2).into()]).await.unwrap();
    assert_eq!(written(&database), send);
    let fenced = Write::from(append(1, 2, 3))
        .expect(Expect::Fence { of: Party::Sender, tag: dm_conformance::build::version(1).tag() })
        .expect(Expect::Fence { of: Party::Conversation, tag: tag(7) });
    assert!(!outcome::sent(store.commit(vec![fenced]).await.unwrap().remove(0)).is_found);
    assert_eq!(written(&database), send);
    // A refused send lowers the reserved numbers again, and the next one gets them.
    let refused = Write::from(append(1, 1, 4)).expect(Expect::Fence { of: Party::Peer, tag: tag(9) });
    let refused = store.commit(vec![refused]).await.unwrap().remove(0);
    let Outcome::Refused(Refusal::Unmet { which: 0, current: Some(current) }) = refused else {
        panic!("{refused:?}");
    };
    assert_eq!(current.value, Some(dm_conformance::build::published(2, 1, 1).to_record().value));
    let state = store.conversation(conversation(1)).await.unwrap().unwrap();
    assert_eq!((state.head.get(), state.counts.total()), (3, 3));
    let next = outcome::sent(store.commit(vec![append(1, 1, 5).into()]).await.unwrap().remove(0));
    assert_eq!((next.message.sequence.get(), next.message.sender_sequence.get()), (4, 3));
    let side = pair.side(user(2)).unwrap();
    let state = store.conversation(conversation(1)).await.unwrap().unwrap();
    assert_eq!(state.counts.side(side).seen.get(), 2, "user 2 had seen two messages when it sent");
}

#[tokio::test]
async fn a_gate_set_before_the_conversation_moves_into_its_row() {
    let database = fresh();
    let store = PostgresStore::open(&database.parameters()).await.unwrap();
    let pair = Participants::new(user(1), user(2)).unwrap();
    let ceiling = Ceiling { messages: SenderSequence::new(1), bytes: 100 };
    let change = GateChange {
        ceiling_a: Update::Set(ceiling),
        ceiling_b: Update::Set(ceiling),
        ..GateChange::new(pair)
    };
    store.commit(vec![Write::default().change(Change::Gate(change))]).await.unwrap();
    assert_eq!(database.sql("SELECT count(*) FROM dm.gates"), "1");
    let outcomes = store.commit(vec![open(1, 1, 2), append(1, 1, 1).into(), append(1, 1, 2).into()]).await;
    let outcomes = outcomes.unwrap();
    assert!(matches!(outcomes[1..], [Outcome::Done(_), Outcome::Refused(Refusal::Gate(_))]), "{outcomes:?}");
    let rows = "SELECT (SELECT count(*) FROM dm.gates), (SELECT gate IS NOT NULL FROM dm.conversations)";
    assert_eq!(database.sql(rows), "0|t");
    let remove = GateChange { ceiling_a: Update::Remove, ceiling_b: Update::Remove, ..change };
    assert_eq!(remove.apply(change.apply(Gate::default())), Gate::default());
    store.commit(vec![Write::default().change(Change::Gate(remove))]).await.unwrap();
    assert_eq!(database.sql(rows), "0|f");
}

/// The owners of the records in the next test: users, a conversation of two of them, one that does
/// not exist, and the store.
fn owners() -> Vec<Owner> {
    let users = (1..=4).map(|n| Owner::User(user(n)));
    users.chain([1, 9].map(|n| Owner::Conversation(conversation(n)))).chain([Owner::Store]).collect()
}

fn all_of(owner: Owner, kind: Kind) -> Prefix {
    Prefix { owner, kind, name: name("") }
}

#[tokio::test(flavor = "multi_thread")]
async fn nodes_that_write_records_in_opposite_orders_keep_bounds_and_cause_no_deadlock() {
    const ROUNDS: u64 = 25;
    const BOUND: u16 = 20;
    let database = fresh();
    let mut stores = Vec::new();
    for _ in 0..3 {
        stores.push(PostgresStore::open(&database.parameters()).await.unwrap());
    }
    stores[0].commit(vec![open(1, 1, 2), open(2, 3, 4)]).await.unwrap();
    let taken_kind = Kind::custom(2, false).unwrap();
    let tasks: Vec<_> = stores
        .iter()
        .cloned()
        .zip(0_u64..)
        .flat_map(|(store, node)| (0..2).map(move |lane| (store.clone(), node * 2 + lane)))
        .map(|(store, task)| {
            tokio::spawn(async move {
                let mut taken = 0;
                for round in 0..ROUNDS {
                    let id = task * ROUNDS + round;
                    let mut batch: Vec<Write> = owners()
                        .into_iter()
                        .map(|owner| {
                            let key = RecordKey::new(owner, kind(), name(id.to_be_bytes()));
                            put(record(key, "v", id))
                                .expect(Expect::Fewer { under: all_of(owner, kind()), than: BOUND })
                        })
                        .collect();
                    let job = RecordKey::new(Owner::Store, taken_kind, name(id.to_be_bytes()));
                    batch.push(put(record(job, "job", id)));
                    batch.push(append(1 + id % 2, 1 + 2 * (id % 2), 1_000 + id).into());
                    if task % 2 == 1 {
                        batch.reverse();
                    }
                    let take = Change::TakeFirst { under: all_of(Owner::Store, taken_kind), or: None };
                    batch.push(Write::default().change(take));
                    for outcome in store.commit(batch).await.unwrap() {
                        match outcome {
                            Outcome::Done(done) => taken += done.taken.iter().flatten().count(),
                            Outcome::Refused(refusal) => {
                                assert!(matches!(refusal, Refusal::Unmet { .. }), "{refusal:?}");
                            }
                        }
                    }
                }
                taken
            })
        })
        .collect();
    let mut taken = 0;
    for task in tasks {
        taken += task.await.unwrap();
    }
    assert_eq!(taken as u64, 6 * ROUNDS, "each batch takes a record that no other takes");
    for owner in owners() {
        let scan = Scan::Under { prefix: all_of(owner, kind()), after: None };
        let page = stores[0].scan(ScanQuery { scan, limit: 1_000, max_bytes: 1 << 20 }).await.unwrap();
        assert_eq!(page.records.len(), usize::from(BOUND), "{owner:?}");
    }
    let scan = Scan::Under { prefix: all_of(Owner::Store, taken_kind), after: None };
    let left = stores[0].scan(ScanQuery { scan, limit: 1, max_bytes: 1_000 }).await.unwrap();
    assert!(left.records.is_empty());
    let deadlocks = format!("SELECT deadlocks FROM pg_stat_database WHERE datname = '{}'", database.name());
    assert_eq!(database.sql(&deadlocks), "0");
}
