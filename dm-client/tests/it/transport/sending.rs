//! Sends over an unreliable network: each message is stored once.

use std::sync::Arc;
use std::time::Duration;

use data_encoding::BASE64;
use dm_client::{
    Client, ClientError, ConversationId, KeyTrust, KeyVersion, NewMessage, PeerKey, Retry, RetryPolicy,
    Timeouts, suite,
};
use serde_json::json;

use crate::transport::clock::{NOW, TestClock};
use crate::transport::http_server::{Fault, HttpServer, problem};
use crate::transport::messages::{Counting, ana, ben, conversation};

fn client(server: &HttpServer, clock: &Arc<TestClock>) -> Client {
    Client::builder(&server.base)
        .token("t0ken")
        .device("laptop".parse().unwrap())
        .clock(Arc::clone(clock) as Arc<_>)
        .entropy(Counting::default())
        .timeouts(Timeouts { connect: Duration::from_secs(5), request: Duration::from_millis(300) })
        .build()
        .unwrap()
}

async fn send(server: &HttpServer, clock: &Arc<TestClock>) -> Result<dm_client::Stored, ClientError> {
    let mut message = NewMessage::new(conversation(), PeerKey::derived(ben().user_id()), b"at noon?");
    message.own_key_version = Some(KeyVersion::FIRST);
    client(server, clock).send(&ana(), &message, KeyTrust::Derived).await
}

fn answer(status: u16, members: serde_json::Value) -> Fault {
    let (status, headers, body) = problem(status, members);
    Fault::Answer(status, headers, body)
}

fn derived_key_record(version: u32) -> serde_json::Value {
    let ben = ben().user_id();
    json!({
        "ed25519_pubkey": ben.to_string(), "x25519_pubkey": ben.agreement_key().to_string(),
        "published_at": 5, "version": version, "binding": "derived",
    })
}

#[tokio::test]
async fn a_message_whose_answers_are_lost_is_stored_once_and_every_attempt_has_the_same_bytes() {
    let faults =
        [Fault::RequestLost, Fault::AnswerLost, answer(503, json!({})), Fault::AnswerLost, Fault::Silence];
    let server = HttpServer::start(faults).await;
    let clock = Arc::new(TestClock::immediate());
    let stored = send(&server, &clock).await.unwrap();

    assert!(stored.repeated);
    assert_eq!((stored.sequence.get(), server.stored()), (1, 1));
    let requests = server.requests();
    assert_eq!(requests.len(), 6);
    assert!(requests.iter().all(|request| request.body == requests[0].body));
    assert_eq!(requests[0].json()["timestamp"], NOW.as_millis());
    assert!(requests[0].head.contains("authorization: Bearer t0ken"));
    let waits = clock.waits();
    assert_eq!(waits.len(), 5);
    assert!(waits.windows(2).all(|pair| pair[0] < pair[1] * 2), "{waits:?}");
}

#[tokio::test]
async fn after_a_rate_limit_the_client_waits_as_long_as_the_server_says() {
    let header = vec![("retry-after", "7".to_owned())];
    let faults = [answer(429, json!({ "retry_after_ms": 9_500 })), Fault::Answer(503, header, Vec::new())];
    let server = HttpServer::start(faults).await;
    let clock = Arc::new(TestClock::immediate());
    let stored = send(&server, &clock).await.unwrap();
    assert!(!stored.repeated);
    assert_eq!(clock.waits(), [Duration::from_millis(9_500), Duration::from_secs(7)]);
}

#[tokio::test]
async fn a_requested_wait_of_the_longest_duration_is_waited() {
    let longest = RetryPolicy::default().longest;
    let asked = u64::try_from(longest.as_millis()).unwrap();
    let server = HttpServer::start([answer(429, json!({ "retry_after_ms": asked }))]).await;
    let clock = Arc::new(TestClock::immediate());
    send(&server, &clock).await.unwrap();
    assert_eq!(clock.waits(), [longest]);
}

#[tokio::test]
async fn a_wait_beyond_the_policy_is_an_error() {
    let server = HttpServer::start([answer(429, json!({ "retry_after_ms": 10_001 }))]).await;
    let clock = Arc::new(TestClock::immediate());
    let error = send(&server, &clock).await.unwrap_err();
    assert_eq!(error.retry(), Retry::Later(Some(Duration::from_millis(10_001))));
    assert!(clock.waits().is_empty());
}

