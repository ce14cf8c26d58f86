//! What a commit on the server survives.

use dm_core::{Durability, StoreError, StoreErrorKind};
use tokio_postgres::{Client, Row};

use crate::connection::is_lost;
use crate::error::from_postgres;

/// Whether the server syncs its log, whether this session waits for that, whether it waits for a replica, and whether there
/// are replicas now: neither base backups nor readers of logical slots, to which no host fails over. A setting that an
/// engine does not have is none that is off.
const SETTINGS: &str = "SELECT coalesce(current_setting('fsync', true), 'on') = 'on',
        coalesce(current_setting('synchronous_commit', true), 'on'),
        coalesce(current_setting('synchronous_standby_names', true), '') <> '',
        EXISTS (SELECT FROM pg_stat_replication AS r
                WHERE r.state IS DISTINCT FROM 'backup' AND NOT EXISTS (
                    SELECT FROM pg_replication_slots AS s
                    WHERE s.active_pid = r.pid AND s.slot_type = 'logical'))";

/// Finds it out, says so if it is less than a power cut and a failover, and refuses it if it is less than what is asked for.
///
/// # Errors
/// [`StoreErrorKind::Engine`] for a server that gives less.
pub(crate) async fn examine(client: &Client, least: Durability) -> Result<Durability, StoreError> {
    let found = match client.query_one(SETTINGS, &[]).await {
        Ok(row) => of(&row).map_err(from_postgres)?,
        Err(error) if is_lost(&error) => return Err(from_postgres(error)),
        Err(_) => {
            tracing::warn!("the server does not tell whether it syncs and whether it has replicas");
            return Ok(Durability::Synced);
        }
    };
    let what = match found {
        Durability::NotSynced => "a power cut loses answered messages: fsync or synchronous_commit is off",
        Durability::AsynchronousReplica => {
            "a failover loses answered messages: there are replicas, and synchronous_standby_names is empty"
        }
        _ => return Ok(found),
    };
    if rank(found) < rank(least) {
        return Err(StoreError::new(
            StoreErrorKind::Engine,
            format!("{what}; `least_durability` refuses that"),
        ));
    }
    tracing::warn!("{what}");
    Ok(found)
}

fn of(row: &Row) -> Result<Durability, tokio_postgres::Error> {
    let (syncs, waits): (bool, &str) = (row.try_get(0)?, row.try_get(1)?);
    let (names_replicas, has_replicas): (bool, bool) = (row.try_get(2)?, row.try_get(3)?);
    let waits_for_replicas = names_replicas && waits != "local";
    Ok(if !syncs || waits == "off" {
        Durability::NotSynced
    } else if has_replicas && !waits_for_replicas {
        Durability::AsynchronousReplica
    } else {
        Durability::Synced
    })
}

/// More is better.
const fn rank(durability: Durability) -> u8 {
    match durability {
        Durability::Synced => 2,
        Durability::AsynchronousReplica => 1,
        _ => 0,
    }
}
