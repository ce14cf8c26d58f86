//! Fetching and acknowledging pending messages.

use std::time::Duration;

use dm_core::AckMode;
use reqwest::Method;
use serde_json::{Value, json};

use crate::world::{World, answer, kind, message, user};

fn texts(body: &Value) -> Vec<String> {
    let text = |message: &Value| {
        let payload = message["encrypted_payload"].as_str().unwrap();
        String::from_utf8(data_encoding::BASE64.decode(payload.as_bytes()).unwrap()).unwrap()
    };
    body["messages"].as_array().unwrap().iter().map(text).collect()
}

#[tokio::test]
async fn the_seed_s_client_fetches_and_acknowledges() {
    let world = World::new().await;
    let conversation = world.open(1, 2).await;
    let (first, second) = (world.send(1, &conversation, "a").await, world.send(1, &conversation, "b").await);
    let expected = json!({ "messages": [first, second], "has_more": false, "next": null });
    assert_eq!(world.get(2, "offline").await, (200, expected.clone()));
    assert_eq!(world.get(2, "offline").await, (200, expected), "fetching does not acknowledge");

    let body = json!({ "message_ids": [first["id"]] });
    let acknowledged = json!({ "acknowledged": 1, "unknown": 0, "remaining": 1 });
    assert_eq!(world.post(2, "offline/ack", &body).await, (200, acknowledged.clone()));
    assert_eq!(world.post(2, "offline/ack", &body).await, (200, acknowledged), "idempotent");
    assert_eq!(texts(&world.get(2, "offline").await.1), ["b"]);
    // Nothing is pending for the sender, because the device has sent these messages itself.
    assert_eq!(world.get(1, "offline").await.1["messages"], json!([]));
}

#[tokio::test]
async fn messages_of_the_user_s_other_devices_are_fetched_on_request() {
    let world = World::new().await;
    let conversation = world.open(1, 2).await;
    let on_phone = |path: &str| world.call(1, Method::GET, path).header("x-device", "phone").send();
    world.send(1, &conversation, "mine").await;
    world.send(2, &conversation, "theirs").await;
    let (_, plain) = answer(on_phone("offline").await.unwrap()).await;
    let (_, all) = answer(on_phone("offline?include_sent=true").await.unwrap()).await;
    let (_, not_all) = answer(on_phone("offline?include_sent=false").await.unwrap()).await;
    assert_eq!(texts(&plain), ["theirs"]);
    assert_eq!(texts(&all), ["mine", "theirs"]);
    assert_eq!(not_all, plain);
}

#[tokio::test]
async fn next_is_the_position_to_continue_after_and_to_acknowledge() {
    let world = World::new().await;
    let conversation = world.open(1, 2).await;
    for text in ["a", "b", "c"] {
        world.send(1, &conversation, text).await;
    }
    let (_, first) = world.get(2, "offline?limit=2").await;
    assert_eq!((texts(&first), &first["has_more"]), (vec!["a".into(), "b".into()], &json!(true)));
    let next = first["next"].as_u64().unwrap();
    let (_, second) = world.get(2, &format!("offline?limit=2&after={next}")).await;
    assert_eq!((texts(&second), &second["has_more"]), (vec!["c".into()], &json!(false)));
    let (status, answer) = world.post(2, "offline/ack", &json!({ "up_to": next })).await;
    assert_eq!((status, &answer["remaining"], &answer["unknown"]), (200, &json!(1), &json!(0)));
    assert_eq!(texts(&world.get(2, "offline").await.1), ["c"]);
}

#[tokio::test]
async fn one_body_may_acknowledge_a_position_and_messages() {
    let world = World::new().await;
    let conversation = world.open(1, 2).await;
    world.send(1, &conversation, "a").await;
    let second = world.send(1, &conversation, "b").await;
    // Entry 1 is the notice of the conversation, entry 2 the first message.
    let (_, answer) =
        world.post(2, "offline/ack", &json!({ "up_to": 2, "message_ids": [second["id"]] })).await;
    assert_eq!(answer, json!({ "acknowledged": 3, "unknown": 0, "remaining": 0 }));
}

