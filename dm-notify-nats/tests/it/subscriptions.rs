//! The subscriptions of a node: one for each connected user, and none after the user's last
//! session.

use std::time::Duration;

use dm_core::{MemoryStore, Service};
use dm_notify_nats::{NatsConfig, NatsError, NatsNotifier};
use dm_test_servers::nats::Server;
use futures_util::StreamExt as _;

use crate::common::{self, Node, bus_client, on, servers, subscriptions, text, user, wait_until, who};

#[tokio::test]
async fn one_subscription_serves_all_devices_of_a_user_from_the_first_session_to_the_last() {
    let server = Server::start();
    let node = Node::new(&MemoryStore::new(), &server).await;
    assert_eq!(subscriptions(&server), 0);
    let phone = node.connect(&on(1, "phone")).await;
    let desk = node.connect(&on(1, "desk")).await;
    let bo = node.connect(&who(2)).await;
    wait_until("the node is subscribed for two users", || subscriptions(&server) == 2).await;
    assert!(server.monitor("/connz?subs=1").contains(&common::subject(1)));
    assert_eq!(node.nats.stats().subscriptions, 2);
    drop((phone, bo));
    wait_until("one subscription is left", || subscriptions(&server) == 1).await;
    drop(desk);
    wait_until("no subscription is left", || subscriptions(&server) == 0).await;
    let _again = node.connect(&on(1, "phone")).await;
    wait_until("the node is subscribed for the user again", || subscriptions(&server) == 1).await;
}

#[tokio::test]
async fn no_subscription_remains_after_many_sessions_ended() {
    let server = Server::start();
    let node = Node::new(&MemoryStore::new(), &server).await;
    for round in 0..20 {
        let mut sessions = Vec::new();
        for n in 0..20 {
            sessions.push(node.connect(&who(n)).await);
        }
        sessions.truncate(round % 3);
        drop(sessions);
    }
    wait_until("no subscription is left", || {
        subscriptions(&server) == 0 && node.nats.stats().subscriptions == 0
    })
    .await;
}

#[tokio::test]
async fn a_notifier_subscribes_for_sessions_that_began_before_it() {
    let server = Server::start();
    let store = MemoryStore::new();
    let alone = Service::builder(store.clone()).start().unwrap();
    let _session = alone.connect(&who(1)).await.unwrap();
    let _nats = NatsNotifier::connect(alone.hub(), server.address().as_str()).await.unwrap();
    wait_until("the node is subscribed for the user", || subscriptions(&server) == 1).await;
}

#[tokio::test]
async fn a_shutdown_unsubscribes_and_the_hub_continues_to_notify() {
    let server = Server::start();
    let node = Node::new(&MemoryStore::new(), &server).await;
    let chat = node.open(1, 2).await;
    let mut bo = node.connect(&who(2)).await;
    wait_until("the node is subscribed for the user", || subscriptions(&server) == 1).await;
    node.nats.shutdown(Duration::from_secs(30)).await;
    wait_until("no subscription is left", || subscriptions(&server) == 0).await;
    node.send(&who(1), chat, "on this node").await;
    assert_eq!(text(&mut bo).await, "on this node");
    node.nats.shutdown(Duration::from_secs(30)).await;
}

#[test]
fn all_hints_are_published_before_a_shutdown_returns_and_the_runtime_ends() {
    const HINTS: usize = 300;
    let server = Server::start();
    let runtime = || tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let stays = runtime();
    let mut heard = stays.block_on(async {
        let heard = bus_client(&server).await.subscribe(common::subject(2)).await.unwrap();
        wait_until("the client is subscribed", || subscriptions(&server) == 1).await;
        heard
    });
    let goes = runtime();
    goes.block_on(async {
        let node = Node::new(&MemoryStore::new(), &server).await;
        let chat = node.open(1, 2).await;
        for _ in 1..HINTS {
            node.send(&who(1), chat, &"the last words".repeat(500)).await;
        }
        node.nats.shutdown(Duration::from_secs(30)).await;
    });
    drop(goes);
    stays.block_on(async {
        for _ in 0..HINTS {
            common::in_time("a hint", heard.next()).await.unwrap();
        }
    });
}

#[tokio::test]
async fn the_connection_closes_with_the_last_clone() {
    let server = Server::start();
    let node = Node::new(&MemoryStore::new(), &server).await;
    let session = node.connect(&who(1)).await;
    wait_until("the node is subscribed for the user", || subscriptions(&server) == 1).await;
    assert_eq!(server.number("/connz", "num_connections"), 1);
    let Node { dm, nats, .. } = node;
    drop(nats);
    dm.shutdown(Duration::from_secs(30)).await;
    drop((dm, session));
    wait_until("no connection is left", || server.number("/connz", "num_connections") == 0).await;
}

#[tokio::test]
async fn a_connection_of_the_host_stays_open_after_a_shutdown() {
    let server = Server::start();
    let (store, client) = (MemoryStore::new(), bus_client(&server).await);
    let builder = Service::builder(store.clone());
    let mut config = NatsConfig::default();
    config.prefix = "chat.dm".to_owned();
    let nats = NatsNotifier::with_client(&builder.hub(), client.clone(), &config).unwrap();
    let here = Node::around(builder, nats);
    let there = Node::configured(&store, &servers(&server), &config).await;
    let chat = here.open(1, 2).await;
    let mut bo = here.connect(&who(2)).await;
    let subject = format!("chat.dm.user.{}", user(2));
    wait_until("the node is subscribed for the user", || server.monitor("/connz?subs=1").contains(&subject))
        .await;
    there.send(&who(1), chat, "hello").await;
    assert_eq!(text(&mut bo).await, "hello");
    here.nats.shutdown(Duration::from_secs(30)).await;
    wait_until("no subscription is left", || !server.monitor("/connz?subs=1").contains(&subject)).await;
    client.publish("the.host", "goes on".into()).await.unwrap();
    client.flush().await.unwrap();

    config.prefix = "chat dm".to_owned();
    assert!(matches!(
        NatsNotifier::with_client(&here.hub, client, &config),
        Err(NatsError::Invalid(invalid)) if invalid.field() == "prefix"
    ));
}
