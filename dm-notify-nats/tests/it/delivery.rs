//! Hints between two nodes on one store, with a bus that repeats, reorders and garbles them.

use bytes::Bytes;
use dm_core::notify::Notifier as _;
use dm_core::store::{Notice, OtherNotice, Outcome, Post, Store as _, Write};
use dm_core::{Delivery, Event, MemoryStore, Timestamp};
use dm_notify_nats::NatsConfig;
use dm_test_servers::nats::Server;
use futures_util::StreamExt as _;

use crate::common::{
    Node, bus_client, config, in_time, message, next, on, servers, subject, subscriptions, text, two_nodes,
    user, wait_until, who, without_key,
};

#[tokio::test]
async fn messages_reach_sessions_on_another_node_in_both_directions() {
    let server = Server::start();
    let (here, there) = two_nodes(&server).await;
    let chat = here.open(1, 2).await;
    here.flushed(2).await;
    let mut ana = here.connect(&who(1)).await;
    let mut bo = there.connect(&who(2)).await;
    wait_until("both are subscribed", || subscriptions(&server) == 2).await;
    for n in 0..100 {
        let (ping, pong) = (format!("ping {n}"), format!("pong {n}"));
        here.send(&who(1), chat, &ping).await;
        assert_eq!(text(&mut bo).await, ping);
        there.send(&who(2), chat, &pong).await;
        assert_eq!(text(&mut ana).await, pong);
    }
    // All messages arrived by the bus, each once. No node counted its own frames as received.
    there.received(100).await;
    here.received(100).await;
    assert_eq!((there.nats.stats().received, here.nats.stats().received), (100, 100));
    assert_eq!((there.nats.stats().outgoing_dropped, here.nats.stats().outgoing_dropped), (0, 0));
}

#[tokio::test]
async fn all_devices_but_the_origin_get_a_message_on_any_node() {
    let server = Server::start();
    let (here, there) = two_nodes(&server).await;
    let chat = here.open(1, 2).await;
    let (phone, desk, pad) = (on(1, "phone"), on(1, "desk"), on(1, "pad"));
    let mut on_phone = there.connect(&phone).await;
    let mut on_desk = there.connect(&desk).await;
    let mut on_pad = here.connect(&pad).await;
    wait_until("both are subscribed", || subscriptions(&server) == 2).await;
    // The phone sends through a node that does not have its session.
    here.send(&phone, chat, "from the phone").await;
    assert_eq!(text(&mut on_desk).await, "from the phone");
    assert_eq!(text(&mut on_pad).await, "from the phone");
    there.send(&who(2), chat, "answer").await;
    for session in [&mut on_phone, &mut on_desk, &mut on_pad] {
        assert_eq!(text(session).await, "answer");
    }
}

#[tokio::test]
async fn an_entry_for_one_device_reaches_that_device_only_on_any_node() {
    let server = Server::start();
    let store = MemoryStore::new();
    let here = Node::new(&store, &server).await;
    let there = Node::new(&store, &server).await;
    let chat = here.open(1, 2).await;
    here.flushed(2).await;
    let mut phone = there.connect(&on(2, "phone")).await;
    let mut desk = there.connect(&on(2, "desk")).await;
    wait_until("the node is subscribed", || subscriptions(&server) == 1).await;
    let devices = there.dm.devices(&who(2)).await.unwrap();
    let addressee = devices.iter().find(|state| state.device.as_str() == "phone").unwrap().registration;
    let notice = Notice::Other(OtherNotice::new(vec![200; Notice::MAX_LEN]).unwrap());
    let at = Timestamp::from_millis(5);
    let post = Post { to: user(2), addressee: Some(addressee), origin: None, at, notice: notice.clone() };
    let outcomes = store.commit(vec![Write::default().post(post)]).await.unwrap();
    let [Outcome::Done(done)] = &outcomes[..] else { panic!("{outcomes:?}") };
    here.nats.notify(&done.appended).await.unwrap();

    let Delivery::Entry(entry) = next(&mut phone).await else { panic!("an entry") };
    assert_eq!((entry.addressee, entry.event), (Some(addressee), Event::Notice(notice)));
    here.send(&who(1), chat, "for both").await;
    assert_eq!(text(&mut phone).await, "for both");
    assert_eq!(text(&mut desk).await, "for both");
    there.received(2).await;
}

#[tokio::test]
async fn a_message_sent_while_its_recipient_connects_arrives_without_polling() {
    let server = Server::start();
    let (here, there) = two_nodes(&server).await;
    let chat = here.open(1, 2).await;
    for sent in 0..50 {
        let device = on(2, &format!("device-{}", sent % 8));
        let session = async {
            // The device acknowledges nothing, so its session gets all messages.
            let mut session = there.dm.connect(&device).await.unwrap();
            let mut seen = 0;
            while seen < sent + 1 {
                if matches!(next(&mut session).await, Delivery::Entry(entry) if entry.message().is_some()) {
                    seen += 1;
                }
            }
        };
        let ana = who(1);
        tokio::join!(session, here.send(&ana, chat, "now"));
    }
}

