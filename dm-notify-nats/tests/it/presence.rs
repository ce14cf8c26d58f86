//! Presence of users on other nodes.

use std::time::Duration;

use dm_core::MemoryStore;
use dm_core::notify::{Notification, Notifier as _, Reach};
use dm_notify_nats::{NatsConfig, Presence};
use dm_test_servers::nats::Server;

use crate::common::{
    self, Node, bus_client, config, in_time, servers, subject, subscriptions, two_nodes, user, wait_until,
    who,
};

#[tokio::test]
async fn a_user_is_here_elsewhere_or_nowhere() {
    let server = Server::start();
    let (here, there) = two_nodes(&server).await;
    let _ana = here.connect(&who(1)).await;
    let bo = there.connect(&who(2)).await;
    wait_until("both are subscribed", || subscriptions(&server) == 2).await;
    assert_eq!(here.nats.presence(user(1)).await, Presence::Here);
    assert_eq!(here.nats.presence(user(2)).await, Presence::Elsewhere);
    assert_eq!(there.nats.presence(user(1)).await, Presence::Elsewhere);
    assert_eq!(in_time("an answer", here.nats.presence(user(3))).await, Presence::Nowhere);
    drop(bo);
    wait_until("the last session is gone", || subscriptions(&server) == 1).await;
    assert_eq!(in_time("an answer", here.nats.presence(user(2))).await, Presence::Nowhere);
    // After the requests, no subscription to their replies remains.
    wait_until("no inbox is left", || !server.monitor("/connz?subs=1").contains("inbox")).await;
}

#[tokio::test]
async fn many_requests_at_once_are_all_answered() {
    let server = Server::start();
    let (here, there) = two_nodes(&server).await;
    let _bo = there.connect(&who(2)).await;
    wait_until("the other node is subscribed", || subscriptions(&server) == 1).await;
    let ask = |n: u64| {
        let nats = here.nats.clone();
        tokio::spawn(async move { nats.presence(user(n)).await })
    };
    let questions: Vec<_> = (0..1_000).map(|n| ask(2 + n % 2)).collect();
    for (n, question) in questions.into_iter().enumerate() {
        let expected = if n % 2 == 0 { Presence::Elsewhere } else { Presence::Nowhere };
        assert_eq!(in_time("an answer", question).await.unwrap(), expected);
    }
}

#[tokio::test]
async fn presence_is_unknown_if_a_subscribed_node_does_not_answer() {
    let server = Server::start();
    let mut config = NatsConfig::default();
    config.presence_timeout = Duration::from_millis(50);
    let here = Node::configured(&MemoryStore::new(), &servers(&server), &config).await;
    // This client is subscribed, but never replies.
    let bus = bus_client(&server).await;
    let _silent = bus.subscribe(subject(2)).await.unwrap();
    wait_until("the client is subscribed", || subscriptions(&server) == 1).await;
    assert_eq!(in_time("the timeout", here.nats.presence(user(2))).await, Presence::Unknown);
    assert_eq!(Presence::Unknown.reach(), Reach::Absent);
    wait_until("no inbox is left", || !server.monitor("/connz?subs=1").contains("inbox")).await;
}

#[tokio::test]
async fn without_the_bus_presence_is_unknown_at_once() {
    let mut server = Server::start();
    let here = Node::configured(&MemoryStore::new(), &servers(&server), &config()).await;
    server.stop();
    wait_until("the node notices the outage", || !here.nats.health().connected).await;
    assert_eq!(here.nats.presence(user(2)).await, Presence::Unknown);
    let _ana = here.connect(&who(1)).await;
    assert_eq!(here.nats.presence(user(1)).await, Presence::Here);
}

#[tokio::test]
async fn notify_reports_only_users_of_its_own_node() {
    let server = Server::start();
    let (here, there) = two_nodes(&server).await;
    here.open(1, 2).await;
    let _bo = there.connect(&who(2)).await;
    let mut session = here.dm.connect(&common::on(1, "desk")).await.unwrap();
    let dm_core::Delivery::Entry(entry) = common::next(&mut session).await else { panic!("an entry") };
    let told = |n: u64| Notification { user: user(n), entry: entry.clone() };
    let reach = here.nats.notify(&[told(1), told(2), told(3)]).await.unwrap();
    assert_eq!(
        reach,
        [Reach::Connected, Reach::Absent, Reach::Absent],
        "presence of other nodes is not asked for"
    );
    assert_eq!(here.nats.presence(user(1)).await.reach(), Reach::Connected);
}
