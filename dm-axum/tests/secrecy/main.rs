//! The logs contain no payload, key or ticket, even at the most verbose level.
//!
//! This test is a separate program, because it captures the logs of the whole process.

#![allow(missing_docs, dead_code, unreachable_pub, reason = "tests; each binary uses its part of the world")]
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "tests")]

#[path = "../api/world.rs"]
mod world;

use std::io;
use std::sync::{Arc, Mutex, OnceLock};

use serde_json::json;
use tracing_subscriber::fmt::MakeWriter;

use world::{World, base64, derived_key, message, user};

/// All logs of this process.
#[derive(Clone, Default)]
struct Logs(Arc<Mutex<Vec<u8>>>);

impl Logs {
    /// Installs the one subscriber of the process. The subscriber has to be global: `tracing` would
    /// disable an event on all threads if the event first occurs on a thread without a subscriber.
    fn capture() -> &'static Self {
        static LOGS: OnceLock<Logs> = OnceLock::new();
        LOGS.get_or_init(|| {
            let logs = Self::default();
            tracing_subscriber::fmt()
                .with_max_level(tracing::Level::TRACE)
                .with_span_events(tracing_subscriber::fmt::format::FmtSpan::FULL)
                .with_ansi(false)
                .with_writer(logs.clone())
                .init();
            logs
        })
    }

    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

impl io::Write for Logs {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Logs {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        self.clone()
    }
}

/// A text, and the encodings in which a log could contain it.
fn forms(secret: &str) -> [String; 4] {
    let bytes = format!("{:?}", secret.as_bytes());
    [
        secret.to_owned(),
        base64(secret),
        data_encoding::HEXLOWER.encode(secret.as_bytes()),
        bytes.trim_matches(['[', ']']).to_owned(),
    ]
}

#[tokio::test]
async fn nothing_secret_is_logged_or_quoted_in_a_refusal() {
    const CANARY: &str = "CANARY7f3a";
    let logs = Logs::capture();
    let world = World::new().await;
    let conversation = world.open(1, 2).await;
    world.post(1, "keys", &json!({ "x25519_pubkey": derived_key(1) })).await;
    let ticket = world.post(1, "ws-ticket", &json!({})).await.1["ticket"].as_str().unwrap().to_owned();
    world.send(1, &conversation, CANARY).await;
    world.get(2, "offline").await;
    world.get(2, &format!("messages/{conversation}")).await;

    let mut refusals = String::new();
    for field in ["encrypted_payload", "nonce", "ephemeral_pubkey", "client_message_id", "timestamp", CANARY]
    {
        for value in [json!(CANARY), json!([CANARY]), json!({ CANARY: CANARY })] {
            let mut body = message(&conversation, CANARY);
            body[field] = value;
            refusals += &world.post(1, "messages", &body).await.1.to_string();
        }
    }
    let large = CANARY.repeat(7_000);
    refusals += &world.post(1, "messages", &message(&conversation, &large)).await.1.to_string();
    refusals += &world.post_raw(1, "messages", format!("{{\"{CANARY}\": {CANARY}")).await.1.to_string();
    refusals += &world.get(1, &format!("conversations?cursor={CANARY}&limit={CANARY}")).await.1.to_string();
    refusals += &world.get(1, &format!("keys/{CANARY}")).await.1.to_string();
    refusals += &world.get(1, &format!("messages/{CANARY}")).await.1.to_string();
    // The send with an unknown field is accepted, and its answer contains the payload.
    let refusals = refusals.replace(&base64(CANARY), "");

    let logs = logs.text();
    assert!(logs.contains("dm_call"), "the capture works");
    for secret in forms(CANARY).iter().chain([&ticket, &derived_key(1), &user(1).to_string()]) {
        assert!(!logs.contains(secret.as_str()), "{secret} was logged");
    }
    for secret in forms(CANARY) {
        assert!(!refusals.contains(&secret), "{refusals}");
    }
}