#[tokio::test]
async fn a_thousand_pending_messages_are_fetched_at_once() {
    let world = World::new().await;
    let conversation = world.open(1, 2).await;
    for n in 0..1_001 {
        world.send(1, &conversation, &n.to_string()).await;
    }
    let (_, body) = world.get(2, "offline").await;
    let ids: Vec<_> = body["messages"].as_array().unwrap().iter().map(|message| &message["id"]).collect();
    assert_eq!((ids.len(), &body["has_more"]), (1_000, &json!(true)));
    let (status, answer) = world.post(2, "offline/ack", &json!({ "message_ids": ids })).await;
    assert_eq!((status, answer), (200, json!({ "acknowledged": 1_000, "unknown": 0, "remaining": 1 })));
}

#[tokio::test]
async fn expired_entries_are_a_gap() {
    let world = World::new().await;
    let conversation = world.open(1, 2).await;
    world.send(1, &conversation, "old").await;
    assert_eq!(texts(&world.get(2, "offline").await.1), ["old"]);
    world.clock.advance(Duration::from_secs(31 * 24 * 60 * 60));
    world.send(1, &conversation, "new").await;
    world.dm.expire().await.unwrap();
    let (_, body) = world.get(2, "offline").await;
    assert_eq!(texts(&body), ["new"]);
    assert_eq!(body["gap"], json!({ "from": 1, "to": 2, "reason": "expired" }));
}

#[tokio::test]
async fn in_the_mode_on_fetch_fetching_acknowledges() {
    let world = World::configured(|config| config.ack_mode = AckMode::OnFetch).await;
    let conversation = world.open(1, 2).await;
    world.send(1, &conversation, "a").await;
    assert_eq!(texts(&world.get(2, "offline").await.1), ["a"]);
    assert_eq!(world.get(2, "offline").await.1["messages"], json!([]));
}

#[tokio::test]
async fn an_empty_or_malformed_acknowledgement_acknowledges_nothing() {
    let world = World::new().await;
    let conversation = world.open(1, 2).await;
    let sent = world.send(1, &conversation, "a").await;
    let foreign = "0190b6a0-0000-7000-8000-000000000001";
    let table = [
        (json!({}), 400, "message_ids"),
        (json!({ "message_ids": "x" }), 400, "message_ids"),
        (json!({ "message_ids": [sent["id"], "x"] }), 400, "message_ids"),
        (json!({ "message_ids": [sent["id"], 7] }), 400, "message_ids"),
        (json!({ "message_ids": vec![foreign; 1_001] }), 413, "message_ids"),
        (json!({ "up_to": -1 }), 400, "up_to"),
        (json!({ "up_to": 3, "message_ids": [sent["id"]] }), 422, "up_to"),
        (json!({ "up_to": u64::MAX }), 422, "up_to"),
    ];
    for (body, expected, field) in table {
        let (status, problem) = world.post(2, "offline/ack", &body).await;
        assert_eq!((status, &problem["field"]), (expected, &json!(field)));
    }
    let (status, problem) = world.get(2, "offline?include_sent=perhaps").await;
    assert_eq!((status, &problem["field"]), (400, &json!("include_sent")));
    assert_eq!(texts(&world.get(2, "offline").await.1), ["a"]);
    // Ids that are not in the caller's inbox count as unknown, whether or not they exist.
    let (_, answer) = world.post(3, "offline/ack", &json!({ "message_ids": [sent["id"], foreign] })).await;
    assert_eq!(answer, json!({ "acknowledged": 0, "unknown": 2, "remaining": 0 }));
    assert_eq!(texts(&world.get(2, "offline").await.1), ["a"]);
    let empty = json!({ "message_ids": [] });
    assert_eq!(world.post(2, "offline/ack", &empty).await.1["acknowledged"], 0);
}

#[tokio::test]
async fn a_device_beyond_the_limit_is_refused() {
    let world = World::configured(|config| config.devices_per_user = 1).await;
    world.get(1, "offline").await;
    let response = world.call(1, Method::GET, "offline").header("x-device", "second").send().await.unwrap();
    let (status, problem) = answer(response).await;
    assert_eq!((status, kind(&problem)), (429, "too-many-devices"));
    let conversation = world.open(1, 2).await;
    let response = world
        .call(1, Method::POST, "messages")
        .header("x-device", "second")
        .json(&message(&conversation, "a device that only sends needs no cursor"))
        .send();
    assert_eq!(response.await.unwrap().status(), 201, "{}", user(1));
}
