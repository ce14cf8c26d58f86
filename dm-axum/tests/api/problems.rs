//! Refusals that several calls have in common.

use dm_core::store::StoreErrorKind;
use reqwest::Method;
use serde_json::json;

use crate::faults::FaultyStore;
use crate::world::{SECOND, World, answer, derived_key, kind, message, user};

/// The methods and paths of the calls.
fn calls() -> Vec<(Method, String)> {
    let mut calls = vec![
        (Method::GET, format!("keys/{}", user(1))),
        (Method::GET, "messages/0190b6a0-0000-7000-8000-000000000001".to_owned()),
    ];
    calls.extend(["conversations", "offline", "ws"].map(|path| (Method::GET, path.to_owned())));
    calls.extend(
        ["keys", "conversations", "messages", "offline/ack", "ws-ticket"]
            .map(|path| (Method::POST, path.to_owned())),
    );
    calls
}

#[tokio::test]
async fn every_call_without_a_principal_is_401() {
    let world = World::new().await;
    for (method, path) in calls() {
        let mut request = world.anonymous(method, &path).json(&json!({}));
        if path == "ws" {
            request = request
                .header("connection", "upgrade")
                .header("upgrade", "websocket")
                .header("sec-websocket-version", "13")
                .header("sec-websocket-key", "AAAAAAAAAAAAAAAAAAAAAA==");
        }
        let response = request.send().await.unwrap();
        assert_eq!(response.headers()["www-authenticate"], "Bearer", "{path}");
        let (status, problem) = answer(response).await;
        assert_eq!((status, kind(&problem)), (401, "unauthorized"), "{path}");
    }
}

#[tokio::test]
async fn a_wrong_method_is_405() {
    let world = World::new().await;
    for (_, path) in calls() {
        let response = world.call(1, Method::DELETE, &path).send().await.unwrap();
        assert!(response.headers().contains_key("allow"), "{path}");
        let (status, problem) = answer(response).await;
        assert_eq!((status, kind(&problem)), (405, "method-not-allowed"), "{path}");
    }
}

#[tokio::test]
async fn a_body_without_the_content_type_of_json_is_415() {
    let world = World::new().await;
    for path in ["keys", "conversations", "messages", "offline/ack"] {
        for content_type in [None, Some("text/plain"), Some("application/x-www-form-urlencoded"), Some("é")]
        {
            let mut request = world.call(1, Method::POST, path).body("{}");
            if let Some(content_type) = content_type {
                request = request.header("content-type", content_type.as_bytes());
            }
            let (status, problem) = answer(request.send().await.unwrap()).await;
            assert_eq!((status, kind(&problem)), (415, "unsupported-media-type"), "{path} {content_type:?}");
        }
    }
    let request =
        world.call(1, Method::POST, "keys").header("content-type", "Application/JSON; charset=utf-8");
    let body = format!("{{\"x25519_pubkey\":\"{}\"}}", derived_key(1));
    assert_eq!(request.body(body).send().await.unwrap().status(), 200);
}

#[tokio::test]
async fn an_unavailable_store_is_503_with_retry_after() {
    let store = FaultyStore::default();
    let world = World::with(store.clone(), |_| (), |_| ()).await;
    let conversation = world.open(1, 2).await;
    for (fault, expected) in [
        (StoreErrorKind::Unavailable, "unavailable"),
        (StoreErrorKind::Full, "unavailable"),
        (StoreErrorKind::OutcomeUnknown, "outcome-unknown"),
    ] {
        store.fail_next(fault);
        let request = world.call(1, Method::POST, "messages").json(&message(&conversation, "x"));
        let response = request.send().await.unwrap();
        assert_eq!(response.headers()["retry-after"], "1");
        let (status, problem) = answer(response).await;
        assert_eq!((status, kind(&problem), &problem["retry_after_ms"]), (503, expected, &json!(1_000)));
    }
}

#[tokio::test]
async fn only_a_refused_write_says_that_nothing_was_stored() {
    let store = FaultyStore::default();
    let world = World::with(store.clone(), |_| (), |_| ()).await;
    let conversation = world.open(1, 2).await;
    let says_so =
        |problem: &serde_json::Value| problem["detail"] == "this request stored nothing; repeat it unchanged";
    let writes = [
        ("messages", message(&conversation, "x")),
        ("conversations", json!({ "recipient_pubkey": user(3).to_string() })),
        ("keys", json!({ "x25519_pubkey": derived_key(1).to_string() })),
        ("offline/ack", json!({ "up_to": 1 })),
    ];
    for (path, body) in writes {
        store.fail_next(StoreErrorKind::Unavailable);
        let (status, problem) = world.post(1, path, &body).await;
        assert_eq!((status, kind(&problem)), (503, "unavailable"), "{path}");
        assert!(says_so(&problem), "{path}: {problem}");
    }
    store.fail_lists(true);
    let (status, problem) = world.get(1, "conversations").await;
    assert_eq!((status, kind(&problem)), (503, "unavailable"));
    assert!(!says_so(&problem), "{problem}");
}

#[tokio::test]
async fn a_service_that_shuts_down_is_503() {
    let world = World::new().await;
    let conversation = world.open(1, 2).await;
    world.dm.shutdown(SECOND).await;
    let (status, problem) = world.post(1, "messages", &message(&conversation, "x")).await;
    assert_eq!((status, kind(&problem)), (503, "unavailable"));
}

#[tokio::test]
async fn a_foreign_and_a_missing_conversation_get_the_same_answer_byte_for_byte() {
    let world = World::new().await;
    let foreign = world.open(1, 2).await;
    world.send(1, &foreign, "x").await;
    let before = world.stored().await;
    let mut bodies = Vec::new();
    for id in [foreign.as_str(), "0190b6a0-0000-7000-8000-000000000001"] {
        for query in ["", "?before=2", "?after=0", "?limit=1"] {
            let path = format!("messages/{id}{query}");
            let response = world.call(3, Method::GET, &path).send().await.unwrap();
            assert_eq!(response.status(), 404);
            bodies.push(response.bytes().await.unwrap());
        }
        let send = world.call(3, Method::POST, "messages").json(&message(id, "y")).send().await.unwrap();
        assert_eq!(send.status(), 404);
        bodies.push(send.bytes().await.unwrap());
    }
    bodies.dedup();
    assert_eq!(bodies.len(), 1, "{bodies:?}");
    assert_eq!(world.stored().await, before);
}
