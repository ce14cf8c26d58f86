//! Opening and listing conversations.

use reqwest::Method;
use serde_json::{Value, json};

use crate::world::{SECOND, START, World, answer, kind, user};

fn ids(list: &Value) -> Vec<&str> {
    list.as_array().unwrap().iter().map(|conversation| conversation["id"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn a_conversation_is_created_once_and_found_afterwards() {
    let world = World::new().await;
    let (status, created) =
        world.post(1, "conversations", &json!({ "recipient_pubkey": user(2).to_string() })).await;
    let id = created["id"].as_str().unwrap().to_owned();
    let (a, b) = if user(1) < user(2) { (1, 2) } else { (2, 1) };
    let mut expected = json!({
        "id": id,
        "participant_a_pubkey": user(a).to_string(),
        "participant_b_pubkey": user(b).to_string(),
        "participant_a_display_name": format!("Person {a}"),
        "participant_b_display_name": format!("Person {b}"),
        "created_at": START,
        "last_message_at": null,
    });
    assert_eq!((status, &created), (201, &expected));

    world.clock.advance(SECOND);
    world.send(1, &id, "hello").await;
    expected["last_message_at"] = json!(START + 1_000);
    let upper = json!({ "recipient_pubkey": user(1).to_string().to_uppercase() });
    assert_eq!(world.post(2, "conversations", &upper).await, (200, expected.clone()));
    assert_eq!(world.get(2, "conversations").await, (200, json!([expected])));
}

#[tokio::test]
async fn opening_with_oneself_is_400_with_an_unknown_user_404_and_with_an_invalid_key_422() {
    let world = World::new().await;
    let no_point = format!("02{}", "00".repeat(31));
    let identity = format!("01{}", "00".repeat(31));
    let table = [
        (json!(user(1).to_string()), 400, Some("recipient_pubkey")),
        (json!(user(200).to_string()), 404, None),
        (json!(no_point), 422, Some("recipient_pubkey")),
        (json!(identity), 422, Some("recipient_pubkey")),
        (json!("x"), 400, Some("recipient_pubkey")),
        (json!(7), 400, Some("recipient_pubkey")),
        (json!(null), 400, Some("recipient_pubkey")),
    ];
    let before = world.stored().await;
    for (recipient, expected, field) in table {
        let (status, problem) =
            world.post(1, "conversations", &json!({ "recipient_pubkey": recipient })).await;
        assert_eq!((status, problem["field"].as_str()), (expected, field), "{recipient}");
    }
    assert_eq!(world.stored().await, before);
}

#[tokio::test]
async fn a_user_without_a_name_is_unknown_and_opening_fails_while_the_directory_fails() {
    let world = World::new().await;
    world.open(1, 10).await;
    let (_, list) = world.get(10, "conversations").await;
    let names = |list: &Value| {
        let mut names = [&list[0]["participant_a_display_name"], &list[0]["participant_b_display_name"]]
            .map(Value::to_string);
        names.sort();
        names
    };
    assert_eq!(names(&list), ["\"Person 1\"", "\"Unknown\""]);
    // The directory fails for user 66 and does not tell whether the user exists, so the call fails.
    let (status, problem) =
        world.post(1, "conversations", &json!({ "recipient_pubkey": user(66).to_string() })).await;
    assert_eq!((status, kind(&problem)), (503, "unavailable"));
}

#[tokio::test]
async fn the_most_recently_active_conversation_is_first_and_an_empty_one_last() {
    let world = World::new().await;
    let (two, three, four) = (world.open(1, 2).await, world.open(1, 3).await, world.open(1, 4).await);
    world.send(1, &three, "a").await;
    world.clock.advance(SECOND);
    world.send(4, &four, "b").await;
    let (_, list) = world.get(1, "conversations").await;
    assert_eq!(ids(&list), [four.as_str(), &three, &two]);
}

#[tokio::test]
async fn with_a_limit_the_list_has_pages() {
    let world = World::new().await;
    let mut open = Vec::new();
    for other in 2..=6 {
        open.push(world.open(1, other).await);
    }
    let (mut seen, mut cursor) = (Vec::new(), String::new());
    loop {
        let (status, page) = world.get(1, &format!("conversations?limit=2{cursor}")).await;
        assert_eq!(status, 200);
        seen.extend(ids(&page["conversations"]).into_iter().map(ToOwned::to_owned));
        assert_eq!(page.as_object().unwrap().len(), 2, "conversations and next");
        let Some(next) = page["next"].as_str() else { break };
        cursor = format!("&cursor={next}");
    }
    seen.sort();
    open.sort();
    assert_eq!(seen, open);
}

#[tokio::test]
async fn without_a_limit_the_next_cursor_is_in_a_header() {
    let world = World::configured(|config| config.list_page = 2).await;
    for other in 2..=4 {
        world.open(1, other).await;
    }
    let response = world.call(1, Method::GET, "conversations").send().await.unwrap();
    let next = response.headers()["dm-next"].to_str().unwrap().to_owned();
    let (_, first) = answer(response).await;
    let response = world.call(1, Method::GET, &format!("conversations?cursor={next}")).send().await.unwrap();
    assert!(!response.headers().contains_key("dm-next"));
    let (_, rest) = answer(response).await;
    assert_eq!((ids(&first).len(), ids(&rest).len()), (2, 1));
    assert!(!ids(&first).contains(&ids(&rest)[0]));
}

#[tokio::test]
async fn a_malformed_limit_or_cursor_is_refused_with_its_name() {
    let world = World::new().await;
    let long = format!("cursor={}", "0".repeat(4_096));
    let table = [
        ("limit=0", 422, Some("limit")),
        ("limit=x", 400, Some("limit")),
        ("limit=-1", 400, Some("limit")),
        ("limit=%2B1", 400, Some("limit")),
        ("limit=99999999999999999999", 400, Some("limit")),
        ("cursor=x", 400, Some("cursor")),
        (long.as_str(), 400, Some("cursor")),
        ("limit=1&limit=2", 400, None),
    ];
    for (query, expected, field) in table {
        let (status, problem) = world.get(1, &format!("conversations?{query}")).await;
        assert_eq!((status, problem["field"].as_str()), (expected, field), "{query}");
    }
    assert_eq!(world.get(1, "conversations?limit=18446744073709551615&x=y").await.0, 200);
}
