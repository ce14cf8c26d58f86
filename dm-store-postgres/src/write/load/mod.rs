//! Loading. One round trip locks users and reads the rows that a segment concerns. A segment is a
//! part of a batch: see [`Segment`](crate::write::segment::Segment).

mod conversations;
mod devices;
mod messages;
mod records;
mod reserve;
mod rows;
mod users;

use dm_core::store::Write;
use uuid::Uuid;

use crate::codec;
use crate::connection::TimedClient;
use crate::error::Fault;
use crate::write::lock_set::LockSet;
use crate::write::participants_cache::ParticipantsCache;
use crate::write::pipeline::{Pipeline, param};
use crate::write::state::BatchState;
use reserve::Reservation;

pub(super) use records::read_unmet_fences;
#[cfg(test)]
pub(crate) use reserve::entries_statement;
pub(super) use rows::RowKind;
pub(super) use users::ensure_users;

/// Reads what must be known before the transaction begins, in a round trip of its own; no round trip
/// if there is nothing to read. None of it ever changes, so it needs no lock:
/// - the inbox numbers of the messages that the batch acknowledges by their ids;
/// - the participants of the conversations that own records of the batch, unless they are cached.
pub(super) async fn read_before_locks(
    client: TimedClient<'_>,
    batch: &[Write],
    lock_set: &mut LockSet,
    cache: &ParticipantsCache,
    state: &mut BatchState,
) -> Result<(), Fault> {
    let (mut pipeline, mut kinds) = (Pipeline::new(client), Vec::new());
    messages::read_inbox_numbers(&mut pipeline, &mut kinds, batch).await?;
    let ids: Vec<Uuid> = lock_set.unresolved.keys().map(|id| codec::uuid(id.as_bytes())).collect();
    if kinds.is_empty() && ids.is_empty() {
        return Ok(());
    }
    if !ids.is_empty() {
        pipeline.add(conversations::PARTICIPANTS, vec![param(ids)]).await?;
    }
    let mut rows = pipeline.execute().await?;
    for (kind, rows) in kinds.into_iter().zip(&mut rows) {
        state.load(kind, rows)?;
    }
    let found = conversations::participants(&rows.next().unwrap_or_default())?;
    for (id, participants) in &found {
        cache.insert(*id, *participants);
    }
    lock_set.resolve(&found);
    Ok(())
}

/// Adds to `pipeline` the statements that lock the users and the guards of a batch. Adds to `kinds`
/// the kind of rows that each of these statements returns.
pub(super) async fn lock_only(
    pipeline: &mut Pipeline<'_>,
    kinds: &mut Vec<RowKind>,
    lock_set: &LockSet,
) -> Result<(), Fault> {
    users::lock_users(pipeline, lock_set).await?;
    kinds.push(RowKind::Ignored);
    users::lock_guards(pipeline, kinds, lock_set).await
}

/// Adds to `pipeline` the statements that lock the users and the guards of a batch and read a
/// segment's rows. Adds to `kinds` the kind of rows that each of these statements returns.
pub(super) async fn lock_and_read<'a>(
    pipeline: &mut Pipeline<'a>,
    kinds: &mut Vec<RowKind>,
    lock_set: &LockSet,
    writes: &'a [Write],
    state: &BatchState,
) -> Result<(), Fault> {
    let reservation = Reservation::count(writes, lock_set);
    if let Some(reservation) = &reservation {
        reservation.reserve_entries(pipeline, kinds).await?;
    } else {
        users::lock_users(pipeline, lock_set).await?;
        kinds.push(RowKind::Users);
    }
    users::lock_guards(pipeline, kinds, lock_set).await?;
    if let Some(reservation) = &reservation {
        reservation.reserve_messages(pipeline, kinds).await?;
    }
    conversations::read_conversations(pipeline, kinds, writes, reservation.is_some()).await?;
    messages::read_sent(pipeline, kinds, writes).await?;
    devices::read_devices(pipeline, kinds, writes).await?;
    devices::read_unacknowledged(pipeline, kinds, writes, state).await?;
    records::read_records(pipeline, kinds, writes).await
}

/// The statements of this module that must find their rows by an index, for the test `query_plans`.
#[cfg(test)]
pub(super) fn indexed_statements() -> Vec<String> {
    let fixed = [
        conversations::CONVERSATIONS,
        conversations::PARTICIPANTS,
        reserve::RESERVE_MESSAGES,
        devices::DEVICES,
        devices::UNACKNOWLEDGED,
        messages::INBOX_NUMBERS,
    ];
    let made = [
        users::lock_users_statement(),
        entries_statement(),
        messages::sent_statement(),
        records::keys_statement(),
        records::windows_statement(),
    ];
    fixed.into_iter().map(str::to_owned).chain(made).collect()
}
