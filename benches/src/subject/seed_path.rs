//! The path of the seed record: one connection behind a mutex, every statement in its own
//! transaction, four statements per message, UUIDv7 ids as text and keys as text.

use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use rusqlite::{Connection, params};

use crate::options::Options;
use crate::people::{pick, user, uuid_v7};

pub(crate) struct SeedPath {
    connection: Mutex<Connection>,
    /// Conversation, sender and recipient.
    chats: Vec<(String, String, String)>,
    payload: Vec<u8>,
    sent: AtomicUsize,
}

impl SeedPath {
    pub(crate) fn open(folder: &Path, options: &Options) -> anyhow::Result<Self> {
        let connection = Connection::open(folder.join("seed.db"))?;
        connection.execute_batch(
            "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;
             CREATE TABLE dm_conversations (id TEXT PRIMARY KEY, participant_a TEXT, participant_b TEXT, created_at INTEGER,
                                            last_message_at INTEGER, sequence INTEGER NOT NULL DEFAULT 0,
                                            UNIQUE (participant_a, participant_b));
             CREATE TABLE dm_messages (id TEXT PRIMARY KEY, conversation_id TEXT REFERENCES dm_conversations (id), sender TEXT,
                                       payload BLOB, nonce BLOB, timestamp INTEGER, server_sequence INTEGER);
             CREATE INDEX dm_messages_by_conversation ON dm_messages (conversation_id, server_sequence);
             CREATE TABLE dm_offline_queue (id TEXT PRIMARY KEY, recipient TEXT, message_id TEXT REFERENCES dm_messages (id),
                                            queued_at INTEGER, delivered_at INTEGER);
             CREATE INDEX dm_offline_by_recipient ON dm_offline_queue (recipient, queued_at);
             BEGIN;",
        )?;
        let mut chats = Vec::with_capacity(options.conversations);
        for n in 0..options.conversations {
            let one = n % options.users;
            let chat = (
                uuid_v7().to_string(),
                user(one).to_string(),
                user((one + 1 + n / options.users) % options.users).to_string(),
            );
            connection.execute(
                "INSERT INTO dm_conversations (id, participant_a, participant_b, created_at) VALUES (?1, ?2, ?3, 1)",
                params![chat.0, chat.1, chat.2],
            )?;
            chats.push(chat);
        }
        connection.execute_batch("COMMIT")?;
        let payload = vec![7; options.payload];
        Ok(Self { connection: connection.into(), chats, payload, sent: AtomicUsize::new(0) })
    }

    /// Stores one message: four statements, three of which wait for the disk.
    pub(crate) fn send(&self) {
        let connection = self.connection.lock().expect("nobody panicked");
        self.store(&connection).expect("it is stored");
    }

    /// Stores messages in large transactions, because this is not measured.
    pub(crate) fn preload(&self, messages: usize) {
        let connection = self.connection.lock().expect("nobody panicked");
        for _ in 0..messages.div_ceil(1_000) {
            connection.execute_batch("BEGIN").expect("it begins");
            (0..1_000).for_each(|_| self.store(&connection).expect("it is stored"));
            connection.execute_batch("COMMIT").expect("it commits");
        }
    }

    fn store(&self, connection: &Connection) -> rusqlite::Result<()> {
        let n = self.sent.fetch_add(1, Ordering::Relaxed);
        let (conversation, sender, recipient) = &self.chats[pick(n, self.chats.len())];
        let id = uuid_v7().to_string();
        connection
            .prepare_cached("SELECT participant_a, participant_b FROM dm_conversations WHERE id = ?1")?
            .query_row([conversation], |row| Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?)))?;
        let sequence: i64 = connection
            .prepare_cached(
                "UPDATE dm_conversations SET sequence = sequence + 1, last_message_at = ?2 WHERE id = ?1
                 RETURNING sequence",
            )?
            .query_row(params![conversation, n as i64], |row| row.get(0))?;
        connection
            .prepare_cached("INSERT INTO dm_messages VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)")?
            .execute(params![id, conversation, sender, self.payload, [7_u8; 24], n as i64, sequence])?;
        connection
            .prepare_cached("INSERT INTO dm_offline_queue VALUES (?1, ?2, ?3, ?4, NULL)")?
            .execute(params![uuid_v7().to_string(), recipient, id, n as i64])?;
        Ok(())
    }
}