#[tokio::test]
async fn the_number_of_attempts_is_limited() {
    let server = HttpServer::start(std::iter::repeat_n(Fault::RequestLost, 100)).await;
    let clock = Arc::new(TestClock::immediate());
    let error = send(&server, &clock).await.unwrap_err();
    assert!(matches!(error, ClientError::Network(_)), "{error:?}");
    let attempts = usize::try_from(RetryPolicy::default().attempts).unwrap();
    assert_eq!((server.requests().len(), clock.waits().len()), (attempts, attempts - 1));
}

#[tokio::test]
async fn a_permanent_refusal_is_not_retried() {
    let fields = json!({ "type": "/problems/invalid", "title": "invalid", "detail": "no", "field": "nonce" });
    let server = HttpServer::start([answer(422, fields)]).await;
    let error = send(&server, &Arc::new(TestClock::immediate())).await.unwrap_err();
    let ClientError::Refused(problem) = &error else { panic!("{error:?}") };
    assert_eq!((problem.status, problem.field.as_deref()), (422, Some("nonce")));
    assert_eq!((problem.kind.as_str(), error.retry()), ("/problems/invalid", Retry::Never));
    assert_eq!(server.requests().len(), 1);
}

#[tokio::test]
async fn after_a_stale_key_the_message_is_sealed_again_under_the_same_id() {
    let server = HttpServer::start([Fault::RequestLost, Fault::KeyRotated(3, derived_key_record(3))]).await;
    let clock = Arc::new(TestClock::immediate());
    let mut message = NewMessage::new(conversation(), PeerKey::derived(ben().user_id()), b"at noon?");
    message.own_key_version = Some(KeyVersion::FIRST);
    let stored = client(&server, &clock).send(&ana(), &message, KeyTrust::Derived).await.unwrap();
    assert!(!stored.repeated);

    let bodies: Vec<_> = server.requests().iter().map(|request| request.json()).collect();
    assert_eq!((bodies.len(), server.stored()), (3, 1));
    assert_eq!(bodies[0]["client_message_id"], bodies[2]["client_message_id"]);
    assert_ne!(bodies[0]["encrypted_payload"], bodies[2]["encrypted_payload"]);
    assert_eq!(bodies[2]["recipient_key_version"], 3);
    let payload = BASE64.decode(bodies[2]["encrypted_payload"].as_str().unwrap().as_bytes()).unwrap();
    assert_eq!(suite::suite1::peek(&payload).unwrap().versions.recipient, KeyVersion::new(3));
}

#[tokio::test]
async fn a_forged_key_in_a_stale_key_answer_is_not_used() {
    let mut forged = derived_key_record(3);
    forged["x25519_pubkey"] = json!(ana().user_id().agreement_key().to_string());
    let server = HttpServer::start([Fault::KeyRotated(3, forged)]).await;
    let error = send(&server, &Arc::new(TestClock::immediate())).await.unwrap_err();
    assert!(matches!(error, ClientError::UntrustedKey(_)), "{error:?}");
    assert_eq!((server.requests().len(), server.stored()), (1, 0));
}

#[tokio::test]
async fn the_number_of_stale_keys_in_one_send_is_limited() {
    let faults = (3..).map(|version| Fault::KeyRotated(version, derived_key_record(version - 1))).take(50);
    let server = HttpServer::start(faults).await;
    let error = send(&server, &Arc::new(TestClock::immediate())).await.unwrap_err();
    assert!(matches!(error, ClientError::StaleKey { .. }), "{error:?}");
    assert_eq!(server.requests().len(), 4);
}

#[tokio::test]
async fn an_answer_about_another_conversation_is_refused() {
    let elsewhere = ConversationId::from(uuid::Uuid::from_u128(9));
    let body = json!({
        "id": elsewhere.to_string(), "conversation_id": elsewhere.to_string(), "server_sequence": 1, "timestamp": 1,
        "sender_pubkey": ana().user_id().to_string(), "encrypted_payload": "AA==", "nonce": BASE64.encode(&[0; 24]),
    });
    let server =
        HttpServer::start([Fault::Answer(201, Vec::new(), serde_json::to_vec(&body).unwrap())]).await;
    let error = send(&server, &Arc::new(TestClock::immediate())).await.unwrap_err();
    assert!(matches!(error, ClientError::Protocol(_)), "{error:?}");
}
