//! The bare SQLite engine. It writes the same rows as the SQLite store, into the same trees, in
//! transactions, without checks and lookups. A store that writes these rows durably in this engine
//! can be faster only with larger batches.

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
    recent: RecentRows,
}

impl EngineSqlite {
    pub(crate) fn open(folder: &Path, options: &Options) -> anyhow::Result<Self> {
        let path = folder.join("engine.db");
        // The store makes the tables.
        drop(SqliteStore::open(&path)?);
        let connection = Connection::open(&path)?;
        connection.set_prepared_statement_cache_capacity(64);
        // The settings are those of the store.
        connection.execute_batch(
            "PRAGMA synchronous = FULL; PRAGMA cache_size = -32768; PRAGMA wal_autocheckpoint = 500; BEGIN;",
        )?;
        for n in 0..options.users {
            connection.execute("INSERT INTO dm_users (pubkey) VALUES (?1)", [user(n).as_bytes()])?;
        }
        connection.execute_batch("COMMIT")?;
        let heads = Heads {
            sent: 0,
            conversations: vec![0; options.conversations],
            inboxes: vec![0; options.users],
            payload: vec![7; options.payload],
            recent: RecentRows::default(),
        };
        Ok(Self(State { connection, heads }.into()))
    }

    /// Stores messages for a span of time, so many per transaction. Latencies are those of
    /// transactions.
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
        self.recent.moved(&transaction, messages)?;
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
        let (seq, at) = (self.conversations[conversation], 1_700_000_000_000 + self.sent as i64);
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
            .prepare_cached("INSERT INTO dm_client_ids (client_id, sender, message) VALUES (?1, ?2, ?3)")?
            .execute(params![client_id.as_bytes(), sender as i64 + 1, message])?;
        let (table, run) = self.recent.table_and_run();
        transaction
            .prepare_cached(&format!(
                "INSERT INTO dm_recent_sequence_{table} (run, conversation, seq, message, at) VALUES (?1, ?2, ?3, ?4, ?5)"
            ))?
            .execute(params![run, conversation as i64, seq, message, at])?;
        self.recent.messages.push((conversation as i64, seq, message));
        for (user, origin) in [(sender, Some("")), (recipient, None)] {
            transaction
                .prepare_cached(&format!(
                    "INSERT INTO dm_recent_inbox_{table} (run, user, seq, at, message, origin, conversation,
                                                          conversation_seq)
                     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)"
                ))?
                .execute(params![
                    run,
                    user as i64 + 1,
                    self.inboxes[user],
                    at,
                    message,
                    origin,
                    conversation as i64,
                    seq
                ])?;
            self.recent.entries.push((user as i64 + 1, self.inboxes[user], at, message, origin));
        }
        Ok(())
    }
}

/// The rows in the small trees, and those of the generation that is being moved, both kept in
/// memory.
#[derive(Default)]
struct RecentRows {
    generation: i64,
    messages: Vec<(i64, i64, i64)>,
    entries: Vec<(i64, i64, i64, i64, Option<&'static str>)>,
    moving_messages: Vec<(i64, i64, i64)>,
    moving_entries: Vec<(i64, i64, i64, i64, Option<&'static str>)>,
}

impl RecentRows {
    /// The number of entries of a generation, and the number of its small trees.
    const ENTRIES: usize = 131_072;
    const RUNS: usize = 16;

    fn table_and_run(&self) -> (i64, i64) {
        let run = self.entries.len() / (Self::ENTRIES / Self::RUNS);
        (self.generation & 1, run.min(Self::RUNS - 1) as i64)
    }

    fn moved(&mut self, transaction: &Transaction<'_>, messages: usize) -> rusqlite::Result<()> {
        let messages = messages + messages / 4;
        let rest = self.moving_messages.len().saturating_sub(messages);
        for (conversation, seq, message) in self.moving_messages.drain(rest..).rev() {
            transaction
                .prepare_cached("INSERT INTO dm_sequence (conversation, seq, message) VALUES (?1, ?2, ?3)")?
                .execute([conversation, seq, message])?;
        }
        let rest = self.moving_entries.len().saturating_sub(2 * messages);
        for (user, seq, at, message, origin) in self.moving_entries.drain(rest..).rev() {
            transaction
                .prepare_cached(
                    "INSERT INTO dm_inbox (user, seq, at, message, notice, origin) VALUES (?1, ?2, ?3, ?4, NULL, ?5)",
                )?
                .execute(params![user, seq, at, message, origin])?;
        }
        if self.entries.len() >= Self::ENTRIES
            && self.moving_entries.is_empty()
            && self.moving_messages.is_empty()
        {
            let table = 1 - (self.generation & 1);
            transaction.execute_batch(&format!(
                "DELETE FROM dm_recent_inbox_{table}; DELETE FROM dm_recent_sequence_{table};"
            ))?;
            self.generation += 1;
            std::mem::swap(&mut self.messages, &mut self.moving_messages);
            std::mem::swap(&mut self.entries, &mut self.moving_entries);
            // Rows are taken from the end.
            self.moving_messages.sort_unstable_by(|a, b| b.cmp(a));
            self.moving_entries.sort_unstable_by(|a, b| b.cmp(a));
        }
        Ok(())
    }
}
