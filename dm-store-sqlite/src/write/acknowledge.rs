//! Acknowledges inbox entries for a device.

use dm_core::store::{
    AckDecision, AckState, Acknowledge, Acknowledged, Answer, InboxSeq, MessageId, Prepared, Principal,
    Refusal, Stop,
};
use rusqlite::{Error, OptionalExtension, Result, params};

use super::Batch;
use super::plan::{AcknowledgePlan, Device, Plan};
use crate::codec;

impl Batch<'_> {
    /// Checks an acknowledgement. Refused if the device is not registered, or if an entry is beyond
    /// the newest.
    pub(super) fn plan_acknowledgement(&mut self, write: Acknowledge) -> Result<Prepared<Plan>, Stop<Error>> {
        let device = self.device(&write.who).map_err(Stop::Failed)?.ok_or(Refusal::UnknownDevice)?;
        let user = self.user(write.who.user).map_err(Stop::Failed)?.ok_or(Refusal::UnknownDevice)?;
        let state = AckState { cursor: device.cursor, head: user.inbox.head, floor: device.floor };
        let decision = write.decide(state, |id| self.entry_about(device, id).map_err(Stop::Failed))?;
        Ok(Prepared::Ready(Plan::Acknowledge(AcknowledgePlan { who: write.who, device, decision })))
    }

    /// Marks entries as acknowledged and advances the device's cursor.
    pub(super) fn acknowledge(&mut self, plan: AcknowledgePlan) -> Result<Answer> {
        let AcknowledgePlan { who, device, decision: AckDecision { done, marks } } = plan;
        for seq in marks {
            self.connection
                .prepare_cached("INSERT OR IGNORE INTO dm_acked (device, seq) VALUES (?1, ?2)")?
                .execute(params![device.device_ref, codec::u64_to_i64(seq.get())])?;
        }
        let cursor = self.advance_cursor(&who, device, done.cursor)?;
        Ok(Answer::Acknowledged(Acknowledged { cursor, ..done }))
    }

    /// The number of the entry about a message in the inbox of the device's user. Zero if there is
    /// none.
    fn entry_about(&self, device: Device, id: MessageId) -> Result<InboxSeq> {
        let found = self
            .connection
            .prepare_cached(
                "SELECT iif(m.sender = +?2, m.sender_seq, m.recipient_seq)
                 FROM dm_messages m JOIN dm_conversations c ON c.ref = m.conversation
                 WHERE m.id = +?1 AND +?2 IN (c.a, c.b)",
            )?
            .query_row(params![id.as_bytes(), device.user_ref], |row| codec::get_seq(row, 0))
            .optional()?;
        Ok(found.unwrap_or(InboxSeq::ZERO))
    }

    /// Advances a device's cursor from `cursor` and returns it. The new cursor is the last entry
    /// marked as acknowledged before the first entry that blocks the cursor. The marks up to the
    /// cursor are deleted.
    ///
    /// Only entries about messages block the cursor, and of these only entries that the device
    /// neither caused nor acknowledged. A notice or an expired entry does not block the cursor if a
    /// later entry is acknowledged: an acknowledgement by message ids cannot name such an entry,
    /// and entries are delivered in order.
    fn advance_cursor(&self, who: &Principal, device: Device, cursor: InboxSeq) -> Result<InboxSeq> {
        let newest: Option<i64> = self
            .connection
            .prepare_cached("SELECT max(seq) FROM dm_acked WHERE device = +?1")?
            .query_row([device.device_ref], |row| row.get(0))?;
        let mut advanced = codec::u64_to_i64(cursor.get());
        if newest.is_some_and(|newest| newest > advanced) {
            let blocking = self.first_unacknowledged(who, device, advanced)?.unwrap_or(i64::MAX);
            let ahead: Option<i64> = self
                .connection
                .prepare_cached(
                    "SELECT max(seq) FROM dm_acked WHERE device = +?1 AND seq > +?2 AND seq < +?3",
                )?
                .query_row([device.device_ref, advanced, blocking], |row| row.get(0))?;
            advanced = ahead.unwrap_or(advanced);
        }
        if newest.is_some() {
            self.connection
                .prepare_cached("DELETE FROM dm_acked WHERE device = ?1 AND seq <= ?2")?
                .execute([device.device_ref, advanced])?;
        }
        let advanced = InboxSeq::new(advanced.cast_unsigned());
        if advanced != device.cursor {
            self.connection
                .prepare_cached("UPDATE dm_devices SET cursor = ?2 WHERE ref = ?1")?
                .execute(params![device.device_ref, codec::u64_to_i64(advanced.get())])?;
        }
        Ok(advanced)
    }

    /// The number of the first entry above `after` that blocks the device's cursor: it is about a
    /// message, and the device neither caused nor acknowledged it. `None` if there is none.
    fn first_unacknowledged(&self, who: &Principal, device: Device, after: i64) -> Result<Option<i64>> {
        let statement = "SELECT r.seq FROM {table} r
                         WHERE {run_condition} AND r.user = +?2 AND r.seq > +?3
                           AND r.message IS NOT NULL AND r.origin IS NOT +?4
                           AND NOT EXISTS (SELECT 1 FROM dm_acked k WHERE k.device = +?5 AND k.seq = r.seq)
                         ORDER BY r.seq LIMIT 1";
        let after = after.max(codec::u64_to_i64(device.floor.get()));
        for source in self.recent.runs.inbox_sources(device.user_ref, after) {
            let found = self
                .connection
                .prepare_cached(&source.inbox_sql(statement))?
                .query_row(
                    params![
                        source.run_number(),
                        device.user_ref,
                        source.after,
                        codec::origin(Some(&who.device)),
                        device.device_ref
                    ],
                    |row| row.get(0),
                )
                .optional()?;
            if found.is_some() {
                return Ok(found);
            }
        }
        Ok(None)
    }
}
