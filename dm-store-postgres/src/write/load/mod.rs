//! Loading. One round trip locks users and reads the rows that a segment concerns. A segment is a
//! part of a batch: see [`Segment`](crate::write::segment::Segment).

mod conversations;
mod devices;
mod messages;
mod reserve;
mod rows;
mod users;

use dm_core::store::Write;

use crate::error::Fault;
use crate::write::lock_set::LockSet;
use crate::write::pipeline::Pipeline;
use crate::write::state::BatchState;
use reserve::Reservation;

pub(super) use messages::load_inbox_numbers;
#[cfg(test)]
pub(crate) use reserve::RESERVE_ENTRIES;
pub(super) use rows::RowKind;
pub(super) use users::{ensure_users, lock_users};

/// Adds to `pipeline` the statements that lock a segment's users and read its rows. Adds to `kinds`
/// the kind of rows that each of these statements returns.
pub(super) async fn lock_and_read<'a>(
    pipeline: &mut Pipeline<'a>,
    kinds: &mut Vec<RowKind>,
    lock_set: &LockSet,
    writes: &'a [Write],
    state: &BatchState,
) -> Result<(), Fault> {
    if let Some(reservation) = Reservation::count(writes, lock_set) {
        reservation.reserve_entries(pipeline).await?;
        kinds.push(RowKind::ReservedEntries);
        reservation.reserve_messages(pipeline).await?;
        kinds.push(RowKind::ReservedMessages);
    } else {
        lock_users(pipeline, lock_set).await?;
        kinds.push(RowKind::Users);
        conversations::read_conversations(pipeline, kinds, writes).await?;
    }
    messages::read_sent(pipeline, kinds, writes).await?;
    devices::read_devices(pipeline, kinds, writes).await?;
    devices::read_unacknowledged(pipeline, kinds, writes, state).await
}

/// The statements of this module that must find their rows by an index, for the test `query_plans`.
#[cfg(test)]
pub(super) fn indexed_statements() -> Vec<String> {
    let fixed = [
        users::LOCK_USERS,
        conversations::CONVERSATIONS,
        RESERVE_ENTRIES,
        reserve::RESERVE_MESSAGES,
        devices::DEVICES,
        devices::UNACKNOWLEDGED,
        messages::INBOX_NUMBERS,
    ];
    fixed.into_iter().map(str::to_owned).chain([messages::sent_statement()]).collect()
}
