//! [`Reservation`]: a segment that sends reserves the numbers of its new entries and messages with
//! the statements that lock users and conversations.
//!
//! These statements raise the heads of inboxes and conversations by the counts of entries and
//! messages that the segment is going to append, and return the raised rows. So each row is written
//! once. If the segment locked a row first and raised its head later, the row would be written
//! twice.
//!
//! A refused or repeated send does not use its reserved numbers. The statements that write the
//! changed rows then lower the heads to the used numbers. This second change of a row is rare,
//! because nearly every send is stored. Until the commit no other transaction sees the raised
//! heads.

use std::collections::BTreeMap;

use dm_core::store::{ConversationId, Timestamp, UserId, Write};
use uuid::Uuid;

use crate::codec;
use crate::error::Fault;
use crate::write::lock_set::LockSet;
use crate::write::pipeline::{Pipeline, param};

/// Locks users and raises their inbox heads. The rows are locked in the order of the array, because
/// the settings of the database session allow no other plan than a loop over the array: see
/// [`parameters`](crate::connection::parameters). A test in `query_plans.rs` checks the plan.
pub(crate) const RESERVE_ENTRIES: &str = "UPDATE users u SET inbox_head = u.inbox_head + n.entries
    FROM unnest($1::bytea[], $2::bigint[]) AS n(id, entries) WHERE u.id = n.id
    RETURNING u.id, u.inbox_head, u.inbox_floor, u.oldest_at, u.conversations,
           u.registrations, u.key_version, u.key, u.key_binding, u.key_published_at, n.entries";

/// Raises the heads of conversations whose participants are locked.
pub(super) const RESERVE_MESSAGES: &str =
    "UPDATE conversations c SET head = c.head + n.messages, last_at = n.last_at
    FROM unnest($1::uuid[], $2::bigint[], $3::bigint[]) AS n(id, messages, last_at) WHERE c.id = n.id
    RETURNING c.id, c.a, c.b, c.opened_at, c.head, n.messages";

/// The counts of entries and messages that a segment appends if none of its sends is refused or
/// repeated.
pub(super) struct Reservation {
    /// The count of new entries for each user of the batch; zero for users who are only locked.
    entries: BTreeMap<UserId, usize>,
    /// The count of new messages for each conversation, and the time of the last one.
    messages: BTreeMap<ConversationId, (usize, Timestamp)>,
}

impl Reservation {
    /// Counts the entries and messages. Returns `None` if numbers cannot be reserved:
    /// - if the segment appends no message;
    /// - if the batch appends to a conversation that is not in the cache;
    /// - if the segment opens a conversation, because the conversation's row may not exist.
    pub(super) fn count(writes: &[Write], lock_set: &LockSet) -> Option<Self> {
        if !lock_set.uncached.is_empty() {
            return None;
        }
        let mut entries: BTreeMap<_, _> = lock_set.users.iter().map(|user| (*user, 0)).collect();
        let mut messages = BTreeMap::new();
        for write in writes {
            match write {
                Write::OpenConversation(_) => return None,
                Write::AppendMessage(write) => {
                    let participants = lock_set.participants.get(&write.conversation)?;
                    for user in [participants.a(), participants.b()] {
                        *entries.entry(user).or_default() += 1;
                    }
                    let (count, last_at) = messages.entry(write.conversation).or_insert((0, write.at));
                    (*count, *last_at) = (*count + 1, write.at);
                }
                _ => {}
            }
        }
        (!messages.is_empty()).then_some(Self { entries, messages })
    }

    /// Adds the statement that locks users and reserves entries.
    pub(super) async fn reserve_entries(&self, pipeline: &mut Pipeline<'_>) -> Result<(), Fault> {
        let users: Vec<Vec<u8>> = self.entries.keys().map(|user| user.as_bytes().to_vec()).collect();
        let entries: Vec<i64> = self.entries.values().map(|entries| codec::usize_to_i64(*entries)).collect();
        pipeline.add(RESERVE_ENTRIES, vec![param(users), param(entries)]).await
    }

    /// Adds the statement that reserves messages.
    pub(super) async fn reserve_messages(&self, pipeline: &mut Pipeline<'_>) -> Result<(), Fault> {
        let ids: Vec<Uuid> = self.messages.keys().map(|id| codec::uuid(id.as_bytes())).collect();
        let counts: Vec<i64> = self.messages.values().map(|(count, _)| codec::usize_to_i64(*count)).collect();
        let times: Vec<i64> =
            self.messages.values().map(|(_, last_at)| codec::time_to_i64(*last_at)).collect();
        pipeline.add(RESERVE_MESSAGES, vec![param(ids), param(counts), param(times)]).await
    }
}
