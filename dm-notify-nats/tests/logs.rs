//! No ciphertext and no secret of the node is logged: neither by this crate at any level, nor by
//! the client of the bus up to `debug`. At `trace` that client logs whole messages, as the
//! documentation says.
//!
//! This is a separate program, because it captures the log of the whole process.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

#[allow(dead_code, reason = "this program uses a part of the module")]
#[path = "it/common/mod.rs"]
mod common;

use std::io;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use common::{Node, config, servers, subject, subscriptions, text, wait_until, who};
use dm_core::MemoryStore;
use dm_notify_nats::{HintKey, NatsAuth};
use dm_test_servers::nats::Server;

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn payloads_and_secrets_are_in_no_log_line() {
    let log = Log::default();
    let writer = log.clone();
    tracing_subscriber::fmt()
        .with_env_filter("trace,async_nats=debug")
        .with_writer(move || writer.clone())
        .with_ansi(false)
        .init();
    let server =
        Server::configured(r#"authorization { users: [ { user: node, password: "PASSCANARY" } ] }"#, &[]);
    let mut servers = servers(&server);
    servers.auth = NatsAuth::Password { user: "node".to_owned(), password: "PASSCANARY".to_owned() };
    let store = MemoryStore::new();
    let mut config = config();
    config.keys = vec![HintKey::from_bytes(*b"KEYCANARYKEYCANARYKEYCANARYKEYCA")];
    let here = Node::configured(&store, &servers, &config).await;
    let there = Node::configured(&store, &servers, &config).await;
    let chat = here.open(1, 2).await;
    let mut bo = there.connect(&who(2)).await;
    wait_until("the recipient's node is subscribed", || subscriptions(&server) == 1).await;
    here.send(&who(1), chat, "PAYLOADCANARY").await;
    assert_eq!(text(&mut bo).await, "PAYLOADCANARY");
    there.received(1).await;
    let options = async_nats::ConnectOptions::with_user_and_password("node".into(), "PASSCANARY".into());
    let bus = options.connect(server.address()).await.unwrap();
    bus.publish(subject(2), Bytes::from_static(b"GARBAGECANARY")).await.unwrap();
    wait_until("the frame is counted", || there.nats.stats().unauthenticated == 1).await;
    format!("{:?} {servers:?} {config:?}", here.nats)
        .bytes()
        .for_each(|byte| log.0.lock().unwrap().push(byte));

    let lines = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    assert!(lines.contains("a frame is refused"), "nothing was logged");
    let keys = ["KEYCANARY", "[75, 69, 89", "4b4559", "4B4559"];
    let others = ["PASSCANARY", "PAYLOADCANARY", "GARBAGECANARY", "[80, 65, 89", "[71, 65, 82"];
    for secret in keys.into_iter().chain(others) {
        let line = lines.lines().find(|line| line.contains(secret));
        assert_eq!(line, None, "{secret}");
    }
    // The lines of this crate hold no whole ids, either.
    let whole = common::user(2).to_string();
    assert!(!lines.lines().any(|line| line.contains("dm_notify_nats") && line.contains(&whole)));
}
