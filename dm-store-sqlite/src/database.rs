//! A connection that knows the names of the store's tables.

use rusqlite::{CachedStatement, Connection, Params, Result, Row, Transaction, TransactionBehavior};

use crate::names::TablePrefix;

/// Runs the statements of this crate, all of which go through here, under the names that the tables
/// have in the file.
pub(crate) struct Database {
    connection: Connection,
    prefix: TablePrefix,
}

impl Database {
    pub(crate) const fn new(connection: Connection, prefix: TablePrefix) -> Self {
        Self { connection, prefix }
    }

    /// Begins a transaction, which ends without a commit unless it is committed. None may be under
    /// way.
    pub(crate) fn transaction(&self, behavior: TransactionBehavior) -> Result<Transaction<'_>> {
        Transaction::new_unchecked(&self.connection, behavior)
    }

    pub(crate) fn prepare_cached(&self, sql: &str) -> Result<CachedStatement<'_>> {
        self.connection.prepare_cached(&self.prefix.apply(sql))
    }

    pub(crate) fn execute(&self, sql: &str, params: impl Params) -> Result<usize> {
        self.connection.execute(&self.prefix.apply(sql), params)
    }

    pub(crate) fn execute_batch(&self, sql: &str) -> Result<()> {
        self.connection.execute_batch(&self.prefix.apply(sql))
    }

    pub(crate) fn query_row<T>(
        &self,
        sql: &str,
        params: impl Params,
        read: impl FnOnce(&Row<'_>) -> Result<T>,
    ) -> Result<T> {
        self.connection.query_row(&self.prefix.apply(sql), params, read)
    }

    pub(crate) fn last_insert_rowid(&self) -> i64 {
        self.connection.last_insert_rowid()
    }

    pub(crate) fn is_autocommit(&self) -> bool {
        self.connection.is_autocommit()
    }

    /// The connection, for what names no table: pragmas of the file.
    pub(crate) const fn connection(&self) -> &Connection {
        &self.connection
    }

    pub(crate) const fn prefix(&self) -> &TablePrefix {
        &self.prefix
    }
}
