//! Gates of pairs and of users.

use dm_core::store::{Conversation, Gate, Participants, UserGate, UserId};
use rusqlite::{OptionalExtension, Result, params};

use super::Batch;
use crate::codec::{self, gate};

/// What is stored about a pair of users.
#[derive(Default)]
pub(super) struct Pair {
    /// The conversation of the pair, and its `ref`; `None` if the pair has none.
    pub(super) conversation: Option<(Conversation, i64)>,
    pub(super) gate: Gate,
}

impl Batch<'_> {
    /// Finds the conversation and the gate of a pair.
    pub(super) fn pair(&mut self, participants: Participants) -> Result<Pair> {
        let (a, b) = (self.user(participants.a())?, self.user(participants.b())?);
        let Some((a, b)) = a.zip(b) else { return Ok(Pair::default()) };
        let refs = [a.inbox.user_ref, b.inbox.user_ref];
        let found = self
            .connection
            .prepare_cached("SELECT ref, id, opened_at, gate FROM dm_conversations WHERE a = ?1 AND b = ?2")?
            .query_row(refs, |row| {
                let (id, opened_at) = (codec::get_conversation(row, 1)?, codec::get_time(row, 2)?);
                let conversation = Conversation { id, participants, opened_at };
                Ok(Pair { conversation: Some((conversation, row.get(0)?)), gate: gate::get_gate(row, 3)? })
            })
            .optional()?;
        if let Some(found) = found {
            return Ok(found);
        }
        let gate = self
            .connection
            .prepare_cached("SELECT gate FROM dm_gates WHERE a = ?1 AND b = ?2")?
            .query_row(refs, |row| gate::get_gate(row, 0))
            .optional()?;
        Ok(Pair { conversation: None, gate: gate.unwrap_or_default() })
    }

    /// Replaces the gate of a pair: in the row of its conversation, or in a row of its own while it
    /// has none.
    pub(super) fn update_gate(&mut self, participants: Participants, gate: Gate) -> Result<()> {
        let encoded = gate::gate(&gate);
        if let Some((conversation, conversation_ref)) = self.pair(participants)?.conversation {
            self.connection
                .prepare_cached("UPDATE dm_conversations SET gate = ?2 WHERE ref = ?1")?
                .execute(params![conversation_ref, encoded])?;
            if let Some(known) = self.heads.conversation_mut(conversation.id) {
                known.gate = gate;
            }
            return Ok(());
        }
        let a = self.user_or_new(participants.a())?.inbox.user_ref;
        let b = self.user_or_new(participants.b())?.inbox.user_ref;
        match encoded {
            Some(encoded) => self
                .connection
                .prepare_cached("INSERT OR REPLACE INTO dm_gates (a, b, gate) VALUES (?1, ?2, ?3)")?
                .execute(params![a, b, encoded])?,
            None => self.delete_gate(a, b)?,
        };
        Ok(())
    }

    /// Deletes the gate of a pair that has no conversation, or had none until now.
    pub(super) fn delete_gate(&self, a: i64, b: i64) -> Result<usize> {
        self.connection.prepare_cached("DELETE FROM dm_gates WHERE a = ?1 AND b = ?2")?.execute([a, b])
    }

    /// Replaces the gate of a user.
    pub(super) fn update_user_gate(&mut self, user: UserId, gate: UserGate) -> Result<()> {
        let user_ref = self.user_or_new(user)?.inbox.user_ref;
        self.connection
            .prepare_cached("UPDATE dm_users SET gate = ?2 WHERE ref = ?1")?
            .execute(params![user_ref, gate::user_gate(&gate)])?;
        if let Some(known) = self.heads.user_mut(user) {
            known.gate = gate;
        }
        Ok(())
    }
}
