//! Sends over a bad line: one message, whatever happens on the way.

use std::{sync::Arc, time::Duration};

use data_encoding::BASE64;
use dm_client::{
    Client, ClientError, ConversationId, KeyTrust, NewMessage, PeerKey, Retry, RetryPolicy, Timeouts, suite,
};
use serde_json::json;

use crate::transport::{
    people::{Counting, ana, ben, conversation},
    relay::{Fate, Relay, problem},
    time::{NOW, TestClock},
};

fn client(relay: &Relay, clock: &Arc<TestClock>) -> Client {
    Client::builder(&relay.base)
        .token("t0ken")
        .device("laptop".parse().unwrap())
        .clock(Arc::clone(clock) as Arc<_>)
        .entropy(Counting::default())
        .timeouts(Timeouts { connect: Duration::from_secs(5), request: Duration::from_millis(300) })
        .build()
        .unwrap()
}

async fn send(relay: &Relay, clock: &Arc<TestClock>) -> Result<dm_client::Stored, ClientError> {
    let mut message = NewMessage::new(conversation(), PeerKey::derived(ben().public_key()), b"at noon?");
    message.own_key_version = 1;
    client(relay, clock).send(&ana(), &message, KeyTrust::Derived).await
}

fn answer(status: u16, members: serde_json::Value) -> Fate {
    let (status, headers, body) = problem(status, members);
    Fate::Answer(status, headers, body)
}

fn derived_key_record(version: u32) -> serde_json::Value {
    let ben = ben().public_key();
    json!({
        "ed25519_pubkey": ben.to_string(), "x25519_pubkey": ben.agreement_key().to_string(),
        "published_at": 5, "version": version, "binding": "derived",
    })
}

#[tokio::test]
async fn a_message_whose_answers_are_lost_is_stored_once_and_every_attempt_is_the_same() {
    let faults =
        [Fate::LostOnTheWay, Fate::AnswerLost, answer(503, json!({})), Fate::AnswerLost, Fate::Silence];
    let relay = Relay::start(faults).await;
    let clock = Arc::new(TestClock::impatient());
    let stored = send(&relay, &clock).await.unwrap();

    assert!(stored.repeated);
    assert_eq!((stored.sequence, relay.stored()), (1, 1));
    let requests = relay.requests();
    assert_eq!(requests.len(), 6);
    assert!(requests.iter().all(|request| request.body == requests[0].body));
    assert_eq!(requests[0].json()["timestamp"], NOW);
    assert!(requests[0].head.contains("authorization: Bearer t0ken"));
    let waits = clock.waits();
    assert_eq!(waits.len(), 5);
    assert!(waits.windows(2).all(|pair| pair[0] < pair[1] * 2), "{waits:?}");
}

#[tokio::test]
async fn a_limit_on_the_rate_is_waited_for_as_long_as_the_server_says() {
    let header = vec![("retry-after", "7".to_owned())];
    let faults = [answer(429, json!({ "retry_after_ms": 9_500 })), Fate::Answer(503, header, Vec::new())];
    let relay = Relay::start(faults).await;
    let clock = Arc::new(TestClock::impatient());
    let stored = send(&relay, &clock).await.unwrap();
    assert!(!stored.repeated);
    assert_eq!(clock.waits(), [Duration::from_millis(9_500), Duration::from_secs(7)]);
}

#[tokio::test]
async fn a_wait_of_the_longest_that_the_policy_allows_is_waited_for() {
    let longest = RetryPolicy::default().longest;
    let asked = u64::try_from(longest.as_millis()).unwrap();
    let relay = Relay::start([answer(429, json!({ "retry_after_ms": asked }))]).await;
    let clock = Arc::new(TestClock::impatient());
    send(&relay, &clock).await.unwrap();
    assert_eq!(clock.waits(), [longest]);
}

#[tokio::test]
async fn a_wait_beyond_the_policy_is_left_to_the_caller() {
    let relay = Relay::start([answer(429, json!({ "retry_after_ms": 10_001 }))]).await;
    let clock = Arc::new(TestClock::impatient());
    let error = send(&relay, &clock).await.unwrap_err();
    assert_eq!(error.retry(), Retry::Later(Some(Duration::from_millis(10_001))));
    assert!(clock.waits().is_empty());
}

