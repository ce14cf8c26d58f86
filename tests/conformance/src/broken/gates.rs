//! Defects of gates.

use async_trait::async_trait;
use dm_core::store::{
    Change, ConversationOrder, ConversationsQuery, GateChange, MemoryStore, Outcome, Store as _, StoreError,
    Update, Write,
};

use super::defect::{Defect, defects};
use super::one_write::{changed_writes, commit, single_writes};

defects! {
    "gates": "gates are not kept" => NoGates,
    "gates": "the gates of users are not kept" => NoUserGates,
    "gates": "a gate has seven bits" => SevenBits,
    "gates": "bits replace those that were set" => ReplacesBits,
    "gates": "the ceilings of the two sides are taken for each other" => OtherSide,
    "gates": "a ceiling limits messages and no bytes" => NoBytes,
    "gates": "a ceiling lets one message more through" => OneMore,
    "gates": "a ceiling is never removed" => KeepsCeilings,
    "gates": "a change of bits removes the ceilings" => RemovesCeilings,
    "gates": "the ceilings of inboxes are not kept" => NoInboxCeilings,
    "gates": "the gate of a pair without a conversation is not kept" => OnlyOpened,
    "gates": "the gates of a batch are changed before its sends" => GatesFirst,
}

/// Changes the changes of pairs' gates.
fn pairs(write: &mut Write, change: impl Fn(&mut GateChange)) {
    for gate in &mut write.changes {
        if let Change::Gate(gate) = gate {
            change(gate);
        }
    }
}

/// Changes the ceilings of a change of a pair's gate.
fn ceilings(write: &mut Write, change: impl Fn(&mut Update<dm_core::store::Ceiling>)) {
    pairs(write, |gate| {
        change(&mut gate.ceiling_a);
        change(&mut gate.ceiling_b);
    });
}

changed_writes! {
    NoGates: |write| if write.validate().is_ok() {
        write.changes.retain(|change| !matches!(change, Change::Gate(_) | Change::UserGate(_)));
    };
    NoUserGates: |write| if write.validate().is_ok() {
        write.changes.retain(|change| !matches!(change, Change::UserGate(_)));
    };
    SevenBits: |write| pairs(write, |gate| gate.close &= 0x7f);
    ReplacesBits: |write| pairs(write, |gate| if gate.close != 0 { gate.open = 0xff });
    OtherSide: |write| pairs(write, |gate| std::mem::swap(&mut gate.ceiling_a, &mut gate.ceiling_b));
    NoBytes: |write| ceilings(write, |update| if let Update::Set(ceiling) = update {
        ceiling.bytes = u64::MAX;
    });
    OneMore: |write| ceilings(write, |update| if let Update::Set(ceiling) = update {
        ceiling.messages = ceiling.messages.next();
    });
    KeepsCeilings: |write| ceilings(write, |update| if *update == Update::Remove {
        *update = Update::Keep;
    });
    RemovesCeilings: |write| ceilings(write, |update| if *update == Update::Keep {
        *update = Update::Remove;
    });
    NoInboxCeilings: |write| for gate in &mut write.changes {
        if let Change::UserGate(gate) = gate {
            gate.ceiling = Update::Keep;
        }
    };
}

single_writes! {
    OnlyOpened: |store, write| {
        let mut write = write;
        for index in (0..write.changes.len()).rev() {
            if let Change::Gate(GateChange { pair, .. }) = write.changes[index] {
                let order = ConversationOrder::Opened { after: None };
                let (user, kinds, limit) = (pair.a(), Vec::new(), usize::MAX);
                let list = store.conversations(ConversationsQuery { user, order, kinds, limit }).await?;
                if !list.iter().any(|listed| listed.state.conversation.participants == pair) {
                    write.changes.remove(index);
                }
            }
        }
        commit(store, write).await?
    };
}

#[derive(Default)]
struct GatesFirst;

#[async_trait]
impl Defect for GatesFirst {
    async fn commit(&self, store: &MemoryStore, batch: Vec<Write>) -> Result<Vec<Outcome>, StoreError> {
        let gates = batch.iter().flat_map(|write| &write.changes);
        let gates = gates.filter(|change| matches!(change, Change::Gate(_) | Change::UserGate(_)));
        for change in gates.cloned().collect::<Vec<_>>() {
            commit(store, Write::default().change(change)).await?;
        }
        store.commit(batch).await
    }
}
