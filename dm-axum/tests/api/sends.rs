//! Sends and requests after a hello.

use dm_core::{KeyPolicy, Principal};
use dm_proto::{
    DmHistoryRequest, DmHistoryResponse, DmPing, DmProblem, DmSend, Envelope, dm_client_frame,
    dm_server_frame, envelope::Payload, prost::Message as _,
};
use futures_util::SinkExt;
use serde_json::json;
use tokio_tungstenite::tungstenite::{Bytes, Message};

use crate::faults::FaultyStore;
use crate::socket::{Socket, send, until};
use crate::world::{START, World, base64, derived_key, user};

const ID: &str = "0190b6a0-0000-7000-8000-00000000000a";

/// Connects a user's phone, whose backlog is one conversation.
async fn phone(world: &World, n: u64) -> Socket {
    let (mut socket, _) = Socket::hello(world, n, "phone").await;
    assert_eq!(socket.receive_delivery().await.position, 1);
    assert_eq!(socket.receive_caught_up().await, 1);
    socket
}

async fn send_frame(socket: &mut Socket, request_id: &str, send: DmSend) {
    socket.send_envelope(&Envelope::client(request_id, dm_client_frame::Frame::Send(send))).await;
}

/// Puts a frame into the send buffer, without a flush.
async fn feed_envelope(socket: &mut Socket, envelope: &Envelope) {
    socket.0.feed(Message::Binary(envelope.encode_to_vec().into())).await.unwrap();
}

fn send_with_id(conversation: &str, payload: &str, client_message_id: &str) -> DmSend {
    DmSend { client_message_id: client_message_id.to_owned(), ..send(conversation, payload) }
}

/// The payloads of a conversation, oldest first, as a user reads them over REST.
async fn history(world: &World, n: u64, conversation: &str) -> Vec<String> {
    let (_, page) = world.get(n, &format!("messages/{conversation}?limit=100&after=0")).await;
    let payload = |message: &serde_json::Value| message["encrypted_payload"].as_str().unwrap().to_owned();
    page["messages"].as_array().unwrap().iter().map(payload).collect()
}

#[tokio::test]
async fn a_send_is_answered_to_its_device_and_delivered_to_all_others() {
    let world = World::new().await;
    let conversation = world.open(1, 2).await;
    let mut sender = phone(&world, 1).await;
    let (mut laptop, _) = Socket::hello(&world, 1, "laptop").await;
    laptop.receive_delivery().await;
    laptop.receive_caught_up().await;
    let mut peer = phone(&world, 2).await;

    send_frame(&mut sender, "s", send_with_id(&conversation, "hi", ID)).await;
    let sent = sender.receive_sent("s").await;
    assert_eq!((&sent.conversation_id, &*sent.client_message_id), (&conversation, ID));
    assert_eq!((sent.server_sequence, sent.received_at, sent.repeated), (1, START, false));
    assert_eq!(sent.position, 2);
    assert_eq!(laptop.receive_text().await, (sent.position, "hi".to_owned()));
    assert_eq!(peer.receive_text().await, (2, "hi".to_owned()));

    // The sender's next delivery is another user's message, not its own.
    world.send(2, &conversation, "answer").await;
    assert_eq!(sender.receive_text().await, (3, "answer".to_owned()));
    drop(sender);
    let (mut sender, _) = Socket::hello(&world, 1, "phone").await;
    assert_eq!(sender.receive_delivery().await.position, 1);
    assert_eq!(
        sender.receive_text().await.0,
        3,
        "its own message is not delivered on the next connection either"
    );
}

