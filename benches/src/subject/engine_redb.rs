//! The bare redb engine, in transactions: see [`engine`](super::engine). New rows of conversations
//! and inboxes go into small trees first, as in the store.

use std::path::Path;

use dm_store_redb::{RedbConfig, RedbStore};
use redb::{Database, Durability, TableDefinition, WriteTransaction};

use super::engine::{Engine, Heads, Row, Table, Transactions};
use crate::options::Options;

struct Redb {
    database: Database,
    commits: u64,
    sequence: RecentRows,
    inbox: RecentRows,
}

pub(crate) fn open(folder: &Path, options: &Options) -> anyhow::Result<Engine> {
    let path = folder.join("engine.redb");
    let config = RedbConfig::default();
    // The store makes the tables.
    drop(RedbStore::open_with(&path, &config)?);
    let database = Database::builder().set_cache_size(config.cache_bytes).open(&path)?;
    let entries = config.recent_entries.get();
    let (sequence, inbox) =
        (RecentRows::new("dm_sequence", entries / 2), RecentRows::new("dm_inbox", entries));
    Ok(Engine::new(Redb { database, commits: 0, sequence, inbox }, options))
}

impl Transactions for Redb {
    fn store(&mut self, heads: &mut Heads, messages: usize) -> anyhow::Result<()> {
        let mut transaction = self.database.begin_write()?;
        transaction.set_durability(Durability::Immediate)?;
        transaction.set_two_phase_commit(true);
        transaction.set_quick_repair(true);
        {
            let runs = [self.sequence.growing(), self.inbox.growing()];
            let open = |name| transaction.open_table(table(name));
            // The store counts its transactions in each one.
            self.commits += 1;
            open("dm_schema")?.insert(b"commit".as_slice(), self.commits.to_be_bytes().as_slice())?;
            let mut rows = open("dm_messages")?;
            let mut message_ids = open("dm_message_ids")?;
            let mut client_ids = open("dm_client_ids")?;
            let mut sequence = open(&runs[0])?;
            let mut inbox = open(&runs[1])?;
            for _ in 0..messages {
                for row in heads.next() {
                    let table = match row.table {
                        Table::Messages => &mut rows,
                        Table::MessageIds => &mut message_ids,
                        Table::ClientIds => &mut client_ids,
                        Table::Sequence => &mut sequence,
                        Table::Inbox => &mut inbox,
                    };
                    table.insert(row.key.as_slice(), row.value.as_slice())?;
                    match row.table {
                        Table::Sequence => self.sequence.recent.push(row),
                        Table::Inbox => self.inbox.recent.push(row),
                        Table::Messages | Table::MessageIds | Table::ClientIds => {}
                    }
                }
            }
        }
        let more = messages + messages / 4;
        self.sequence.move_rows(&transaction, more)?;
        self.inbox.move_rows(&transaction, 2 * more)?;
        Ok(transaction.commit()?)
    }
}

fn table(name: &str) -> TableDefinition<'_, &'static [u8], &'static [u8]> {
    TableDefinition::new(name)
}

/// A table whose new rows are in small trees first. A copy of these rows is here in memory.
struct RecentRows {
    name: &'static str,
    /// The number of rows of a generation, which has `RUNS` small trees.
    rows: usize,
    generation: usize,
    recent: Vec<Row>,
    moving: Vec<Row>,
    /// The number of small trees that still have to be deleted.
    moved: usize,
}

impl RecentRows {
    const RUNS: usize = 8;

    fn new(name: &'static str, rows: usize) -> Self {
        Self { name, rows, generation: 0, recent: Vec::new(), moving: Vec::new(), moved: 0 }
    }

    fn run(&self, generation: usize, run: usize) -> String {
        format!("{}_run_{}", self.name, Self::RUNS * generation + run)
    }

    fn growing(&self) -> String {
        let run = self.recent.len() * Self::RUNS / self.rows;
        self.run(self.generation, run.min(Self::RUNS - 1))
    }

    fn move_rows(&mut self, transaction: &WriteTransaction, rows: usize) -> anyhow::Result<()> {
        if self.moving.is_empty() {
            if self.moved > 0 {
                self.moved -= 1;
                transaction.delete_table(table(&self.run(self.generation - 1, self.moved)))?;
            }
        } else {
            let mut large = transaction.open_table(table(self.name))?;
            let rest = self.moving.len().saturating_sub(rows);
            for row in self.moving.drain(rest..).rev() {
                large.insert(row.key.as_slice(), row.value.as_slice())?;
            }
        }
        if self.recent.len() >= self.rows && self.moving.is_empty() && self.moved == 0 {
            self.generation += 1;
            std::mem::swap(&mut self.recent, &mut self.moving);
            // Rows are taken from the end.
            self.moving.sort_unstable_by(|a, b| b.key.cmp(&a.key));
            self.moved = Self::RUNS;
        }
        Ok(())
    }
}
