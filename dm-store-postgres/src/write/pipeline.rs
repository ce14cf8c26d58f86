//! [`Pipeline`], which sends statements together, in one round trip.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::Poll;

use futures_util::future::{BoxFuture, FutureExt as _, MaybeDone, join, join_all, maybe_done};
use tokio_postgres::Row;
use tokio_postgres::types::ToSql;

use crate::connection::{TimedClient, is_lost};
use crate::error::Fault;

/// A parameter of a statement. Most are arrays, with one value for each row.
pub(super) type Param<'a> = Box<dyn ToSql + Send + Sync + 'a>;

type Answer = Result<Vec<Row>, tokio_postgres::Error>;

/// The result of a pipeline that ends with `COMMIT`.
pub(super) enum CommitResult {
    Committed,
    /// `COMMIT` was not sent, or the server rolled back instead.
    NotCommitted(Fault),
    /// The transaction may or may not be committed.
    Unknown(Fault),
}

/// Statements that are sent together.
///
/// The server runs them in the order in which they were added. Each statement sees the rows that
/// are committed when it begins, and the changes of its own transaction. After a failed statement,
/// the server refuses all further statements of the transaction. If the answers do not arrive
/// within [`network_timeout`](crate::PostgresConfig::network_timeout), the connection counts as
/// lost.
pub(super) struct Pipeline<'a> {
    client: TimedClient<'a>,
    statements: Vec<BoxFuture<'a, Answer>>,
}

impl<'a> Pipeline<'a> {
    pub(super) const fn new(client: TimedClient<'a>) -> Self {
        Self { client, statements: Vec::new() }
    }

    /// Adds a statement. If the connection has not used the statement before, prepares it, in a
    /// round trip of its own.
    pub(super) async fn add(&mut self, sql: impl AsRef<str>, params: Vec<Param<'a>>) -> Result<(), Fault> {
        let client = self.client.connection();
        let statement = self.client.with_timeout(client.prepare_cached(sql.as_ref())).await?;
        let run = async move {
            let params: Vec<&(dyn ToSql + Sync)> =
                params.iter().map(|param| &**param as &(dyn ToSql + Sync)).collect();
            client.query(&statement, &params).await
        };
        self.statements.push(run.boxed());
        Ok(())
    }

    /// Adds a command that has no parameters and returns no rows.
    pub(super) fn add_command(&mut self, sql: &'static str) {
        let client = self.client.connection();
        self.statements.push(async move { client.batch_execute(sql).await.map(|()| Vec::new()) }.boxed());
    }

    /// Sends the statements and returns the rows of each statement, in order.
    ///
    /// # Errors
    /// The error of the first statement that failed, or [`Fault::Timeout`].
    pub(super) async fn execute(self) -> Result<std::vec::IntoIter<Vec<Row>>, Fault> {
        // The first poll of a statement's future sends the statement. `join_all` polls up to 30
        // futures in order, and no pipeline has more statements.
        let answers = join_all(self.statements).map(|answers| answers.into_iter().collect());
        let rows: Vec<_> = self.client.with_timeout(answers).await?;
        Ok(rows.into_iter())
    }

    /// Sends the statements, and then `COMMIT`. If a statement cannot be sent, `COMMIT` is not sent
    /// either, because it would commit an incomplete batch.
    pub(super) async fn execute_and_commit(self) -> CommitResult {
        let client = self.client.connection();
        let mut statements: Vec<_> = self.statements.into_iter().map(maybe_done).collect();
        let sent = poll_fn(|cx| {
            for statement in &mut statements {
                // The poll sends the statement. A statement that cannot be sent fails at once.
                let _ = statement.poll_unpin(cx);
            }
            let failed = |done: &&mut MaybeDone<_>| matches!(done, MaybeDone::Done(Err(_)));
            let failed = statements.iter_mut().find(failed).and_then(|done| Pin::new(done).take_output());
            Poll::Ready(failed.and_then(Answer::err).map_or(Ok(()), Err))
        });
        if let Err(error) = sent.await {
            return CommitResult::NotCommitted(error.into());
        }
        let commit = async { client.batch_execute("COMMIT").await };
        let answers = join(join_all(statements.iter_mut()), commit).map(|(_, committed)| Ok(committed));
        let committed = match self.client.with_timeout(answers).await {
            Ok(committed) => committed,
            Err(fault) => return CommitResult::Unknown(fault),
        };
        let failed = statements.iter_mut().filter_map(|done| Pin::new(done).take_output()?.err()).next();
        match failed {
            // After an error in the transaction, the server rolls back at `COMMIT`.
            Some(error) if !is_lost(&error) => CommitResult::NotCommitted(error.into()),
            Some(error) => CommitResult::Unknown(error.into()),
            // The server may report an error for `COMMIT` although the commit is already in its
            // log.
            None => committed
                .map_or_else(|error| CommitResult::Unknown(error.into()), |()| CommitResult::Committed),
        }
    }
}

/// Boxes a parameter.
pub(super) fn param<'a>(value: impl ToSql + Send + Sync + 'a) -> Param<'a> {
    Box::new(value)
}
