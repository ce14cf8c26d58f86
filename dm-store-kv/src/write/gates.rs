//! The gates of pairs of users. The gate of a pair is in the row of its conversation, which a send
//! reads anyway, and in the row of the pair as long as there is no conversation.

use dm_core::store::{ConversationId, Gate, Participants};

use super::BatchWriter;
use crate::codec::{PairRow, refs_key};
use crate::failure::Failure;
use crate::head::ConversationHead;
use crate::rows::{Changes, RowsExt as _};

impl<T: Changes> BatchWriter<'_, T> {
    /// The gate of a pair.
    pub(super) fn gate_of_pair(&mut self, pair: Participants) -> Result<Gate, Failure> {
        match self.pair_row(pair)? {
            None => Ok(Gate::default()),
            Some(PairRow::Gate(gate)) => Ok(gate),
            Some(PairRow::Conversation(conversation_ref)) => {
                Ok(self.conversation_by_ref(conversation_ref)?.1.gate())
            }
        }
    }

    /// Replaces the gate of a pair.
    pub(super) fn set_gate_of_pair(&mut self, pair: Participants, gate: Gate) -> Result<(), Failure> {
        if let Some(PairRow::Conversation(conversation_ref)) = self.pair_row(pair)? {
            let (id, head) = self.conversation_by_ref(conversation_ref)?;
            return self.heads.write_conversation(self.tables, id, head.with_gate(gate));
        }
        let (a, b) = (self.user_or_new(pair.a())?.user_ref, self.user_or_new(pair.b())?.user_ref);
        if gate == Gate::default() {
            self.tables.pairs.remove(&refs_key(a, b))
        } else {
            self.tables.pairs.insert(&refs_key(a, b), &PairRow::Gate(gate).encode())
        }
    }

    /// The row of a pair; `None` if the pair has neither a conversation nor a gate.
    pub(super) fn pair_row(&mut self, pair: Participants) -> Result<Option<PairRow>, Failure> {
        let Some(a) = self.heads.user(self.tables, pair.a())? else { return Ok(None) };
        let Some(b) = self.heads.user(self.tables, pair.b())? else { return Ok(None) };
        self.tables.pairs.find(&refs_key(a.user_ref, b.user_ref), PairRow::decode)
    }

    /// The id and the head of a conversation. The ref must exist.
    fn conversation_by_ref(
        &mut self,
        conversation_ref: u32,
    ) -> Result<(ConversationId, ConversationHead), Failure> {
        let id = self.tables.conversation_row(conversation_ref)?.id;
        let head = self.heads.conversation(self.tables, id)?;
        Ok((id, head.ok_or(Failure::Damaged("a conversation has no row in the table `conversation_ids`"))?))
    }
}
