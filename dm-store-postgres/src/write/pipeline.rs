//! Statements that are sent together and answered together: one round trip.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::Poll;

use futures_util::future::{BoxFuture, FutureExt as _, MaybeDone, join, join_all, maybe_done};
use tokio_postgres::Row;
use tokio_postgres::types::ToSql;

use crate::connection::{Client, is_lost};
use crate::error::Fault;

/// A parameter of a statement, mostly a whole column of an array.
pub(super) type Param<'a> = Box<dyn ToSql + Send + Sync + 'a>;

type Answer = Result<Vec<Row>, tokio_postgres::Error>;

/// How a pipeline with `COMMIT` went.
pub(super) enum CommitResult {
    Committed,
    /// `COMMIT` was not sent, or the server made a rollback of it.
    NotCommitted(Fault),
    /// It may or may not have been done.
    Unknown(Fault),
}

/// Statements on their way. The server runs them in the order in which they were added, each on
/// what is committed when it begins, and none after one that failed in the same transaction. What
/// is sent in one go is answered within
/// [`network_timeout`](crate::PostgresConfig::network_timeout), or the connection counts as lost.
pub(super) struct Pipeline<'a> {
    client: Client<'a>,
    statements: Vec<BoxFuture<'a, Answer>>,
}

impl<'a> Pipeline<'a> {
    pub(super) const fn new(client: Client<'a>) -> Self {
        Self { client, statements: Vec::new() }
    }

    /// Adds a statement. A connection that meets it for the first time has it prepared, in a round trip of its own.
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

    /// Adds a command without parameters or rows.
    pub(super) fn add_command(&mut self, sql: &'static str) {
        let client = self.client.connection();
        self.statements.push(async move { client.batch_execute(sql).await.map(|()| Vec::new()) }.boxed());
    }

    /// Sends them, and fails with the first failure.
    pub(super) async fn execute(self) -> Result<std::vec::IntoIter<Vec<Row>>, Fault> {
        // The future of a statement sends when it is first polled, and `join_all` polls up to 30 in their order.
        let answers = join_all(self.statements).map(|answers| answers.into_iter().collect());
        let rows: Vec<_> = self.client.with_timeout(answers).await?;
        Ok(rows.into_iter())
    }

    /// Sends them with `COMMIT` behind them. A statement that cannot be sent keeps `COMMIT` back, for the others without it
    /// would be a part of a batch.
    pub(super) async fn execute_and_commit(self) -> CommitResult {
        let client = self.client.connection();
        let mut statements: Vec<_> = self.statements.into_iter().map(maybe_done).collect();
        let sent = poll_fn(|cx| {
            for statement in &mut statements {
                // What is pending is on its way.
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
            // What the server refused before `COMMIT` makes a rollback of it.
            Some(error) if !is_lost(&error) => CommitResult::NotCommitted(error.into()),
            Some(error) => CommitResult::Unknown(error.into()),
            // Even what the server says to `COMMIT` may come after the commit is in its log.
            None => committed.map_or_else(|error| CommitResult::Unknown(error.into()), |()| CommitResult::Committed),
        }
    }
}

/// A parameter.
pub(super) fn param<'a>(value: impl ToSql + Send + Sync + 'a) -> Param<'a> {
    Box::new(value)
}
