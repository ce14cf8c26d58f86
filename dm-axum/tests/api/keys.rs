//! Publishing and looking up keys.

use dm_core::KeyPolicy;
use serde_json::json;

use crate::world::{SECOND, START, World, derived_key, kind, user};

#[tokio::test]
async fn a_published_key_is_returned_and_looked_up_with_all_fields() {
    let world = World::new().await;
    let expected = json!({
        "ed25519_pubkey": user(1).to_string(),
        "x25519_pubkey": derived_key(1),
        "published_at": START,
        "version": 1,
        "binding": "derived",
    });
    // Seed clients send only this field. Hexadecimal digits may be of either case.
    let body = json!({ "x25519_pubkey": derived_key(1).to_uppercase() });
    assert_eq!(world.post(1, "keys", &body).await, (200, expected.clone()));
    // Publishing the same key at a later time changes nothing.
    world.clock.advance(SECOND);
    assert_eq!(world.post(1, "keys", &body).await, (200, expected.clone()));
    for text in [user(1).to_string(), user(1).to_string().to_uppercase()] {
        assert_eq!(world.get(2, &format!("keys/{text}")).await, (200, expected.clone()));
    }
}

#[tokio::test]
async fn a_new_key_is_the_next_version() {
    let world = World::configured(|config| config.key_policy = KeyPolicy::AcceptUnproven).await;
    world.post(1, "keys", &json!({ "x25519_pubkey": derived_key(1) })).await;
    let (status, body) = world.post(1, "keys", &json!({ "x25519_pubkey": derived_key(2) })).await;
    assert_eq!(status, 200);
    assert_eq!((&body["version"], &body["binding"]), (&json!(2), &json!("unproven")));
}

#[tokio::test]
async fn the_key_of_a_user_without_one_is_not_found() {
    let world = World::new().await;
    let (status, body) = world.get(1, &format!("keys/{}", user(2))).await;
    assert_eq!((status, kind(&body)), (404, "not-found"));
    // These digits are not a valid identity, because no point has y = 2.
    let no_point = format!("02{}", "00".repeat(31));
    assert_eq!(world.get(1, &format!("keys/{no_point}")).await, (404, body));
}

#[tokio::test]
async fn an_invalid_key_is_refused_with_the_name_of_its_field_and_not_stored() {
    let world = World::new().await;
    let small_order = format!("01{}", "00".repeat(31));
    let table = [
        (json!({}), 400, "x25519_pubkey"),
        (json!({ "x25519_pubkey": null }), 400, "x25519_pubkey"),
        (json!({ "x25519_pubkey": 7 }), 400, "x25519_pubkey"),
        (json!({ "x25519_pubkey": "" }), 400, "x25519_pubkey"),
        (json!({ "x25519_pubkey": "zz".repeat(32) }), 400, "x25519_pubkey"),
        (json!({ "x25519_pubkey": "é".repeat(32) }), 400, "x25519_pubkey"),
        (json!({ "x25519_pubkey": derived_key(1) + "00" }), 400, "x25519_pubkey"),
        (json!({ "x25519_pubkey": "00".repeat(32) }), 422, "x25519_pubkey"),
        (json!({ "x25519_pubkey": small_order }), 422, "x25519_pubkey"),
        (json!({ "x25519_pubkey": derived_key(2) }), 422, "x25519_pubkey"),
        (json!({ "x25519_pubkey": derived_key(1), "signature": "AAAA" }), 422, "signature"),
        (json!({ "x25519_pubkey": derived_key(1), "signature": 7 }), 400, "signature"),
    ];
    for (body, expected, field) in table {
        let (status, problem) = world.post(1, "keys", &body).await;
        assert_eq!((status, &problem["field"]), (expected, &json!(field)), "{body}");
    }
    assert_eq!(world.get(1, &format!("keys/{}", user(1))).await.0, 404);
    let device = json!({ "x25519_pubkey": derived_key(1), "device": "phone", "later": [{}] });
    assert_eq!(world.post(1, "keys", &device).await.0, 200, "unknown fields are ignored");
}

#[tokio::test]
async fn a_path_that_is_no_user_is_malformed() {
    let world = World::new().await;
    for path in ["keys/x", "keys/%00", "keys/%ff", &format!("keys/{}", "0".repeat(63))] {
        let (status, problem) = world.get(1, path).await;
        assert_eq!((status, &problem["field"]), (400, &json!("ed25519_pubkey")), "{path}");
    }
}
