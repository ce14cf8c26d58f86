//! A test that SQLite plans each statement only once. The reason is given at
//! [`CACHED_STATEMENTS`](crate::connection::CACHED_STATEMENTS).

use std::num::NonZeroUsize;
use std::path::Path;

use dm_conformance::build::{
    ack_entries, ack_messages, ack_up_to, append, append_as, at, conversation, expire, forget, kind, name,
    naming, on, open, publish, put, record, register, synced, user, who,
};
use dm_core::store::{
    Change, ConversationOrder, ConversationsQuery, EngineWriter as _, Expect, GateChange, HistoryQuery,
    HistoryRange, InboxQuery, InboxSeq, Kind, Name, OwnEntries, Owner, Participants, Prefix, Record,
    RecordKey, Registration, Revision, Scan, ScanQuery, ServerSequence, UserGateChange, Write,
};
use rusqlite::Connection;

use super::{conversations, history, inbox, records};
use crate::config::SqliteConfig;
use crate::connection::CACHED_STATEMENTS;
use crate::database::Database;
use crate::recent::activity::RunTimes;
use crate::schema;
use crate::table_prefix::TablePrefix;
use crate::write::Writer;

/// The number of users. Conversation *n* is between user *n* and the next one.
const USERS: u64 = 4;

/// Opens a connection with the settings of the store.
fn connect(path: &Path) -> Database {
    let connection = Connection::open(path).unwrap();
    connection.set_prepared_statement_cache_capacity(CACHED_STATEMENTS);
    connection.execute_batch("PRAGMA journal_mode = WAL").unwrap();
    Database::new(connection, TablePrefix::default())
}

/// Creates a file, and fills its main tables and all its runs by writes of each kind. Returns the
/// writer, whose statements the test checks as well.
fn create_filled_file(path: &Path) -> Writer {
    // On another connection, because a migration makes SQLite plan its own statements again.
    schema::migrate(&connect(path)).unwrap();
    let config = SqliteConfig { recent_entries: NonZeroUsize::new(32).unwrap(), ..SqliteConfig::default() };
    let mut writer = Writer::new(connect(path), &config).unwrap();
    for n in 1..=USERS {
        let devices = [register(who(n)), publish(n, 1, 1), publish(n, 2, 2)];
        writer.commit([vec![open(n, n, n % USERS + 1)], devices.into()].concat()).unwrap();
    }
    for id in 1..200 {
        let n = id % USERS + 1;
        let acknowledged = [ack_entries(who(n), [id / 4]), ack_messages(who(n), [id / 2])];
        writer.commit([vec![append(n, n, id).into()], acknowledged.into()].concat()).unwrap();
        if id % 20 == 0 {
            let repeated = append_as(n, n, 2_000 + id, id);
            let refused = naming(append_as(n, n, 1_000 + id, 1_000 + id), 77);
            let others = [expire(id / 2, 3), publish(n, 3, id), repeated.clone().into(), repeated.into()];
            writer.commit([record_writes(id / 20 % USERS + 1, id), vec![refused]].concat()).unwrap();
            let devices = [register(on(n, "other")), ack_up_to(on(n, "other"), id / 8)];
            writer
                .commit(others.into_iter().chain(devices).chain([forget(on(n, "other"))]).collect())
                .unwrap();
        }
    }
    writer
}

fn under(n: u64, kind: Kind, prefix: &[u8]) -> Prefix {
    Prefix { owner: Owner::User(user(n)), kind, name: name(prefix) }
}

fn key_of(n: u64, kind: Kind, name: Name) -> RecordKey {
    RecordKey::new(Owner::User(user(n)), kind, name)
}

/// Writes of records, of gates and of posts by user `n`.
fn record_writes(n: u64, id: u64) -> Vec<Write> {
    let numbered = |kind| key_of(n, kind, name(id.to_be_bytes()));
    let due = |key| Record { due: Some(at(id)), ..record(key, "value", id) };
    let about = key_of(n, synced(), conversation(n).into());
    let write = Write::default;
    let gate = |other| GateChange { close: 2, ..GateChange::new(pair(n, other)) };
    let opened = |other| GateChange { open: 2, ..GateChange::new(pair(n, other)) };
    let next = n % USERS + 1;
    let conversation_fence = RecordKey::fence(Owner::Conversation(conversation(n)));
    let mut post = dm_conformance::build::post(n, id);
    post.posts.iter_mut().for_each(|post| post.addressee = Some(Registration::new(1)));
    vec![
        put(due(numbered(kind()))),
        put(due(key_of(n, kind(), Name::EMPTY))),
        put(record(numbered(synced()), "value", id)),
        put(record(conversation_fence.clone(), "value", id)),
        write().change(Change::Delete(conversation_fence)),
        write().expect(Expect::Fewer { under: under(n, kind(), &[0]), than: 9 }),
        write().change(Change::TakeFirst { under: under(n, synced(), &[0]), or: None }),
        write().change(Change::Clear(under(n, synced(), &id.to_be_bytes()))),
        write().change(Change::Gate(gate(next))).change(Change::Gate(opened(50 + n))),
        write().change(Change::Gate(opened(next))).change(Change::Gate(gate(50 + n))),
        write()
            .change(Change::UserGate(UserGateChange { close: Some(true), ..UserGateChange::new(user(n)) })),
        write()
            .change(Change::UserGate(UserGateChange { close: Some(false), ..UserGateChange::new(user(n)) })),
        put(record(about, "value", id)),
        post,
    ]
}

