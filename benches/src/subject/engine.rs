//! Bare engines. They write the same rows as the stores on redb and fjall, byte for byte, in
//! transactions, without checks and lookups. A store that writes these rows durably can be faster
//! only with larger batches.

use std::sync::Mutex;
use std::time::{Duration, Instant};

use crate::measure::{Measured, histogram, nanos};
use crate::options::Options;
use crate::people::{pick, uuid_v7};

/// The writes of an engine.
pub(crate) trait Transactions: Send {
    /// Stores so many messages in one durable transaction.
    fn store(&mut self, heads: &mut Heads, messages: usize) -> anyhow::Result<()>;
}

/// An engine, with the conversations that it stores messages for.
pub(crate) struct Engine(Mutex<State>);

struct State {
    engine: Box<dyn Transactions>,
    heads: Heads,
}

/// The newest numbers.
pub(crate) struct Heads {
    sent: usize,
    conversations: Vec<u64>,
    inboxes: Vec<u64>,
    payload: Vec<u8>,
}

/// A row of a message in one of the tables, which have the same names as in the stores.
pub(crate) struct Row {
    pub(crate) table: Table,
    pub(crate) key: Vec<u8>,
    pub(crate) value: Vec<u8>,
}

/// A table with rows of messages.
#[derive(Clone, Copy)]
pub(crate) enum Table {
    Messages,
    MessageIds,
    ClientIds,
    Sequence,
    Inbox,
}

impl Engine {
    pub(crate) fn new(engine: impl Transactions + 'static, options: &Options) -> Self {
        let heads = Heads {
            sent: 0,
            conversations: vec![0; options.conversations],
            inboxes: vec![0; options.users],
            payload: vec![7; options.payload],
        };
        Self(State { engine: Box::new(engine), heads }.into())
    }

    /// Stores messages for a span of time, so many per transaction. Latencies are those of
    /// transactions.
    pub(crate) fn send(&self, batch: usize, span: Duration) -> Measured {
        let mut state = self.0.lock().expect("nobody panicked");
        let State { engine, heads } = &mut *state;
        let (began, mut calls, mut latency) = (Instant::now(), 0, histogram());
        while began.elapsed() < span {
            let asked = Instant::now();
            engine.store(heads, batch).expect("it is stored");
            latency.saturating_record(nanos(asked.elapsed()));
            calls += batch as u64;
        }
        Measured { calls, took: began.elapsed(), latency }
    }

    pub(crate) fn preload(&self, messages: usize) {
        let mut state = self.0.lock().expect("nobody panicked");
        let State { engine, heads } = &mut *state;
        for _ in 0..messages.div_ceil(1_000) {
            engine.store(heads, 1_000).expect("it is stored");
        }
    }
}

impl Heads {
    /// The rows of the next message. The stores document the meaning of their bytes with their
    /// tables.
    pub(crate) fn next(&mut self) -> [Row; 6] {
        let users = self.inboxes.len();
        let conversation = pick(self.sent, self.conversations.len());
        let sender = conversation % users;
        let recipient = (sender + 1 + conversation / users) % users;
        self.sent += 1;
        self.conversations[conversation] += 1;
        self.inboxes[sender] += 1;
        self.inboxes[recipient] += 1;

        let (id, client_id) = (uuid_v7(), uuid_v7());
        let number = |n: u64| n.to_be_bytes();
        // References begin at 1.
        let reference = |n: usize| (n as u32 + 1).to_be_bytes();
        let (row, at) = (number(self.sent as u64), number(self.sent as u64));
        let sequence = number(self.conversations[conversation]);
        let inbox = |user: usize| number(self.inboxes[user]);
        let message = [
            reference(conversation).as_slice(),
            &reference(sender),
            &reference(recipient),
            &sequence,
            &inbox(sender),
            &inbox(recipient),
            id.as_bytes(),
            &at,
            &at,
            &[1],
            client_id.as_bytes(),
            &[7; 24],
            &self.payload,
        ]
        .concat();
        let entry = |user: usize, origin: u8| Row {
            table: Table::Inbox,
            key: [reference(user).as_slice(), &inbox(user)].concat(),
            value: [at.as_slice(), &[origin, 1], &row].concat(),
        };
        [
            Row { table: Table::Messages, key: row.to_vec(), value: message },
            Row { table: Table::MessageIds, key: id.as_bytes().to_vec(), value: row.to_vec() },
            Row {
                table: Table::Sequence,
                key: [reference(conversation).as_slice(), &sequence].concat(),
                value: [row, at].concat(),
            },
            Row {
                table: Table::ClientIds,
                key: [client_id.as_bytes().as_slice(), &reference(sender)].concat(),
                value: row.to_vec(),
            },
            entry(sender, 0),
            entry(recipient, u8::MAX),
        ]
    }
}