#[tokio::test]
async fn attempts_end() {
    let relay = Relay::start(std::iter::repeat_n(Fate::LostOnTheWay, 100)).await;
    let clock = Arc::new(TestClock::impatient());
    let error = send(&relay, &clock).await.unwrap_err();
    assert!(matches!(error, ClientError::Network(_)), "{error:?}");
    let attempts = usize::try_from(RetryPolicy::default().attempts).unwrap();
    assert_eq!((relay.requests().len(), clock.waits().len()), (attempts, attempts - 1));
}

#[tokio::test]
async fn a_refusal_is_not_repeated() {
    let fields = json!({ "type": "/problems/invalid", "title": "invalid", "detail": "no", "field": "nonce" });
    let relay = Relay::start([answer(422, fields)]).await;
    let error = send(&relay, &Arc::new(TestClock::impatient())).await.unwrap_err();
    let ClientError::Refused(problem) = &error else { panic!("{error:?}") };
    assert_eq!((problem.status, problem.field.as_deref()), (422, Some("nonce")));
    assert_eq!((problem.kind.as_str(), error.retry()), ("/problems/invalid", Retry::Never));
    assert_eq!(relay.requests().len(), 1);
}

#[tokio::test]
async fn a_stale_key_is_answered_by_sealing_anew_under_the_same_id() {
    let relay = Relay::start([Fate::LostOnTheWay, Fate::KeyRotated(3, derived_key_record(3))]).await;
    let clock = Arc::new(TestClock::impatient());
    let mut message = NewMessage::new(conversation(), PeerKey::derived(ben().public_key()), b"at noon?");
    message.own_key_version = 1;
    let stored = client(&relay, &clock).send(&ana(), &message, KeyTrust::Derived).await.unwrap();
    assert!(!stored.repeated);

    let bodies: Vec<_> = relay.requests().iter().map(|request| request.json()).collect();
    assert_eq!((bodies.len(), relay.stored()), (3, 1));
    assert_eq!(bodies[0]["client_message_id"], bodies[2]["client_message_id"]);
    assert_ne!(bodies[0]["encrypted_payload"], bodies[2]["encrypted_payload"]);
    assert_eq!(bodies[2]["recipient_key_version"], 3);
    let payload = BASE64.decode(bodies[2]["encrypted_payload"].as_str().unwrap().as_bytes()).unwrap();
    assert_eq!(suite::suite1::peek(&payload).unwrap().versions.recipient, 3);
}

#[tokio::test]
async fn a_stale_key_answer_with_a_forged_key_sends_nothing_to_it() {
    let mut forged = derived_key_record(3);
    forged["x25519_pubkey"] = json!(ana().public_key().agreement_key().to_string());
    let relay = Relay::start([Fate::KeyRotated(3, forged)]).await;
    let error = send(&relay, &Arc::new(TestClock::impatient())).await.unwrap_err();
    assert!(matches!(error, ClientError::UntrustedKey(_)), "{error:?}");
    assert_eq!((relay.requests().len(), relay.stored()), (1, 0));
}

#[tokio::test]
async fn a_server_that_always_calls_the_key_stale_is_given_up_on() {
    let faults = (3..).map(|version| Fate::KeyRotated(version, derived_key_record(version - 1))).take(50);
    let relay = Relay::start(faults).await;
    let error = send(&relay, &Arc::new(TestClock::impatient())).await.unwrap_err();
    assert!(matches!(error, ClientError::StaleKey { .. }), "{error:?}");
    assert_eq!(relay.requests().len(), 4);
}

#[tokio::test]
async fn an_answer_about_another_conversation_is_not_believed() {
    let elsewhere = ConversationId::new(uuid::Uuid::from_u128(9));
    let body = json!({
        "id": elsewhere.to_string(), "conversation_id": elsewhere.to_string(), "server_sequence": 1, "timestamp": 1,
        "sender_pubkey": ana().public_key().to_string(), "encrypted_payload": "AA==", "nonce": BASE64.encode(&[0; 24]),
    });
    let relay = Relay::start([Fate::Answer(201, Vec::new(), serde_json::to_vec(&body).unwrap())]).await;
    let error = send(&relay, &Arc::new(TestClock::impatient())).await.unwrap_err();
    assert!(matches!(error, ClientError::Protocol(_)), "{error:?}");
}
