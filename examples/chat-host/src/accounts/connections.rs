//! Connections to the database that hosts share, and how long what is done on them may take.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use deadpool_postgres::{
    ClientWrapper, Manager, ManagerConfig, Object, Pool, PoolError, RecyclingMethod, Runtime, Timeouts,
};
use dm_core::store::{StoreError, StoreErrorKind};
use tokio::time::timeout;
use tokio_postgres::config::TargetSessionAttrs;
use tokio_postgres::error::SqlState;
use tokio_postgres::{Config, NoTls};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::apart::apart;

/// How long a call may take, and how long it may keep a connection.
const PATIENCE: Duration = Duration::from_secs(5);

/// How long a statement may take. The server, if it works at all, ends it before its connection
/// counts as lost, so that none runs there that no connection here stands for.
const STATEMENT: Duration = Duration::from_secs(4);

/// How long an idle connection may take to say that it is alive. A call gets past all of them and
/// to a new one: after a failover each may lead to a server that is gone.
const ALIVE: Duration = Duration::from_secs(1);

/// What is done on a connection.
type Work<'a, T> = Pin<Box<dyn Future<Output = Result<T, StoreError>> + Send + 'a>>;

/// Takes the connection parameters and adds what a dead server is noticed by.
pub(super) fn parameters(text: &str) -> Result<Config, StoreError> {
    // The parser's error may quote the text, which may hold a password.
    let mut parsed: Config = text
        .parse()
        .map_err(|_| StoreError::new(StoreErrorKind::Engine, "the connection parameters are not valid"))?;
    let options = parsed.get_options().unwrap_or_default();
    let options = format!("{options} -c statement_timeout={}", STATEMENT.as_millis());
    parsed.options(options.trim()).connect_timeout(PATIENCE).application_name("chat-host");
    // Asked on each new connection: after a failover an address may lead to a standby, where nobody
    // can sign in.
    parsed.target_session_attrs(TargetSessionAttrs::ReadWrite);
    parsed.tcp_user_timeout(PATIENCE).keepalives_idle(PATIENCE);
    Ok(parsed)
}

/// Connections for one kind of work, in a pool. Clones share them.
#[derive(Clone, Debug)]
pub(super) struct Connections(Pool);

impl Connections {
    /// Connections, up to so many, none of which is made yet.
    pub(super) fn new(
        parameters: Config,
        tls: Option<MakeRustlsConnect>,
        most: usize,
    ) -> Result<Self, StoreError> {
        let config = ManagerConfig { recycling_method: RecyclingMethod::Verified };
        let manager = match tls {
            Some(tls) => Manager::from_config(parameters, tls, config),
            None => Manager::from_config(parameters, NoTls, config),
        };
        Pool::builder(manager)
            .max_size(most)
            .runtime(Runtime::Tokio1)
            .timeouts(Timeouts { wait: Some(PATIENCE), create: Some(PATIENCE), recycle: Some(ALIVE) })
            .build()
            .map(Self)
            .map_err(|error| StoreError::new(StoreErrorKind::Engine, error))
    }

    /// Does work on a connection. It is answered, or fails as unavailable, within [`PATIENCE`].
    ///
    /// Work that has its connection goes on without its caller: given back in the middle, the
    /// connection would keep the next caller waiting; closed, it would leave its statement to the
    /// server, and the next connection would add another.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        work: impl for<'a> FnOnce(&'a mut ClientWrapper) -> Work<'a, T> + Send + 'static,
    ) -> Result<T, StoreError> {
        let pool = self.0.clone();
        let answer = apart(async move {
            let connection = taken(&pool).await?;
            let done = tokio::spawn(to_its_end(connection, work)).await;
            done.map_err(|panicked| StoreError::new(StoreErrorKind::Engine, panicked))?
        });
        timeout(PATIENCE, answer).await.unwrap_or_else(|_| Err(silent()))
    }
}

/// Does work, and gives the connection back. One on which nothing is answered in time is closed.
async fn to_its_end<T>(
    mut connection: Object,
    work: impl for<'a> FnOnce(&'a mut ClientWrapper) -> Work<'a, T> + Send,
) -> Result<T, StoreError> {
    if let Ok(done) = timeout(PATIENCE, work(&mut connection)).await {
        return done;
    }
    drop(Object::take(connection));
    Err(silent())
}

async fn taken(pool: &Pool) -> Result<Object, StoreError> {
    pool.get().await.map_err(|error| match error {
        PoolError::Backend(error) => failed(error),
        error => StoreError::new(StoreErrorKind::Unavailable, error.to_string()),
    })
}

fn silent() -> StoreError {
    StoreError::new(StoreErrorKind::Unavailable, "the database does not answer in time")
}

/// Says what kind of thing failed; what the server says in detail may hold values of rows.
pub(super) fn failed(error: tokio_postgres::Error) -> StoreError {
    match error.as_db_error() {
        Some(said) => {
            let late = *said.code() == SqlState::QUERY_CANCELED;
            let kind = if late { StoreErrorKind::Unavailable } else { StoreErrorKind::Engine };
            StoreError::new(kind, format!("{} (SQLSTATE {})", said.message(), said.code().code()))
        }
        None => StoreError::new(StoreErrorKind::Unavailable, error),
    }
}
