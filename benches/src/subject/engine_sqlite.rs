//! SQLite alone: the rows that the SQLite store writes for a message, in transactions, without any check or look-up.
//! Nothing that stores these rows durably in this engine can be faster by more than its batches are larger.

use std::path::Path;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use dm_store_sqlite::SqliteStore;
use rusqlite::{Connection, Transaction, params};

use crate::measure::{Measured, histogram, nanos};
use crate::options::Options;
use crate::people::{pick, user, uuid_v7};

pub(crate) struct EngineSqlite(Mutex<State>);

struct State {
    connection: Connection,
    heads: Heads,
}

/// The newest numbers.
struct Heads {
    sent: usize,
    conversations: Vec<i64>,
    inboxes: Vec<i64>,
    payload: Vec<u8>,
}

impl EngineSqlite {
    pub(crate) fn open(folder: &Path, options: &Options) -> anyhow::Result<Self> {
        let path = folder.join("engine.db");
        // For its tables.
        drop(SqliteStore::open(&path)?);
        let connection = Connection::open(&path)?;
        connection.set_prepared_statement_cache_capacity(64);
        let cache = -64 * 1024;
        connection.execute_batch(&format!(
            "PRAGMA synchronous = FULL; PRAGMA cache_size = {cache}; PRAGMA wal_autocheckpoint = 4000; BEGIN;"
        ))?;
        for n in 0..options.users {
            connection.execute("INSERT INTO dm_users (pubkey) VALUES (?1)", [user(n).as_bytes()])?;
        }
        connection.execute_batch("COMMIT")?;
        let heads = Heads {
            sent: 0,
            conversations: vec![0; options.conversations],
            inboxes: vec![0; options.users],
            payload: vec![7; options.payload],
        };
        Ok(Self(State { connection, heads }.into()))
    }

    /// Stores messages for a span of time, so many per transaction. Latencies are those of transactions.
    pub(crate) fn send(&self, batch: usize, span: Duration) -> Measured {
        let mut state = self.0.lock().expect("nobody panicked");
        let State { connection, heads } = &mut *state;
        let (began, mut calls, mut latency) = (Instant::now(), 0, histogram());
        while began.elapsed() < span {
            let asked = Instant::now();
            heads.transaction(connection, batch).expect("it is stored");
            latency.saturating_record(nanos(asked.elapsed()));
            calls += batch as u64;
        }
        Measured { calls, took: began.elapsed(), latency }
    }

    pub(crate) fn preload(&self, messages: usize) {
        let mut state = self.0.lock().expect("nobody panicked");
        let State { connection, heads } = &mut *state;
        for _ in 0..messages.div_ceil(1_000) {
            heads.transaction(connection, 1_000).expect("it is stored");
        }
    }
}

impl Heads {
    fn transaction(&mut self, connection: &mut Connection, messages: usize) -> rusqlite::Result<()> {
        let transaction = connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
        for _ in 0..messages {
            self.message(&transaction)?;
        }
        transaction.commit()
    }

    fn message(&mut self, transaction: &Transaction<'_>) -> rusqlite::Result<()> {
        let conversation = pick(self.sent, self.conversations.len());
        let users = self.inboxes.len();
        let sender = conversation % users;
        let recipient = (sender + 1 + conversation / users) % users;
        self.sent += 1;
        self.conversations[conversation] += 1;
        self.inboxes[sender] += 1;
        self.inboxes[recipient] += 1;
        let (seq, at) = (self.conversations[conversation], self.sent as i64);
        let client_id = uuid_v7();
        transaction
            .prepare_cached(
                "INSERT INTO dm_messages (id, conversation, seq, sender, sender_seq, recipient_seq, client_id, sent_at,
                                          received_at, suite, nonce, ephemeral, payload)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?8, NULL, ?9, NULL, ?10)",
            )?
            .execute(params![
                uuid_v7().as_bytes(),
                conversation as i64,
                seq,
                sender as i64 + 1,
                self.inboxes[sender],
                self.inboxes[recipient],
                client_id.as_bytes(),
                at,
                [7_u8; 24],
                self.payload,
            ])?;
        let message = transaction.last_insert_rowid();
        transaction
            .prepare_cached(
                "INSERT INTO dm_sequence (conversation, seq, message, at) VALUES (?1, ?2, ?3, ?4)",
            )?
            .execute(params![conversation as i64, seq, message, at])?;
        transaction
            .prepare_cached("INSERT INTO dm_client_ids (client_id, sender, message) VALUES (?1, ?2, ?3)")?
            .execute(params![client_id.as_bytes(), sender as i64 + 1, message])?;
        for (user, origin) in [(sender, Some("")), (recipient, None)] {
            transaction
                .prepare_cached(
                    "INSERT INTO dm_inbox (user, seq, at, message, notice, origin) VALUES (?1, ?2, ?3, ?4, NULL, ?5)",
                )?
                .execute(params![user as i64 + 1, self.inboxes[user], at, message, origin])?;
        }
        Ok(())
    }
}
