//! [`Reservation`]: a segment that appends messages or entries reserves their numbers with the
//! statements that lock users and conversations.
//!
//! These statements raise the heads of inboxes and conversations by the counts of entries and
//! messages that the segment is going to append, and return the raised rows. So each row is written
//! once. If the segment locked a row first and raised its head later, the row would be written
//! twice.
//!
//! A refused or repeated write does not use its reserved numbers. The statements that write the
//! changed rows then lower the heads to the used numbers. This second change of a row is rare,
//! because nearly every send is stored. Until the commit no other transaction sees the raised
//! heads.

use std::collections::BTreeMap;

use dm_core::store::{Action, ConversationId, Counts, Timestamp, UserId, Write};
use uuid::Uuid;

use crate::codec;
use crate::error::Fault;
use crate::write::load::rows::{RowKind, USER_COLUMNS};
use crate::write::lock_set::LockSet;
use crate::write::pipeline::{Pipeline, param};

/// Locks users and raises their inbox heads. The rows are locked in the order of the array, because
/// the settings of the database session allow no other plan than a loop over the array: see
/// [`parameters`](crate::connection::parameters). A test in `query_plans.rs` checks the plan.
pub(crate) fn entries_statement() -> String {
    format!(
        "UPDATE users u SET inbox_head = u.inbox_head + n.entries
         FROM unnest($1::bytea[], $2::bigint[]) AS n(id, entries) WHERE u.id = n.id
         RETURNING {USER_COLUMNS}, n.entries"
    )
}

/// Raises the heads and the counts of conversations whose participants are locked. `n` has the counts
/// of the segment's messages alone, as if the conversation had no others. Returns the conversations
/// as they were, without the time of the newest message, and with the new head as the last column.
///
/// What a participant has seen cannot be worked out from the new value. So the statement keeps the
/// old one in the row: a second look-up of each row would cost more.
pub(super) const RESERVE_MESSAGES: &str =
    "UPDATE conversations c SET head = c.head + n.a_sent + n.b_sent, last_at = n.last_at,
        a_sent = c.a_sent + n.a_sent, a_bytes = c.a_bytes + n.a_bytes, a_seen_before = c.a_seen,
        a_seen = CASE WHEN n.a_sent = 0 THEN c.a_seen ELSE c.b_sent + n.a_seen END,
        b_sent = c.b_sent + n.b_sent, b_bytes = c.b_bytes + n.b_bytes, b_seen_before = c.b_seen,
        b_seen = CASE WHEN n.b_sent = 0 THEN c.b_seen ELSE c.a_sent + n.b_seen END
    FROM unnest($1::uuid[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[],
                $7::bigint[], $8::bigint[]) AS n(id, last_at, a_sent, a_bytes, a_seen, b_sent, b_bytes, b_seen)
    WHERE c.id = n.id
    RETURNING c.id, c.a, c.b, c.opened_at, c.head - n.a_sent - n.b_sent, NULL::bigint,
        c.a_sent - n.a_sent, c.a_bytes - n.a_bytes, c.a_seen_before,
        c.b_sent - n.b_sent, c.b_bytes - n.b_bytes, c.b_seen_before, c.fence, c.gate, c.head";

/// The counts of entries and messages that a segment appends if none of its writes is refused or
/// repeated.
pub(super) struct Reservation {
    /// The count of new entries for each user of the batch; zero for users who are only locked.
    entries: BTreeMap<UserId, usize>,
    /// The new messages of each conversation, and the time of the last one.
    messages: BTreeMap<ConversationId, (Counts, Timestamp)>,
}

impl Reservation {
    /// Counts the entries and messages. Returns `None` if numbers cannot be reserved:
    /// - if the segment appends no entry;
    /// - if the batch appends to a conversation that is not in the cache;
    /// - if the segment opens a conversation, because the conversation's row may not exist;
    /// - if the segment is an expiry, because it is loaded twice.
    pub(super) fn count(writes: &[Write], lock_set: &LockSet) -> Option<Self> {
        if !lock_set.uncached.is_empty() {
            return None;
        }
        let mut entries: BTreeMap<_, _> = lock_set.users.iter().map(|user| (*user, 0)).collect();
        let mut messages = BTreeMap::new();
        let mut has_entries = false;
        for write in writes.iter().filter(|write| write.validate().is_ok()) {
            match &write.action {
                Action::OpenConversation(_) | Action::Expire(_) => return None,
                Action::AppendMessage(write) => {
                    let participants = lock_set.participants.get(&write.conversation)?;
                    // A send by anybody else is refused.
                    let Some(side) = participants.side(write.sender.user) else { continue };
                    for user in [participants.a(), participants.b()] {
                        *entries.entry(user).or_default() += 1;
                    }
                    let (counts, last_at) =
                        messages.entry(write.conversation).or_insert((Counts::default(), write.at));
                    *counts = counts.after_message(side, write.ciphertext.len() as u64);
                    *last_at = write.at;
                    has_entries = true;
                }
                _ => {}
            }
            for post in &write.posts {
                *entries.entry(post.to).or_default() += 1;
                has_entries = true;
            }
        }
        has_entries.then_some(Self { entries, messages })
    }

    /// Adds the statement that locks users and reserves entries.
    pub(super) async fn reserve_entries(
        &self,
        pipeline: &mut Pipeline<'_>,
        kinds: &mut Vec<RowKind>,
    ) -> Result<(), Fault> {
        let users: Vec<Vec<u8>> = self.entries.keys().map(|user| user.as_bytes().to_vec()).collect();
        let entries: Vec<i64> = self.entries.values().map(|entries| codec::usize_to_i64(*entries)).collect();
        pipeline.add(entries_statement(), vec![param(users), param(entries)]).await?;
        kinds.push(RowKind::ReservedEntries);
        Ok(())
    }

    /// Adds the statement that reserves messages, if there are any.
    pub(super) async fn reserve_messages(
        &self,
        pipeline: &mut Pipeline<'_>,
        kinds: &mut Vec<RowKind>,
    ) -> Result<(), Fault> {
        if self.messages.is_empty() {
            return Ok(());
        }
        let ids: Vec<Uuid> = self.messages.keys().map(|id| codec::uuid(id.as_bytes())).collect();
        let column = |number: fn(&Counts) -> u64| -> Vec<i64> {
            self.messages.values().map(|(counts, _)| codec::u64_to_i64(number(counts))).collect()
        };
        let times: Vec<i64> =
            self.messages.values().map(|(_, last_at)| codec::time_to_i64(*last_at)).collect();
        let params = vec![
            param(ids),
            param(times),
            param(column(|counts| counts.a.sent.get())),
            param(column(|counts| counts.a.bytes)),
            param(column(|counts| counts.a.seen.get())),
            param(column(|counts| counts.b.sent.get())),
            param(column(|counts| counts.b.bytes)),
            param(column(|counts| counts.b.seen.get())),
        ];
        pipeline.add(RESERVE_MESSAGES, params).await?;
        kinds.push(RowKind::ReservedMessages);
        Ok(())
    }
}
