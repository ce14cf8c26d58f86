//! The durability of commits, which the server's settings and replicas determine. [`check`] reads
//! it when the store is opened, and [`ObservedDurability`] reads it while the store is open.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use dm_core::store::{Durability, StoreError, StoreErrorKind};
use tokio::runtime::Handle;
use tokio_postgres::{Client, Row};

use crate::connection::is_lost;
use crate::error::from_postgres;
use crate::read::Reader;

/// Reads one row of four values, which [`Guarantee::from_row`] interprets:
/// - whether the server syncs its log;
/// - the session's `synchronous_commit`;
/// - whether `synchronous_standby_names` names replicas;
/// - whether replicas are connected now. Base backups and readers of logical slots do not count,
///   because no host fails over to them.
///
/// An engine without `fsync` or `synchronous_commit` counts as if the setting were on.
const SETTINGS: &str = "SELECT coalesce(current_setting('fsync', true), 'on') = 'on',
        coalesce(current_setting('synchronous_commit', true), 'on'),
        coalesce(current_setting('synchronous_standby_names', true), '') <> '',
        EXISTS (SELECT FROM pg_stat_replication AS r
                WHERE r.state IS DISTINCT FROM 'backup' AND NOT EXISTS (
                    SELECT FROM pg_replication_slots AS s
                    WHERE s.active_pid = r.pid AND s.slot_type = 'logical'))";

/// The durability that the server's settings give a commit, and the reason why it is not higher.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Guarantee {
    /// A commit survives a power cut. It waits for the replicas in `synchronous_standby_names`, or
    /// no replicas are connected.
    Synced,
    /// Commits do not wait for replicas, because `synchronous_commit` is `local`.
    LocalCommit,
    /// Commits do not wait for replicas, because `synchronous_standby_names` is empty.
    NoSynchronousStandby,
    /// The server answers commits before they are on its disk.
    NotSynced,
}

impl Guarantee {
    /// The guarantee, from the row of [`SETTINGS`].
    fn from_row(row: &Row) -> Result<Self, tokio_postgres::Error> {
        let (syncs, synchronous_commit): (bool, &str) = (row.try_get(0)?, row.try_get(1)?);
        let (names_replicas, has_replicas): (bool, bool) = (row.try_get(2)?, row.try_get(3)?);
        Ok(if !syncs || synchronous_commit == "off" {
            Self::NotSynced
        } else if !has_replicas {
            Self::Synced
        } else if synchronous_commit == "local" {
            Self::LocalCommit
        } else if names_replicas {
            Self::Synced
        } else {
            Self::NoSynchronousStandby
        })
    }

    /// The durability in the store's status.
    const fn durability(self) -> Durability {
        match self {
            Self::Synced => Durability::Synced,
            Self::LocalCommit | Self::NoSynchronousStandby => Durability::AsynchronousReplica,
            Self::NotSynced => Durability::NotSynced,
        }
    }

    /// The warning about the commits that the server may lose; `None` if it loses none.
    const fn loss_warning(self) -> Option<&'static str> {
        match self {
            Self::Synced => None,
            Self::LocalCommit => Some(
                "a failover loses answered messages: there are replicas, and synchronous_commit = local does \
                 not wait for them",
            ),
            Self::NoSynchronousStandby => Some(
                "a failover loses answered messages: there are replicas, and synchronous_standby_names is empty",
            ),
            Self::NotSynced => {
                Some("a power cut loses answered messages: fsync or synchronous_commit is off")
            }
        }
    }
}

/// The guarantee that the last check found. Clones share the value.
///
/// Replicas and settings may change while the store is open. So [`get`](Self::get) starts a new
/// check, at most one in each interval.
#[derive(Clone, Debug)]
pub(crate) struct ObservedDurability {
    state: Arc<Mutex<State>>,
    interval: Duration,
}

#[derive(Debug)]
struct State {
    found: Guarantee,
    /// The start of the last check.
    checked_at: Instant,
    /// Whether a check is running.
    is_checking: bool,
}

/// The mark of a running check. Dropping it clears [`State::is_checking`].
struct RunningCheck(ObservedDurability);

impl ObservedDurability {
    pub(crate) fn new(found: Guarantee, interval: Duration) -> Self {
        let state = State { found, checked_at: Instant::now(), is_checking: false };
        Self { state: Arc::new(Mutex::new(state)), interval }
    }

    /// The durability that the last check found. If that check is older than the interval, starts a
    /// task that checks again, for later calls.
    pub(crate) fn get(&self, reader: &Reader) -> Durability {
        let mut state = self.lock();
        if !state.is_checking
            && state.checked_at.elapsed() >= self.interval
            && let Ok(runtime) = Handle::try_current()
        {
            (state.is_checking, state.checked_at) = (true, Instant::now());
            let (check, reader) = (RunningCheck(self.clone()), reader.clone());
            runtime.spawn(async move {
                match reader.rows(SETTINGS, &[]).await.map(|rows| rows.first().map(Guarantee::from_row)) {
                    Ok(Some(Ok(found))) => check.0.set(found),
                    // This is logged at debug level only. If the server cannot be reached, the
                    // service's own reads fail as well and report that.
                    Ok(_) | Err(_) => tracing::debug!("cannot read the server's durability settings"),
                }
            });
        }
        state.found.durability()
    }

