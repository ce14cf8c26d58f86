//! Writing new and changed devices, and their individual acknowledgements.

use crate::codec;
use crate::error::Fault;
use crate::write::pipeline::{Pipeline, param};
use crate::write::state::BatchState;

const INSERT_DEVICES: &str = "INSERT INTO devices (user_id, device, number, cursor, registered_at)
    SELECT * FROM unnest($1::bytea[], $2::text[], $3::bigint[], $4::bigint[], $5::bigint[])";

pub(super) const UPDATE_DEVICES: &str = "UPDATE devices d SET cursor = n.cursor
    FROM unnest($1::bytea[], $2::text[], $3::bigint[]) AS n(user_id, device, cursor)
    WHERE d.user_id = n.user_id AND d.device = n.device";

const INSERT_ACKED: &str = "INSERT INTO acked (user_id, device, seq)
    SELECT * FROM unnest($1::bytea[], $2::text[], $3::bigint[]) ON CONFLICT DO NOTHING";

pub(super) const DELETE_ACKED: &str = "DELETE FROM acked k
    USING unnest($1::bytea[], $2::text[], $3::bigint[]) AS n(user_id, device, cursor)
    WHERE k.user_id = n.user_id AND k.device = n.device AND k.seq <= n.cursor";

pub(super) const FORGET_DEVICES: &str = "DELETE FROM devices d
    USING unnest($1::bytea[], $2::text[]) AS n(user_id, device)
    WHERE d.user_id = n.user_id AND d.device = n.device";

pub(super) const FORGET_ACKED: &str = "DELETE FROM acked k
    USING unnest($1::bytea[], $2::text[]) AS n(user_id, device)
    WHERE k.user_id = n.user_id AND k.device = n.device";

/// Adds the statements that delete the forgotten devices, with their individual acknowledgements.
pub(super) async fn delete_forgotten<'a>(
    state: &'a BatchState,
    pipeline: &mut Pipeline<'a>,
) -> Result<(), Fault> {
    if state.forgotten.is_empty() {
        return Ok(());
    }
    for sql in [FORGET_DEVICES, FORGET_ACKED] {
        let params = vec![
            param(state.forgotten.iter().map(|who| who.user.as_bytes().as_slice()).collect::<Vec<_>>()),
            param(state.forgotten.iter().map(|who| who.device.as_str()).collect::<Vec<_>>()),
        ];
        pipeline.add(sql, params).await?;
    }
    Ok(())
}

/// Adds the statements that insert new devices and update changed cursors. Also adds those that
/// insert new individual acknowledgements above the cursor and delete stored ones up to the cursor.
pub(super) async fn write_devices<'a>(
    state: &'a BatchState,
    pipeline: &mut Pipeline<'a>,
) -> Result<(), Fault> {
    let new: Vec<_> = state
        .devices
        .iter()
        .filter_map(|(who, device)| device.registered_at.map(|at| (who, device, at)))
        .collect();
    if !new.is_empty() {
        let params = vec![
            param(new.iter().map(|(who, ..)| who.user.as_bytes().as_slice()).collect::<Vec<_>>()),
            param(new.iter().map(|(who, ..)| who.device.as_str()).collect::<Vec<_>>()),
            param(new.iter().map(|(_, d, _)| codec::u64_to_i64(d.registration.get())).collect::<Vec<_>>()),
            param(new.iter().map(|(_, device, _)| codec::u64_to_i64(device.cursor)).collect::<Vec<_>>()),
            param(new.iter().map(|(_, _, at)| codec::time_to_i64(*at)).collect::<Vec<_>>()),
        ];
        pipeline.add(INSERT_DEVICES, params).await?;
    }
    let changed: Vec<_> = state
        .devices
        .iter()
        .filter(|(_, device)| device.is_changed && device.registered_at.is_none())
        .collect();
    if changed.is_empty() {
        return Ok(());
    }
    let params = vec![
        param(changed.iter().map(|(who, _)| who.user.as_bytes().as_slice()).collect::<Vec<_>>()),
        param(changed.iter().map(|(who, _)| who.device.as_str()).collect::<Vec<_>>()),
        param(changed.iter().map(|(_, device)| codec::u64_to_i64(device.cursor)).collect::<Vec<_>>()),
    ];
    pipeline.add(UPDATE_DEVICES, params).await?;

    let acked: Vec<_> = changed
        .iter()
        .flat_map(|(who, device)| {
            device.newly_acked.iter().filter(|seq| **seq > device.cursor).map(move |seq| (who, *seq))
        })
        .collect();
    if !acked.is_empty() {
        let params = vec![
            param(acked.iter().map(|(who, _)| who.user.as_bytes().as_slice()).collect::<Vec<_>>()),
            param(acked.iter().map(|(who, _)| who.device.as_str()).collect::<Vec<_>>()),
            param(acked.iter().map(|(_, seq)| codec::u64_to_i64(*seq)).collect::<Vec<_>>()),
        ];
        pipeline.add(INSERT_ACKED, params).await?;
    }
    let compacted: Vec<_> = changed.iter().filter(|(_, device)| device.highest_acked.is_some()).collect();
    if !compacted.is_empty() {
        let params = vec![
            param(compacted.iter().map(|(who, _)| who.user.as_bytes().as_slice()).collect::<Vec<_>>()),
            param(compacted.iter().map(|(who, _)| who.device.as_str()).collect::<Vec<_>>()),
            param(compacted.iter().map(|(_, device)| codec::u64_to_i64(device.cursor)).collect::<Vec<_>>()),
        ];
        pipeline.add(DELETE_ACKED, params).await?;
    }
    Ok(())
}