#[tokio::test]
async fn a_repeated_send_gets_the_first_answer_and_other_content_is_a_conflict() {
    let world = World::new().await;
    let conversation = world.open(1, 2).await;
    let mut socket = phone(&world, 1).await;
    send_frame(&mut socket, "first", send_with_id(&conversation, "hi", ID)).await;
    let first = socket.receive_sent("first").await;
    let before = world.stored().await;
    send_frame(&mut socket, "again", send_with_id(&conversation, "hi", ID)).await;
    let mut again = socket.receive_sent("again").await;
    assert!(std::mem::take(&mut again.repeated));
    assert_eq!(again, first);
    let other = DmSend { nonce: Bytes::from_static(&[8; 24]), ..send_with_id(&conversation, "hi", ID) };
    for (name, send) in [("payload", send_with_id(&conversation, "ho", ID)), ("nonce", other)] {
        send_frame(&mut socket, name, send).await;
        let problem = socket.receive_problem(name).await;
        assert_eq!((problem.status, &*problem.r#type), (409, "urn:dm:problem:message-id-reused"));
    }
    assert_eq!(world.stored().await, before);
}

#[tokio::test]
async fn a_send_to_an_older_key_is_refused_with_the_current_key() {
    let world = World::configured(|config| config.key_policy = KeyPolicy::AcceptUnproven).await;
    let conversation = world.open(1, 2).await;
    let mut socket = phone(&world, 1).await;
    let to = |recipient_key_version| DmSend { recipient_key_version, ..send(&conversation, "x") };
    send_frame(&mut socket, "none", to(1)).await;
    let problem = socket.receive_problem("none").await;
    assert_eq!((problem.status, problem.current_key), (409, None));
    for (n, version) in [(2, 1), (3, 2)] {
        world.post(2, "keys", &json!({ "x25519_pubkey": derived_key(n) })).await;
        assert_eq!(socket.receive_delivery().await.position, 1 + version);
    }
    for version in [1, 3, u32::MAX] {
        send_frame(&mut socket, "stale", to(version)).await;
        let problem = socket.receive_problem("stale").await;
        assert_eq!((problem.status, &*problem.r#type), (409, "urn:dm:problem:stale-key"));
        let current = problem.current_key.unwrap();
        assert_eq!((current.ed25519_pubkey, current.version), (user(2).to_string(), 2));
        assert_eq!(data_encoding::HEXLOWER.encode(&current.x25519_pubkey), derived_key(3));
    }
    send_frame(&mut socket, "current", to(2)).await;
    assert_eq!(socket.receive_sent("current").await.server_sequence, 1);
}

#[tokio::test]
async fn a_send_that_cannot_be_accepted_is_a_problem_and_the_connection_stays_open() {
    let world = World::new().await;
    let conversation = world.open(1, 2).await;
    let mut socket = phone(&world, 1).await;
    let before = world.stored().await;
    let fine = || send(&conversation, "x");
    let bytes = Bytes::copy_from_slice;
    let table = [
        (send(&conversation, &"x".repeat(64 * 1024 + 1)), (413, "encrypted_payload")),
        (DmSend { nonce: bytes(&[7; 23]), ..fine() }, (400, "nonce")),
        (DmSend { nonce: bytes(&[]), ..fine() }, (400, "nonce")),
        (DmSend { ephemeral_pubkey: bytes(&[9; 31]), ..fine() }, (400, "ephemeral_pubkey")),
        (DmSend { conversation_id: String::new(), ..fine() }, (400, "conversation_id")),
        (DmSend { conversation_id: format!("{conversation}\0"), ..fine() }, (400, "conversation_id")),
        (DmSend { conversation_id: "\u{202e}".repeat(20_000), ..fine() }, (400, "conversation_id")),
        (DmSend { client_message_id: "no id".into(), ..fine() }, (400, "client_message_id")),
    ];
    for (n, (send, expected)) in table.into_iter().enumerate() {
        send_frame(&mut socket, "s", send).await;
        let problem = socket.receive_problem("s").await;
        assert_eq!((problem.status, &*problem.field), expected, "{n}");
    }
    assert_eq!(world.stored().await, before);
    socket.send("s", &conversation, &"x".repeat(64 * 1024)).await;
    assert_eq!(socket.receive_sent("s").await.server_sequence, 1);
}

#[tokio::test]
async fn history_and_lists_are_answered_under_their_id() {
    let world = World::new().await;
    let conversation = world.open(1, 2).await;
    for n in 1..=4 {
        world.send(2, &conversation, &n.to_string()).await;
    }
    let mut socket = Socket::try_open(&world, "", &[("x-user", &user(1).to_string())]).await.unwrap();
    socket.send_hello("h", "phone").await;
    while !matches!(socket.receive_server().await.1, dm_server_frame::Frame::CaughtUp(_)) {}
    assert_eq!(socket.list("l").await.conversations[0].id, conversation);
    let request = DmHistoryRequest { conversation_id: conversation, before_sequence: 4, limit: 2 };
    socket.send_envelope(&Envelope::new("g", Payload::DmHistoryRequest(request))).await;
    let envelope = socket.receive().await;
    let Some(Payload::DmHistoryResponse(DmHistoryResponse { messages, has_more })) = envelope.payload else {
        panic!("{envelope:?}")
    };
    let sequences: Vec<u64> = messages.iter().map(|message| message.server_sequence).collect();
    assert_eq!((&*envelope.request_id, sequences, has_more), ("g", vec![3, 2], true));
}

#[tokio::test]
async fn a_foreign_and_a_missing_conversation_get_the_same_problem() {
    let world = World::new().await;
    world.open(1, 2).await;
    let foreign = world.open(2, 3).await;
    world.send(2, &foreign, "private").await;
    let mut socket = phone(&world, 1).await;
    let before = world.stored().await;
    let mut problems: Vec<[DmProblem; 2]> = Vec::new();
    for id in [&*foreign, "0190b6a0-0000-7000-8000-000000000001"] {
        let request = DmHistoryRequest { conversation_id: id.to_owned(), before_sequence: 0, limit: 0 };
        socket.send_envelope(&Envelope::new("r", Payload::DmHistoryRequest(request))).await;
        let read = socket.receive_problem("r").await;
        socket.send("r", id, "x").await;
        problems.push([read, socket.receive_problem("r").await]);
    }
    assert_eq!(problems[0], problems[1]);
    assert_eq!(problems[0][0], problems[0][1]);
    assert_eq!(problems[0][0].status, 404);
    assert_eq!(world.stored().await, before);
    assert_eq!(history(&world, 2, &foreign).await, [base64("private")]);
}

#[tokio::test]
async fn sends_of_a_connection_are_stored_in_the_order_in_which_they_were_sent() {
    // The service's queue and batches are short, so most sends wait.
    let world = World::configured(|config| (config.queue, config.batch) = (2, 2)).await;
    let conversation = world.open(1, 2).await;
    let mut socket = phone(&world, 1).await;
    for n in 0..100 {
        // The payloads have different sizes, because the queue also has a limit in bytes.
        let payload = format!("{n}{}", "-".repeat(if n % 3 == 0 { 8_000 } else { 0 }));
        let frame = dm_client_frame::Frame::Send(send(&conversation, &payload));
        feed_envelope(&mut socket, &Envelope::client(n.to_string(), frame)).await;
    }
    socket.0.flush().await.unwrap();
    for _ in 0..100 {
        let (id, dm_server_frame::Frame::Sent(sent)) = socket.receive_server().await else { panic!() };
        assert_eq!(sent.server_sequence, id.parse::<u64>().unwrap() + 1);
    }
}

#[tokio::test]
async fn a_send_whose_client_is_gone_is_in_both_inboxes_or_in_none() {
    let store = FaultyStore::default();
    let world = World::with(store.clone(), |_| (), |_| ()).await;
    let conversation = world.open(1, 2).await;
    let phone_of = |n| Principal::new(user(n), "phone".parse().unwrap());
    for n in 1..=2 {
        phone(&world, n).await.close().await;
    }
    until(async || world.hub.connections() == 0).await;
    let depths = async || {
        let laptop = Principal::new(user(1), "laptop".parse().unwrap());
        [
            world.dm.depth(&laptop).await.unwrap().messages,
            world.dm.depth(&phone_of(2)).await.unwrap().messages,
        ]
    };
    let frame = Envelope::client("s", dm_client_frame::Frame::Send(send_with_id(&conversation, "hi", ID)));
    let frame = frame.encode_to_vec();
    let masked = |frame: &[u8]| {
        let head = [0x82, 0x80 | u8::try_from(frame.len()).unwrap()];
        [&head[..], &[0; 4], frame].concat()
    };
    assert!(frame.len() < 126, "one byte of length is enough");

    // The client disconnects after it has sent a part of the frame.
    for cut in [1, 2, 20, masked(&frame).len() - 1] {
        let (mut socket, _) = Socket::hello(&world, 1, "phone").await;
        socket.write_raw(&masked(&frame)[..cut]).await;
        drop(socket);
        until(async || world.hub.connections() == 0).await;
        assert_eq!(depths().await, [0, 0], "{cut}");
    }
    // The client disconnects while the message is being stored.
    let (mut socket, _) = Socket::hello(&world, 1, "phone").await;
    let writes = store.writes();
    store.hold_commits(true);
    socket.write_raw(&masked(&frame)).await;
    until(async || store.writes() > writes).await;
    drop(socket);
    until(async || world.hub.connections() == 0).await;
    store.hold_commits(false);
    // The store commits in order. When this write is stored, the message is stored or never will
    // be.
    world.open(1, 3).await;
    let [own, peer] = depths().await;
    assert_eq!(own, peer);
    assert_eq!(history(&world, 2, &conversation).await.len() as u64, peer);
    // The client repeats the send under the same id. The message is then stored exactly once.
    let (mut socket, _) = Socket::hello(&world, 1, "phone").await;
    socket.write_raw(&masked(&frame)).await;
    while !matches!(socket.receive_server().await.1, dm_server_frame::Frame::Sent(_)) {}
    assert_eq!((depths().await, history(&world, 2, &conversation).await), ([1, 1], vec![base64("hi")]));
}

#[tokio::test]
async fn no_frame_is_read_while_too_many_requests_are_in_progress() {
    let store = FaultyStore::default();
    let world = World::with(store.clone(), |_| (), |options| options.in_flight = 4).await;
    let conversation = world.open(1, 2).await;
    let mut socket = phone(&world, 1).await;
    let writes = store.writes();
    store.hold_commits(true);
    for n in 0..20 {
        let frame = dm_client_frame::Frame::Send(send(&conversation, "x"));
        feed_envelope(&mut socket, &Envelope::client(n.to_string(), frame)).await;
    }
    let frame = dm_client_frame::Frame::Ping(DmPing { nonce: 1 });
    feed_envelope(&mut socket, &Envelope::client("p", frame)).await;
    socket.0.flush().await.unwrap();
    until(async || store.writes() > writes).await;
    store.hold_commits(false);
    // A ping is answered as soon as it is read. With at most four requests in progress, it is read
    // when at most three sends are not answered.
    let mut answered = 0;
    while let (_, dm_server_frame::Frame::Sent(sent)) = socket.receive_server().await {
        answered += 1;
        assert_eq!(sent.server_sequence, answered);
    }
    assert!(answered >= 17, "{answered}");
    for n in answered + 1..=20 {
        let (_, dm_server_frame::Frame::Sent(sent)) = socket.receive_server().await else { panic!() };
        assert_eq!(sent.server_sequence, n);
    }
}
