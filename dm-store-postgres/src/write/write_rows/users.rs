//! Writing changed users.

use crate::codec;
use crate::error::Fault;
use crate::write::pipeline::{Pipeline, param};
use crate::write::state::{BatchState, User};

/// Sets all columns of users, except those of the inbox floor.
pub(super) const UPDATE_USERS: &str = "UPDATE users u SET inbox_head = n.head, oldest_at = n.oldest_at,
        registrations = n.registrations, revision_head = n.revision_head, revision_floor = n.revision_floor,
        fence = n.fence, gate = n.gate
    FROM unnest($1::bytea[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[],
                $7::uuid[], $8::bytea[])
         AS n(id, head, oldest_at, registrations, revision_head, revision_floor, fence, gate)
    WHERE u.id = n.id";

/// Adds the statement that updates changed users.
pub(super) async fn write_users<'a>(state: &'a BatchState, pipeline: &mut Pipeline<'a>) -> Result<(), Fault> {
    let is_changed = |user: &User| user.is_changed || user.head != user.head_in_row;
    let changed: Vec<_> = state.users.iter().filter(|(_, user)| is_changed(user)).collect();
    if changed.is_empty() {
        return Ok(());
    }
    let number = |number: fn(&User) -> u64| {
        param(changed.iter().map(|(_, user)| codec::u64_to_i64(number(user))).collect::<Vec<_>>())
    };
    let params = vec![
        param(changed.iter().map(|(id, _)| id.as_bytes().as_slice()).collect::<Vec<_>>()),
        number(|user| user.head.get()),
        param(changed.iter().map(|(_, user)| user.oldest_at.map(codec::time_to_i64)).collect::<Vec<_>>()),
        number(|user| user.registration.get()),
        number(|user| user.revisions.head.get()),
        number(|user| user.revisions.floor.get()),
        param(changed.iter().map(|(_, user)| user.fence.map(codec::tag)).collect::<Vec<_>>()),
        param(changed.iter().map(|(_, user)| codec::user_gate(user.gate)).collect::<Vec<_>>()),
    ];
    pipeline.add(UPDATE_USERS, params).await
}