fn pair(one: u64, other: u64) -> Participants {
    Participants::new(user(one), user(other)).unwrap()
}

/// Reads records of user `n` in each way.
fn read_records(connection: &Database, n: u64) {
    let about = key_of(n, synced(), conversation(n).into());
    records::record(connection, &about).unwrap().unwrap();
    let after = Some((at(60), about));
    for scan in [
        Scan::Under { prefix: under(n, kind(), &[0]), after: None },
        Scan::Under { prefix: under(n, kind(), &[]), after: Some(name(60_u64.to_be_bytes())) },
        Scan::Since { user: user(n), revision: Revision::ZERO },
        Scan::Since { user: user(n), revision: Revision::new(2) },
        Scan::Due { kind: kind(), until: at(1_000), after: None },
        Scan::Due { kind: kind(), until: at(150), after },
    ] {
        let page = records::scan(connection, &ScanQuery { scan, limit: 2, max_bytes: 10_000 }).unwrap();
        assert!(!page.records.is_empty(), "user {n}");
    }
}

/// Runs each write and each read with several values, and checks that SQLite planned no statement
/// again because of another value.
#[test]
fn no_statement_is_planned_again() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("dm.db");
    let writer = create_filled_file(&path);
    let connection = connect(&path);
    let run_times = RunTimes::default();
    for n in 1..=USERS {
        read_records(&connection, n);
        inbox::devices(&connection, user(n)).unwrap();
        inbox::depth(&connection, &who(n)).unwrap();
        inbox::inbox_heads(&connection, &[user(n), user(n % USERS + 1)]).unwrap();
        conversations::conversation(&connection, conversation(n)).unwrap().unwrap();
        for order in [
            ConversationOrder::Active { after: None },
            ConversationOrder::Opened { after: None },
            ConversationOrder::Opened { after: Some(conversation(n - 1)) },
        ] {
            let page = ConversationsQuery { user: user(n), order, kinds: vec![synced()], limit: 2 };
            conversations::conversations(&connection, &run_times, &page).unwrap();
        }
        for number in [0, 3, 40] {
            for range in [
                HistoryRange::Newest,
                HistoryRange::Before(ServerSequence::new(number + n)),
                HistoryRange::After(ServerSequence::new(number + n)),
            ] {
                let query = HistoryQuery {
                    conversation: conversation(n),
                    reader: user(n),
                    range,
                    limit: 10,
                    max_bytes: 10_000,
                };
                history::history(&connection, &query).unwrap().unwrap();
            }
            for own in [OwnEntries::Skip, OwnEntries::Include, OwnEntries::ReceivedOnly] {
                let query = InboxQuery {
                    who: who(n),
                    after: InboxSeq::new(number + n),
                    own,
                    limit: 10,
                    max_bytes: 10_000,
                };
                inbox::inbox(&connection, &query).unwrap();
            }
        }
    }
    for (database, what) in [(&connection, "read"), (writer.connection(), "write")] {
        assert_eq!(database.replanned_statements(), Vec::<String>::new(), "statements that {what}");
        let count = database.prepared_statements().len();
        assert!(count <= CACHED_STATEMENTS, "{count} statements that {what}");
    }
}

/// SQLite finds the rows of each statement by an index, and sorts none of them.
#[test]
fn records_and_conversations_in_the_order_of_opening_are_read_in_the_order_of_an_index() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("dm.db");
    create_filled_file(&path);
    let connection = connect(&path);
    read_records(&connection, 1);
    let order = ConversationOrder::Opened { after: None };
    let query = ConversationsQuery { user: user(1), order, kinds: vec![synced()], limit: 2 };
    conversations::conversations(&connection, &RunTimes::default(), &query).unwrap();
    for sql in connection.prepared_statements() {
        let mut plan = connection.connection().prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
        let mut steps = plan.raw_query();
        while let Some(row) = steps.next().unwrap() {
            let step: String = row.get(3).unwrap();
            let is_slow = step.contains("TEMP B-TREE") || step.starts_with("SCAN dm_");
            assert!(!is_slow || sql.contains("dm_merge"), "{sql}\n{step}");
        }
    }
}
