//! Sending messages, and reading history.

use dm_core::KeyPolicy;
use serde_json::{Value, json};

use crate::world::{START, World, base64, derived_key, kind, message, user};

const CLIENT_ID: &str = "6ba7b810-9dad-11d1-80b4-00c04fd430c8";

fn sequences(page: &Value) -> Vec<u64> {
    let messages = page["messages"].as_array().unwrap();
    messages.iter().map(|message| message["server_sequence"].as_u64().unwrap()).collect()
}

#[tokio::test]
async fn a_send_of_a_seed_client_is_answered_with_the_seed_s_fields() {
    let world = World::new().await;
    let conversation = world.open(1, 2).await;
    let (status, sent) = world.post(1, "messages", &message(&conversation, "opaque")).await;
    let expected = json!({
        "id": sent["id"],
        "conversation_id": conversation,
        "sender_pubkey": user(1).to_string(),
        "encrypted_payload": base64("opaque"),
        "nonce": base64([7; 24]),
        "ephemeral_pubkey": null,
        "timestamp": 5,
        "server_sequence": 1,
        "sender_display_name": "Person 1",
        "received_at": START,
    });
    assert_eq!((status, &sent), (201, &expected));
    let (status, page) = world.get(2, &format!("messages/{conversation}")).await;
    assert_eq!((status, page), (200, json!({ "messages": [expected], "has_more": false })));
}

#[tokio::test]
async fn optional_fields_are_in_the_answer_and_a_repeated_send_gets_the_first_answer() {
    let world = World::new().await;
    let conversation = world.open(1, 2).await;
    let mut body = message(&conversation, "opaque");
    body["ephemeral_pubkey"] = json!(base64([9; 32]));
    body["client_message_id"] = json!(CLIENT_ID.to_uppercase());
    body["suite"] = json!(1);
    body["unheard_of"] = json!({ "x": [1, 2, 3] });
    let (status, first) = world.post(1, "messages", &body).await;
    assert_eq!(status, 201);
    assert_eq!(first["ephemeral_pubkey"], json!(base64([9; 32])));
    assert_eq!((&first["client_message_id"], &first["suite"]), (&json!(CLIENT_ID), &json!(1)));
    assert_eq!(world.post(1, "messages", &body).await, (200, first));

    body["encrypted_payload"] = json!(base64("another"));
    let (status, problem) = world.post(1, "messages", &body).await;
    assert_eq!((status, kind(&problem)), (409, "message-id-reused"));
    assert_eq!(problem["field"], "client_message_id");
}

#[tokio::test]
async fn suite_0_equals_no_suite_and_an_empty_ephemeral_key_equals_no_key() {
    let world = World::new().await;
    let conversation = world.open(1, 2).await;
    let mut body = message(&conversation, "opaque");
    body["client_message_id"] = json!(CLIENT_ID);
    let (_, first) = world.post(1, "messages", &body).await;
    body["suite"] = json!(0);
    body["ephemeral_pubkey"] = json!("");
    assert_eq!(world.post(1, "messages", &body).await, (200, first));
}

#[tokio::test]
async fn a_stale_key_is_refused_with_the_current_key_and_nothing_is_stored() {
    let world = World::configured(|config| config.key_policy = KeyPolicy::AcceptUnproven).await;
    let conversation = world.open(1, 2).await;
    let mut body = message(&conversation, "opaque");
    body["recipient_key_version"] = json!(1);
    let (status, problem) = world.post(1, "messages", &body).await;
    assert_eq!((status, kind(&problem)), (409, "stale-key"));
    assert!(problem.as_object().unwrap().contains_key("current_key"), "the field is there, as null");
    assert_eq!(problem["current_key"], json!(null));

    world.post(2, "keys", &json!({ "x25519_pubkey": derived_key(2) })).await;
    let (_, current) = world.post(2, "keys", &json!({ "x25519_pubkey": derived_key(3) })).await;
    let (status, problem) = world.post(1, "messages", &body).await;
    assert_eq!((status, &problem["current_key"]), (409, &current));
    assert_eq!(problem["field"], "recipient_key_version");
    assert_eq!(world.get(1, &format!("messages/{conversation}")).await.1["messages"], json!([]));
    body["recipient_key_version"] = json!(2);
    assert_eq!(world.post(1, "messages", &body).await.0, 201);
}

#[tokio::test]
async fn history_is_read_in_both_directions_by_sequence() {
    let world = World::new().await;
    let conversation = world.open(1, 2).await;
    for n in 0..120 {
        world.send(1 + n % 2, &conversation, "x").await;
    }
    let table = [
        ("", (71..=120).rev().collect::<Vec<u64>>(), true),
        ("?limit=2", vec![120, 119], true),
        ("?limit=100", (21..=120).rev().collect(), true),
        ("?limit=1000", (21..=120).rev().collect(), true),
        ("?before=4", vec![3, 2, 1], false),
        ("?before=4&limit=2", vec![3, 2], true),
        ("?before=1", vec![], false),
        ("?before=0", vec![], false),
        ("?before=18446744073709551615&limit=1", vec![120], true),
        ("?after=0&limit=2", vec![1, 2], true),
        ("?after=118", vec![119, 120], false),
        ("?after=18446744073709551615", vec![], false),
    ];
    for (query, expected, has_more) in table {
        let (status, page) = world.get(2, &format!("messages/{conversation}{query}")).await;
        assert_eq!(
            (status, sequences(&page), &page["has_more"]),
            (200, expected, &json!(has_more)),
            "{query}"
        );
    }
    for (query, expected, field) in [
        ("limit=0", 422, "limit"),
        ("limit=ten", 400, "limit"),
        ("before=-1", 400, "before"),
        ("before=1.5", 400, "before"),
        ("after=", 400, "after"),
        ("before=2&after=1", 422, "after"),
    ] {
        let (status, problem) = world.get(1, &format!("messages/{conversation}?{query}")).await;
        assert_eq!((status, &problem["field"]), (expected, &json!(field)), "{query}");
    }
}

#[tokio::test]
async fn a_send_succeeds_although_its_names_cannot_be_looked_up() {
    let world = World::new().await;
    // The directory fails for user 66. This user can open a conversation, because the service asks
    // the directory about the other user only.
    let conversation = world.open(66, 1).await;
    let sent = world.send(66, &conversation, "x").await;
    assert_eq!(sent["sender_display_name"], "Unknown");
}
