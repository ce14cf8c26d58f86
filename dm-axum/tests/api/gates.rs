//! Sends and conversations that the gate of a pair does not let through: problems over REST and on
//! the WebSocket, and nothing is stored.

use dm_core::MemoryStore;
use dm_core::store::{Change, GateChange, Outcome, Participants, Store as _, Update, Write};
use serde_json::json;

use crate::socket::Socket;
use crate::world::{World, kind, message, user};

/// Sets or clears a bit that closes the gate of users 1 and 2.
async fn set_gate(store: &MemoryStore, close: u8, open: u8) {
    let pair = Participants::new(user(1), user(2)).unwrap();
    let gate = GateChange { pair, close, open, ceiling_a: Update::Keep, ceiling_b: Update::Keep };
    let outcomes = store.commit(vec![Write::default().change(Change::Gate(gate))]).await.unwrap();
    assert!(matches!(outcomes[..], [Outcome::Done(_)]), "{outcomes:?}");
}

#[tokio::test]
async fn a_send_through_a_closed_gate_is_403_and_nothing_is_stored() {
    let store = MemoryStore::new();
    let world = World::with(store.clone(), |_| (), |_| ()).await;
    let conversation = world.open(1, 2).await;
    let (mut socket, _) = Socket::hello(&world, 1, "phone").await;
    socket.receive_delivery().await;
    socket.receive_caught_up().await;
    set_gate(&store, 1, 0).await;
    let before = world.stored().await;
    for sender in [1, 2] {
        let (status, problem) = world.post(sender, "messages", &message(&conversation, "x")).await;
        assert_eq!((status, kind(&problem)), (403, "not-allowed"));
        assert_eq!(problem.get("retry_after_ms"), None);
    }
    socket.send("refused", &conversation, "x").await;
    let problem = socket.receive_problem("refused").await;
    assert_eq!((problem.status, &*problem.r#type), (403, "urn:dm:problem:not-allowed"));
    assert_eq!(world.stored().await, before);

    set_gate(&store, 0, 1).await;
    socket.send("sent", &conversation, "x").await;
    assert_eq!(socket.receive_sent("sent").await.server_sequence, 1);
}

#[tokio::test]
async fn a_conversation_behind_a_closed_gate_is_403_until_it_is_opened() {
    let store = MemoryStore::new();
    let world = World::with(store.clone(), |_| (), |_| ()).await;
    set_gate(&store, 2, 0).await;
    let body = json!({ "recipient_pubkey": user(2).to_string() });
    let (status, problem) = world.post(1, "conversations", &body).await;
    assert_eq!((status, kind(&problem)), (403, "not-allowed"));
    set_gate(&store, 0, 2).await;
    assert_eq!(world.post(1, "conversations", &body).await.0, 201);
    // A conversation that exists is found behind a closed gate.
    set_gate(&store, 2, 0).await;
    assert_eq!(world.post(1, "conversations", &body).await.0, 200);
}