#[tokio::test]
async fn repeated_reordered_and_late_hints_have_no_effect() {
    let server = Server::start();
    let (here, there) = two_nodes(&server).await;
    let chat = here.open(1, 2).await;
    here.flushed(2).await;
    let bus = bus_client(&server).await;
    let mut messages = bus.subscribe(subject(2)).await.unwrap();
    let mut bo = there.connect(&who(2)).await;
    wait_until("the others are subscribed", || subscriptions(&server) == 2).await;
    let mut hints = Vec::new();
    for n in 1..=20 {
        here.send(&who(1), chat, &n.to_string()).await;
        assert_eq!(text(&mut bo).await, n.to_string());
        loop {
            let payload = in_time("a hint", messages.next()).await.unwrap().payload;
            // Probes are shorter than hints.
            if payload.len() > 100 {
                hints.push(payload);
                break;
            }
        }
    }
    let before = there.nats.stats().received;
    for hint in hints.iter().rev().chain(&hints).chain(&hints[5..7]) {
        bus.publish(subject(2), hint.clone()).await.unwrap();
    }
    there.received(before + 42).await;
    here.send(&who(1), chat, "after").await;
    assert_eq!(text(&mut bo).await, "after", "no message came twice");
}

#[tokio::test]
async fn undecodable_messages_are_counted_and_ignored() {
    let server = Server::start();
    let store = MemoryStore::new();
    let here = Node::configured(&store, &servers(&server), &without_key()).await;
    let there = Node::configured(&store, &servers(&server), &without_key()).await;
    let chat = here.open(1, 2).await;
    here.flushed(2).await;
    let mut bo = there.connect(&who(2)).await;
    wait_until("the recipient's node is subscribed", || subscriptions(&server) == 1).await;
    let bus = bus_client(&server).await;
    let garbage: [&[u8]; 6] =
        [b"", b"\x01", b"\x01\x01 another version", b"\x02\x09abcdefgh", &[0xff; 900], &[1; 40]];
    for bytes in garbage {
        bus.publish_with_reply(subject(2), "nobody", Bytes::copy_from_slice(bytes)).await.unwrap();
    }
    wait_until("all messages are counted", || there.nats.stats().undecodable == 6).await;
    here.send(&who(1), chat, "fine").await;
    assert_eq!(text(&mut bo).await, "fine");
    there.received(1).await;
    assert_eq!(there.nats.stats().received, 1);
}

#[tokio::test]
async fn a_hint_of_a_large_entry_has_only_its_number_and_the_entry_is_read_from_the_store() {
    let server = Server::start();
    let (here, there) = two_nodes(&server).await;
    let chat = here.open(1, 2).await;
    here.flushed(2).await;
    let mut bo = there.connect(&who(2)).await;
    wait_until("the recipient's node is subscribed", || subscriptions(&server) == 1).await;
    let large = "x".repeat(NatsConfig::default().max_entry);
    here.send(&who(1), chat, &large).await;
    assert_eq!(text(&mut bo).await, large);
    here.send(&who(1), chat, "small").await;
    assert_eq!(text(&mut bo).await, "small");
    there.received(2).await;
    assert_eq!((there.nats.stats().received, there.nats.stats().received_without_entry), (2, 1));
}

#[tokio::test]
async fn with_a_size_limit_of_zero_hints_have_only_numbers() {
    let server = Server::start();
    let store = MemoryStore::new();
    let mut config = config();
    config.max_entry = 0;
    let here = Node::configured(&store, &servers(&server), &config).await;
    let there = Node::new(&store, &server).await;
    let chat = here.open(1, 2).await;
    here.flushed(2).await;
    let mut bo = there.connect(&who(2)).await;
    wait_until("the recipient's node is subscribed", || subscriptions(&server) == 1).await;
    let bus = bus_client(&server).await;
    let mut messages = bus.subscribe("dm.>").await.unwrap();
    wait_until("the client is subscribed to all subjects", || {
        server.monitor("/connz?subs=1").contains(r#""dm.\u003e""#)
    })
    .await;
    here.send(&who(1), chat, "never on the bus").await;
    assert_eq!(text(&mut bo).await, "never on the bus");
    for _ in 0..2 {
        let hint = loop {
            let message = in_time("a hint", messages.next()).await.unwrap();
            if message.subject.starts_with("dm.user.") {
                break message.payload;
            }
        };
        assert!(hint.len() < 100 && !hint.windows(5).any(|bytes| bytes == b"never"));
    }
}

#[tokio::test]
async fn two_users_who_open_at_once_on_two_nodes_get_one_conversation_and_a_notice_each() {
    let server = Server::start();
    let (here, there) = two_nodes(&server).await;
    // These devices do not open the conversation themselves.
    let mut ana = here.connect(&on(1, "desk")).await;
    let mut bo = there.connect(&on(2, "desk")).await;
    let (one, other) = tokio::join!(here.open(1, 2), there.open(2, 1));
    assert_eq!(one, other);
    for session in [&mut ana, &mut bo] {
        let Delivery::Entry(entry) = next(session).await else { panic!("an entry") };
        assert!(entry.message().is_none());
    }
    here.dm.send(&who(1), message(one, "hello")).await.unwrap();
    assert_eq!(text(&mut bo).await, "hello");
    assert!(there.hub.is_connected(user(2)));
}
