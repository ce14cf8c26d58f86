//! Writing changed users, their new keys, and the announcements of these keys.

use crate::codec;
use crate::error::Fault;
use crate::write::pipeline::{Pipeline, param};
use crate::write::state::BatchState;

/// Sets all columns of users, except those of the key and the inbox floor.
pub(super) const UPDATE_USERS: &str = "UPDATE users u SET inbox_head = n.head, oldest_at = n.oldest_at,
        conversations = n.conversations, registrations = n.registrations
    FROM unnest($1::bytea[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[])
         AS n(id, head, oldest_at, conversations, registrations)
    WHERE u.id = n.id";

pub(super) const UPDATE_KEYS: &str = "UPDATE users u SET key_version = n.version, key = n.key,
        key_binding = n.binding, key_published_at = n.published_at
    FROM unnest($1::bytea[], $2::bigint[], $3::bytea[], $4::smallint[], $5::bigint[])
         AS n(id, version, key, binding, published_at)
    WHERE u.id = n.id";

/// Inserts announcements: the peers in the publisher's conversations numbered above `told`, up to
/// `until`, need the notice. An announcement that exists starts again with the first conversation.
const UPSERT_ANNOUNCEMENTS: &str = "INSERT INTO announcements (publisher, told, until)
    SELECT n.publisher, 0, n.until FROM unnest($1::bytea[], $2::bigint[]) AS n(publisher, until)
    ON CONFLICT (publisher) DO UPDATE SET told = 0, until = excluded.until";

/// Adds the statements that update changed users, store new keys, and insert announcements.
pub(super) async fn write_users<'a>(state: &'a BatchState, pipeline: &mut Pipeline<'a>) -> Result<(), Fault> {
    let changed: Vec<_> =
        state.users.iter().filter(|(_, user)| user.is_changed || user.head != user.head_in_row).collect();
    if !changed.is_empty() {
        let params = vec![
            param(changed.iter().map(|(id, _)| id.as_bytes().as_slice()).collect::<Vec<_>>()),
            param(changed.iter().map(|(_, user)| codec::u64_to_i64(user.head.get())).collect::<Vec<_>>()),
            param(changed.iter().map(|(_, user)| user.oldest_at.map(codec::time_to_i64)).collect::<Vec<_>>()),
            param(changed.iter().map(|(_, user)| codec::u64_to_i64(user.conversations)).collect::<Vec<_>>()),
            param(changed.iter().map(|(_, user)| codec::u64_to_i64(user.registrations)).collect::<Vec<_>>()),
        ];
        pipeline.add(UPDATE_USERS, params).await?;
    }
    let keys: Vec<_> =
        state.users.values().filter(|user| user.has_new_key).filter_map(|user| user.key.as_ref()).collect();
    if !keys.is_empty() {
        let params = vec![
            param(keys.iter().map(|key| key.user.as_bytes().as_slice()).collect::<Vec<_>>()),
            param(keys.iter().map(|key| i64::from(key.version.get())).collect::<Vec<_>>()),
            param(keys.iter().map(|key| key.key.as_bytes().as_slice()).collect::<Vec<_>>()),
            param(keys.iter().map(|key| i16::from(key.binding.code())).collect::<Vec<_>>()),
            param(keys.iter().map(|key| codec::time_to_i64(key.published_at)).collect::<Vec<_>>()),
        ];
        pipeline.add(UPDATE_KEYS, params).await?;
    }
    if !state.announcements.is_empty() {
        let params = vec![
            param(state.announcements.keys().map(|id| id.as_bytes().as_slice()).collect::<Vec<_>>()),
            param(state.announcements.values().map(|until| codec::u64_to_i64(*until)).collect::<Vec<_>>()),
        ];
        pipeline.add(UPSERT_ANNOUNCEMENTS, params).await?;
    }
    Ok(())
}
