//! Gates, which the service does not set yet: the errors of its calls while one is closed.

use dm_core::store::{
    Ceiling, Change, GateChange, Outcome, SenderSequence, Store, Update, UserGateChange, Write,
};
use dm_core::{Error, InboxSeq, MemoryStore, Participants, SendMessage};

use crate::common::{World, client_id, message, seq, user, who};

async fn change(store: &MemoryStore, change: Change) {
    let outcomes = store.commit(vec![Write::default().change(change)]).await.unwrap();
    assert!(matches!(outcomes[..], [Outcome::Done(_)]), "{outcomes:?}");
}

fn gate(one: u64, other: u64) -> GateChange {
    GateChange::new(Participants::new(user(one), user(other)).unwrap())
}

fn is_not_allowed<T>(result: &Result<T, Error>) -> bool {
    matches!(result, Err(Error::NotAllowed))
}

#[tokio::test]
async fn a_closed_gate_refuses_messages_and_new_conversations_as_not_allowed() {
    let store = MemoryStore::new();
    let world = World::with(store.clone(), |_| ());
    let chat = world.open(1, 2).await;
    let send = SendMessage { client_id: Some(client_id(1)), ..message(chat, "before") };
    world.dm.send(&who(1), send.clone()).await.unwrap();
    for (one, other) in [(1, 2), (1, 3)] {
        change(&store, Change::Gate(GateChange { close: 1, ..gate(one, other) })).await;
    }
    for sender in [1, 2] {
        assert!(is_not_allowed(&world.dm.send(&who(sender), message(chat, "x")).await));
    }
    assert!(is_not_allowed(&world.dm.open_conversation(&who(3), user(1)).await));
    // What was done before is answered as before.
    assert_eq!(world.open(2, 1).await, chat);
    assert!(world.dm.send(&who(1), send).await.unwrap().repeated);
    change(&store, Change::Gate(GateChange { open: 1, ..gate(1, 2) })).await;
    assert_eq!(world.send(&who(1), chat, "after").await.message.sequence.get(), 2);
}

#[tokio::test]
async fn the_closed_gate_of_a_user_refuses_messages_to_and_from_the_user() {
    let store = MemoryStore::new();
    let world = World::with(store.clone(), |_| ());
    let chat = world.open(1, 2).await;
    change(&store, Change::UserGate(UserGateChange { close: Some(true), ..UserGateChange::new(user(1)) }))
        .await;
    for sender in [1, 2] {
        assert!(is_not_allowed(&world.dm.send(&who(sender), message(chat, "x")).await));
        assert!(is_not_allowed(&world.dm.open_conversation(&who(3), user(1)).await));
    }
    // The user's own reads and acknowledgements go on.
    assert_eq!(world.pending(&who(2)).await.len(), 1);
}

#[tokio::test]
async fn a_message_above_a_ceiling_is_not_allowed() {
    let store = MemoryStore::new();
    let world = World::with(store.clone(), |_| ());
    let chat = world.open(1, 2).await;
    let one = Update::Set(Ceiling { messages: SenderSequence::new(1), bytes: u64::MAX });
    change(&store, Change::Gate(GateChange { ceiling_a: one, ceiling_b: one, ..gate(1, 2) })).await;
    for sender in [1, 2] {
        world.send(&who(sender), chat, "first").await;
        assert!(is_not_allowed(&world.dm.send(&who(sender), message(chat, "second")).await));
    }
    // Each inbox has the notice of the conversation and two messages.
    change(
        &store,
        Change::Gate(GateChange { ceiling_a: Update::Remove, ceiling_b: Update::Remove, ..gate(1, 2) }),
    )
    .await;
    let ceiling = Update::Set(InboxSeq::new(seq(4).get()));
    change(&store, Change::UserGate(UserGateChange { ceiling, ..UserGateChange::new(user(2)) })).await;
    world.send(&who(1), chat, "fourth entry").await;
    assert!(is_not_allowed(&world.dm.send(&who(1), message(chat, "fifth entry")).await));
}