    fn set(&self, found: Guarantee) {
        let before = std::mem::replace(&mut self.lock().found, found);
        if before != found {
            match found.loss_warning() {
                Some(warning) => tracing::warn!("{warning}"),
                None => tracing::info!("commits survive a power cut and a failover now"),
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // No code panics while it holds this lock, so a poisoned lock has a complete state.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for RunningCheck {
    fn drop(&mut self) {
        self.0.lock().is_checking = false;
    }
}

/// Reads the server's durability. Logs a warning if a power cut or a failover may lose commits.
///
/// An engine may refuse the query [`SETTINGS`], for instance because it lacks one of the tables.
/// Such a server counts as [`Guarantee::Synced`], and a warning says that its durability cannot be
/// read.
///
/// # Errors
/// [`StoreErrorKind::Engine`] for a server that gives less than `least`. Otherwise the error of a
/// lost connection.
pub(crate) async fn check(client: &Client, least: Durability) -> Result<Guarantee, StoreError> {
    let found = match client.query_one(SETTINGS, &[]).await {
        Ok(row) => Guarantee::from_row(&row).map_err(from_postgres)?,
        Err(error) if is_lost(&error) => return Err(from_postgres(error)),
        Err(_) => {
            tracing::warn!("cannot read whether the server syncs and whether it has replicas");
            return Ok(Guarantee::Synced);
        }
    };
    let Some(warning) = found.loss_warning() else { return Ok(found) };
    if rank(found.durability()) < rank(least) {
        return Err(StoreError::new(
            StoreErrorKind::Engine,
            format!("{warning}; `least_durability` refuses that"),
        ));
    }
    tracing::warn!("{warning}");
    Ok(found)
}

/// The rank of a durability. A higher rank survives more failures.
const fn rank(durability: Durability) -> u8 {
    match durability {
        Durability::Synced => 2,
        Durability::AsynchronousReplica => 1,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use std::error::Error as _;

    use dm_test_servers::postgres::Cluster;
    use tokio_postgres::NoTls;

    use super::*;
    use crate::config::PostgresConfig;
    use crate::connection::{self, Connections};

    /// A reader that has no server. All its reads fail.
    fn reader() -> Reader {
        let config = PostgresConfig::default();
        let parameters = connection::parameters("host=/nowhere user=nobody", &config).unwrap();
        Reader::new(Connections::new(parameters, NoTls, config.lanes, &config).unwrap())
    }

    #[tokio::test]
    async fn a_check_starts_after_the_interval_unless_one_is_running() {
        let reader = reader();
        let check = |known: &ObservedDurability| {
            assert_eq!(known.get(&reader), Durability::NotSynced);
            let state = known.lock();
            (state.is_checking, state.checked_at)
        };
        let rarely = ObservedDurability::new(Guarantee::NotSynced, Duration::from_secs(3_600));
        assert!(!check(&rarely).0);

        let always = ObservedDurability::new(Guarantee::NotSynced, Duration::ZERO);
        let (first, second) = (check(&always), check(&always));
        assert!(first.0);
        assert_eq!(first, second, "a check is running");
        while always.lock().is_checking {
            tokio::task::yield_now().await;
        }
        let third = check(&always);
        assert!(third.0 && third.1 > first.1, "a failed check is repeated");
    }

    #[tokio::test]
    async fn a_commit_that_does_not_wait_for_replicas_is_reported_with_its_reason() {
        let folder = tempfile::tempdir().unwrap();
        let primary = Cluster::durable_in(folder.path());
        let standby = primary.standby();
        let (client, connection) =
            tokio_postgres::connect(&primary.parameters("postgres"), NoTls).await.unwrap();
        tokio::spawn(connection);
        let end = Instant::now() + Duration::from_secs(60);
        while primary.sql("postgres", "SELECT count(*) = 1 FROM pg_stat_replication") != "t" {
            assert!(Instant::now() < end, "the standby never connected");
        }
        for (standby_names, synchronous_commit, reason) in [
            ("", "on", "synchronous_standby_names is empty"),
            ("", "local", "synchronous_commit = local"),
            ("*", "local", "synchronous_commit = local"),
            ("*", "on", ""),
            ("*", "off", "synchronous_commit is off"),
        ] {
            let names = format!("ALTER SYSTEM SET synchronous_standby_names = '{standby_names}'");
            primary.sql("postgres", &names);
            primary.sql("postgres", "SELECT pg_reload_conf()");
            let is_reloaded =
                format!("SELECT current_setting('synchronous_standby_names') = '{standby_names}'");
            while !client.query_one(&is_reloaded, &[]).await.unwrap().get::<_, bool>(0) {
                assert!(Instant::now() < end, "the server never loaded `{standby_names}`");
            }
            client.batch_execute(&format!("SET synchronous_commit = {synchronous_commit}")).await.unwrap();
            let refused = check(&client, Durability::Synced).await.err();
            let source = refused.as_ref().and_then(|error| error.source());
            let text = source.map(ToString::to_string).unwrap_or_default();
            assert!(
                text.contains(reason) && text.is_empty() == reason.is_empty(),
                "names {standby_names:?}, commit {synchronous_commit}: {text:?}"
            );
        }
        drop(standby);
    }

    #[test]
    fn a_status_without_a_runtime_has_the_last_value() {
        let known = ObservedDurability::new(Guarantee::Synced, Duration::ZERO);
        assert_eq!(known.get(&reader()), Durability::Synced);
        assert!(!known.lock().is_checking);
    }
}
