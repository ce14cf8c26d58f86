//! Writing changed records.

use crate::codec;
use crate::error::Fault;
use crate::write::pipeline::{Pipeline, param};
use crate::write::state::BatchState;

pub(super) const DELETE_RECORDS: &str = "DELETE FROM records r
    USING unnest($1::bytea[], $2::integer[], $3::bytea[]) AS n(owner, kind, name)
    WHERE r.owner = n.owner AND r.kind = n.kind AND r.name = n.name";

const UPSERT_RECORDS: &str = "INSERT INTO records (owner, kind, name, value, tag, due, revision)
    SELECT * FROM unnest($1::bytea[], $2::integer[], $3::bytea[], $4::bytea[], $5::uuid[], $6::bigint[],
        $7::bigint[])
    ON CONFLICT (owner, kind, name) DO UPDATE SET value = excluded.value, tag = excluded.tag,
        due = excluded.due, revision = excluded.revision";

/// Adds the statements that delete removed records and insert or replace stored ones.
pub(super) async fn write_records<'a>(
    state: &'a BatchState,
    pipeline: &mut Pipeline<'a>,
) -> Result<(), Fault> {
    let removed: Vec<_> = state.records.removed().collect();
    if !removed.is_empty() {
        let params = vec![
            param(removed.iter().map(|key| codec::owner(key.owner)).collect::<Vec<_>>()),
            param(removed.iter().map(|key| codec::kind(key.kind)).collect::<Vec<_>>()),
            param(removed.iter().map(|key| key.name.as_bytes()).collect::<Vec<_>>()),
        ];
        pipeline.add(DELETE_RECORDS, params).await?;
    }
    let stored: Vec<_> = state.records.stored().collect();
    if !stored.is_empty() {
        let params = vec![
            param(stored.iter().map(|record| codec::owner(record.key.owner)).collect::<Vec<_>>()),
            param(stored.iter().map(|record| codec::kind(record.key.kind)).collect::<Vec<_>>()),
            param(stored.iter().map(|record| record.key.name.as_bytes()).collect::<Vec<_>>()),
            param(stored.iter().map(|record| &record.value[..]).collect::<Vec<_>>()),
            param(stored.iter().map(|record| codec::tag(record.tag)).collect::<Vec<_>>()),
            param(stored.iter().map(|record| record.due.map(codec::time_to_i64)).collect::<Vec<_>>()),
            param(stored.iter().map(|record| codec::u64_to_i64(record.revision.get())).collect::<Vec<_>>()),
        ];
        pipeline.add(UPSERT_RECORDS, params).await?;
    }
    Ok(())
}
