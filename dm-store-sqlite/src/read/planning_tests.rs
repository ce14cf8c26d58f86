//! A test that SQLite plans each statement only once. The reason is given at
//! [`CACHED_STATEMENTS`](crate::connection::CACHED_STATEMENTS).

use std::num::NonZeroUsize;
use std::path::Path;

use dm_conformance::build::{
    ack_entries, ack_messages, ack_up_to, announce, append, conversation, expire, forget, on, open, publish,
    register, user, who,
};
use dm_core::store::{
    ConversationsQuery, EngineWriter as _, HistoryQuery, HistoryRange, InboxQuery, InboxSeq, OwnEntries,
    ServerSequence,
};
use rusqlite::Connection;

use super::{conversations, history, inbox, key};
use crate::config::SqliteConfig;
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
    connection.set_prepared_statement_cache_capacity(crate::connection::CACHED_STATEMENTS);
    connection.execute_batch("PRAGMA journal_mode = WAL").unwrap();
    Database::new(connection, TablePrefix::default())
}

/// Creates a file, and fills its main tables and all its runs by writes of each kind. Returns the
/// writer, whose statements the test checks as well.
fn create_filled_file(path: &Path) -> Writer {
    let database = connect(path);
    schema::migrate(&database).unwrap();
    let config = SqliteConfig { recent_entries: NonZeroUsize::new(32).unwrap(), ..SqliteConfig::default() };
    let mut writer = Writer::new(database, &config).unwrap();
    for n in 1..=USERS {
        let devices = [register(who(n)), publish(n, 1, 1), publish(n, 2, 2)];
        writer.commit([vec![open(n, n, n % USERS + 1)], devices.into()].concat()).unwrap();
    }
    for id in 1..200 {
        let n = id % USERS + 1;
        let acknowledged = [ack_entries(who(n), [id / 4]), ack_messages(who(n), [id / 2])];
        writer.commit([vec![append(n, n, id).into()], acknowledged.into()].concat()).unwrap();
        if id % 20 == 0 {
            let others = [expire(id / 2, 3), publish(n, 3, id), announce(1, id)];
            let devices = [register(on(n, "other")), ack_up_to(on(n, "other"), id / 8)];
            writer
                .commit(others.into_iter().chain(devices).chain([forget(on(n, "other"))]).collect())
                .unwrap();
        }
    }
    writer
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
        key(&connection, user(n)).unwrap().unwrap();
        inbox::devices(&connection, user(n)).unwrap();
        inbox::depth(&connection, &who(n)).unwrap();
        inbox::inbox_heads(&connection, &[user(n), user(n % USERS + 1)]).unwrap();
        conversations::conversation(&connection, conversation(n)).unwrap().unwrap();
        let page = ConversationsQuery { user: user(n), after: None, limit: 2 };
        conversations::conversations(&connection, &run_times, &page).unwrap();
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
    assert_eq!(connection.replanned_statements(), Vec::<String>::new(), "statements that read");
    assert_eq!(writer.connection().replanned_statements(), Vec::<String>::new(), "statements that write");
}
