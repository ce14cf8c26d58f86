//! The model of gates.

use dm_core::store::{
    AppendMessage, Ceiling, Gate, GateChange, GateRefusal, OpenConversation, Participants, Refusal, Update,
    UserGate, UserGateChange, UserId,
};

use super::state::{ConversationLog, Model};

impl Model {
    /// Checks the gates of an opening: that of the pair, the opener's, the peer's.
    pub(super) fn gates_let_open(&self, write: &OpenConversation) -> Result<(), Refusal> {
        self.pair_is_open(write.participants)?;
        let opener = write.opener.user;
        let peer = write.participants.peer_of(opener).unwrap_or(opener);
        [opener, peer].into_iter().try_for_each(|user| self.user_is_open(user))
    }

    /// Checks the gates of a message: that of the pair, the sender's, the recipient's.
    pub(super) fn gates_let_send(
        &self,
        log: &ConversationLog,
        write: &AppendMessage,
        recipient: UserId,
    ) -> Result<(), Refusal> {
        let pair = log.conversation.participants;
        self.pair_is_open(pair)?;
        let sender = write.sender.user;
        let gate = self.gates.get(&pair).copied().unwrap_or_default();
        let ceiling = if sender == pair.a() { gate.ceiling_a } else { gate.ceiling_b };
        if let Some(Ceiling { messages, bytes }) = ceiling {
            let own: Vec<_> = log.sent.iter().filter(|sent| sent.message.sender == sender).collect();
            let sizes = own.iter().map(|sent| sent.message.ciphertext.len() as u64);
            let total = sizes.sum::<u64>() + write.ciphertext.len() as u64;
            if own.len() as u64 + 1 > messages.get() || total > bytes {
                return Err(Refusal::Gate(GateRefusal::Ceiling));
            }
        }
        for user in [sender, recipient] {
            self.user_is_open(user)?;
            let ceiling = self.user_gate(user).ceiling;
            if ceiling.is_some_and(|ceiling| self.head(user) + 1 > ceiling.get()) {
                return Err(Refusal::Gate(GateRefusal::UserCeiling { user }));
            }
        }
        Ok(())
    }

    fn pair_is_open(&self, pair: Participants) -> Result<(), Refusal> {
        match self.gates.get(&pair).map_or(0, |gate| gate.closed) {
            0 => Ok(()),
            bits => Err(Refusal::Gate(GateRefusal::Closed { bits })),
        }
    }

    fn user_is_open(&self, user: UserId) -> Result<(), Refusal> {
        if self.user_gate(user).is_closed {
            return Err(Refusal::Gate(GateRefusal::UserClosed { user }));
        }
        Ok(())
    }

    fn user_gate(&self, user: UserId) -> UserGate {
        self.users.get(&user).map(|person| person.gate).unwrap_or_default()
    }

    pub(super) fn change_gate(&mut self, change: &GateChange) {
        let Gate { closed, ceiling_a, ceiling_b } = self.gates.entry(change.pair).or_default();
        *closed &= !change.open;
        *closed |= change.close;
        update(ceiling_a, change.ceiling_a);
        update(ceiling_b, change.ceiling_b);
    }

    pub(super) fn change_user_gate(&mut self, change: &UserGateChange) {
        let UserGate { is_closed, ceiling } = &mut self.person(change.user).gate;
        *is_closed = change.close.unwrap_or(*is_closed);
        update(ceiling, change.ceiling);
    }
}

fn update<T>(value: &mut Option<T>, change: Update<T>) {
    match change {
        Update::Keep => {}
        Update::Set(new) => *value = Some(new),
        Update::Remove => *value = None,
    }
}
