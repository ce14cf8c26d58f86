//! Statements that are sent together and answered together: one round trip.

use deadpool_postgres::ClientWrapper;
use futures_util::future::{BoxFuture, FutureExt as _, join_all};
use tokio_postgres::Row;
use tokio_postgres::types::ToSql;

use crate::error::Fault;

/// A parameter of a statement, mostly a whole column of an array.
pub(super) type Param<'a> = Box<dyn ToSql + Send + Sync + 'a>;

type Answer = Result<Vec<Row>, tokio_postgres::Error>;

/// Statements on their way. The server runs them in the order in which they were added, each on what is committed when
/// it begins, and none after one that failed in the same transaction.
pub(super) struct Flight<'a> {
    client: &'a ClientWrapper,
    statements: Vec<BoxFuture<'a, Answer>>,
}

impl<'a> Flight<'a> {
    pub(super) const fn new(client: &'a ClientWrapper) -> Self {
        Self { client, statements: Vec::new() }
    }

    /// Adds a statement. A connection that meets it for the first time has it prepared, in a round trip of its own.
    pub(super) async fn add(&mut self, sql: impl AsRef<str>, params: Vec<Param<'a>>) -> Result<(), Fault> {
        let client = self.client;
        let statement = client.prepare_cached(sql.as_ref()).await?;
        let run = async move {
            let params: Vec<&(dyn ToSql + Sync)> =
                params.iter().map(|param| &**param as &(dyn ToSql + Sync)).collect();
            client.query(&statement, &params).await
        };
        self.statements.push(run.boxed());
        Ok(())
    }

    /// Adds a command without parameters or rows.
    pub(super) fn command(&mut self, sql: &'static str) {
        let client = self.client;
        self.statements.push(async move { client.batch_execute(sql).await.map(|()| Vec::new()) }.boxed());
    }

    /// Sends them, and waits for every answer, in order. The future of a statement sends when it is first polled, and
    /// [`join_all`] polls up to 30 in their order.
    pub(super) async fn answers(self) -> Vec<Answer> {
        join_all(self.statements).await
    }

    /// Sends them, and fails with the first failure.
    pub(super) async fn land(self) -> Result<std::vec::IntoIter<Vec<Row>>, Fault> {
        let rows = self.answers().await.into_iter().collect::<Result<Vec<_>, _>>()?;
        Ok(rows.into_iter())
    }
}

/// A parameter.
pub(super) fn param<'a>(value: impl ToSql + Send + Sync + 'a) -> Param<'a> {
    Box::new(value)
}
