//! Malformed and hostile bodies of requests. Each one is refused, and nothing is stored.

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::world::{SECOND, World, base64, kind, message, user};

fn with(mut body: Value, field: &str, value: Value) -> Value {
    body[field] = value;
    body
}

#[tokio::test]
async fn every_invalid_field_of_a_send_is_named() {
    let world = World::new().await;
    let id = world.open(1, 2).await;
    let good = message(&id, "x");
    let before = world.stored().await;
    let long = "x".repeat(64 * 1024);
    let mut table: Vec<(&str, Value, u16)> = Vec::new();
    // Invalid base64: padding missing, doubled and misplaced; trailing bits; whitespace; the URL
    // alphabet; an empty text.
    for bad in [
        "QQ", "QQ=", "QQ===", "=QQ=", "QQ==QQ==", "QR==", "QQ==\n", " QQ==", "Q Q=", "-_-_", "Q\0==", "é", "",
    ] {
        table.push(("encrypted_payload", json!(bad), 400));
        table.push(("nonce", json!(bad), 400));
        if !bad.is_empty() {
            table.push(("ephemeral_pubkey", json!(bad), 400));
        }
    }
    for length in [0, 1, 23, 25, 32] {
        table.push(("nonce", json!(base64(vec![7; length])), 400));
    }
    for length in [1, 31, 33, 64] {
        table.push(("ephemeral_pubkey", json!(base64(vec![7; length])), 400));
    }
    // Invalid ids: not a UUID, a UUID in another form, NUL, right-to-left marks, quotes, both
    // Unicode normal forms, a text that is far too long.
    let braces = format!("{{{id}}}");
    let simple = id.replace('-', "");
    for bad in ["", "x", &braces, &simple, "a\0b", "\u{202e}", "'; --", "\"", "é", "e\u{301}", &long] {
        table.push(("conversation_id", json!(bad), 400));
        table.push(("client_message_id", json!(bad), 400));
    }
    for bad in [json!(-1), json!(1.5), json!("5"), json!(null), json!([5]), json!(1e30)] {
        table.push(("timestamp", bad, 400));
    }
    table.push(("recipient_key_version", json!(0), 422));
    table.push(("recipient_key_version", json!(-1), 400));
    table.push(("recipient_key_version", json!(u64::MAX), 400));
    table.push(("suite", json!("1"), 400));
    table.push(("suite", json!(u64::from(u32::MAX) + 1), 400));
    for field in ["conversation_id", "encrypted_payload", "nonce"] {
        table.push((field, json!(null), 400));
        table.push((field, json!(7), 400));
        table.push((field, json!({ "x": [] }), 400));
    }
    for (field, bad, expected) in table {
        let (status, problem) = world.post(1, "messages", &with(good.clone(), field, bad.clone())).await;
        assert_eq!((status, &problem["field"]), (expected, &json!(field)), "{field}: {bad:.40}");
    }
    assert_eq!(world.stored().await, before);
    assert_eq!(world.post(1, "messages", &good).await.0, 201, "the other fields are valid");
}

#[tokio::test]
async fn a_missing_field_is_named() {
    let world = World::new().await;
    let good = message(&world.open(1, 2).await, "x");
    for field in ["conversation_id", "encrypted_payload", "nonce", "timestamp"] {
        let mut body = good.clone();
        body.as_object_mut().unwrap().remove(field);
        let (status, problem) = world.post(1, "messages", &body).await;
        assert_eq!((status, &problem["field"]), (400, &json!(field)));
    }
}

#[tokio::test]
async fn a_body_that_is_no_json_object_is_malformed() {
    let world = World::new().await;
    let before = world.stored().await;
    let deep = "[".repeat(4_000);
    let nested = format!("{{\"a\":{}", "{\"a\":".repeat(600));
    let bodies = ["", "null", "7", "\"x\"", "{", "{]", "{} {}", "{\"a\":}", "\u{feff}{}", &deep, &nested];
    for path in ["keys", "conversations", "messages", "offline/ack"] {
        for body in bodies {
            let (status, problem) = world.post_raw(1, path, body.to_owned()).await;
            assert_eq!((status, kind(&problem)), (400, "malformed"), "{path} {body:.20}");
        }
        let (status, _) = world.post_raw(1, path, vec![b'"', 0xff, 0xfe, b'"']).await;
        assert_eq!(status, 400, "no UTF-8");
    }
    assert_eq!(world.stored().await, before);
}

#[tokio::test]
async fn a_payload_at_the_limit_is_accepted_and_one_byte_more_is_not() {
    let world = World::new().await;
    let conversation = world.open(1, 2).await;
    let most = world.dm.config().max_payload;
    let mut body = message(&conversation, &"x".repeat(most));
    body["ephemeral_pubkey"] = json!(base64([9; 32]));
    body["client_message_id"] = json!("6ba7b810-9dad-11d1-80b4-00c04fd430c8");
    assert_eq!(world.post(1, "messages", &body).await.0, 201);
    let (status, problem) = world.post(1, "messages", &message(&conversation, &"x".repeat(most + 1))).await;
    assert_eq!((status, kind(&problem)), (413, "too-large"));
    assert_eq!(problem["field"], "encrypted_payload");
    assert_eq!(world.dm.depth(&user(2).into()).await.unwrap().messages, 1);
}

#[tokio::test]
async fn a_body_at_the_limit_is_read_and_one_byte_more_is_not() {
    let world = World::new().await;
    let conversation = world.open(1, 2).await;
    let messages = world.dm.config().max_payload.div_ceil(3) * 4 + 4 * 1024;
    let good = message(&conversation, "x").to_string();
    let padded = |length: usize| format!("{good}{}", " ".repeat(length - good.len()));
    assert_eq!(world.post_raw(1, "messages", padded(messages)).await.0, 201);
    let before = world.stored().await;
    for (path, limit) in [
        ("messages", messages),
        ("keys", 4_096),
        ("conversations", 4_096),
        ("offline/ack", 1_000 * 64 + 4_096),
    ] {
        let (status, problem) = world.post_raw(1, path, padded(limit + 1)).await;
        assert_eq!((status, kind(&problem)), (413, "too-large"), "{path}");
    }
    assert_eq!(world.stored().await, before);
}

/// The head of a raw request by user 1.
fn head(world: &World, path: &str, more: &str) -> String {
    format!(
        "POST /api/dm/{path} HTTP/1.1\r\nhost: {}\r\nx-user: {}\r\ncontent-type: application/json\r\n{more}\r\n\r\n",
        world.address,
        user(1)
    )
}

async fn status_line(stream: &mut TcpStream) -> String {
    let mut seen = Vec::new();
    while !seen.ends_with(b"\r\n") {
        seen.push(stream.read_u8().await.unwrap());
    }
    String::from_utf8(seen).unwrap()
}

#[tokio::test]
async fn a_chunked_body_without_a_length_is_read_up_to_the_limit() {
    let world = World::new().await;
    let conversation = world.open(1, 2).await;
    let before = world.stored().await;
    let mut stream = TcpStream::connect(&world.address).await.unwrap();
    let start = head(&world, "keys", "transfer-encoding: chunked");
    stream.write_all(start.as_bytes()).await.unwrap();
    // The last chunk exceeds the limit by one byte, and the body has no end.
    for size in [4_095, 1, 1] {
        let chunk = format!("{size:x}\r\n{}\r\n", " ".repeat(size));
        stream.write_all(chunk.as_bytes()).await.unwrap();
    }
    assert!(status_line(&mut stream).await.starts_with("HTTP/1.1 413"));
    assert_eq!(world.stored().await, before);

    let mut stream = TcpStream::connect(&world.address).await.unwrap();
    let start = head(&world, "messages", "transfer-encoding: chunked");
    stream.write_all(start.as_bytes()).await.unwrap();
    for byte in message(&conversation, "dribbled byte by byte").to_string().bytes() {
        stream.write_all(&[b'1', b'\r', b'\n', byte, b'\r', b'\n']).await.unwrap();
    }
    stream.write_all(b"0\r\n\r\n").await.unwrap();
    assert!(status_line(&mut stream).await.starts_with("HTTP/1.1 201"));
}

#[tokio::test]
async fn a_body_with_a_length_beyond_the_limit_is_refused_unread() {
    let world = World::new().await;
    let mut stream = TcpStream::connect(&world.address).await.unwrap();
    stream.write_all(head(&world, "keys", "content-length: 1000000000000").as_bytes()).await.unwrap();
    assert!(status_line(&mut stream).await.starts_with("HTTP/1.1 413"));
}

#[tokio::test]
async fn a_body_that_does_not_arrive_is_refused_with_408() {
    let world = World::new().await;
    let before = world.stored().await;
    let mut stream = TcpStream::connect(&world.address).await.unwrap();
    stream.write_all(head(&world, "keys", "content-length: 10").as_bytes()).await.unwrap();
    stream.write_all(b"{").await.unwrap();
    // The test has one thread. When this call is answered, the handler of the first request has run
    // and waits for the body.
    world.get(1, "conversations").await;
    world.clock.advance(30 * SECOND);
    assert!(status_line(&mut stream).await.starts_with("HTTP/1.1 408"));
    assert_eq!(world.stored().await, before);
}

#[tokio::test]
async fn a_body_that_is_cut_off_stores_nothing() {
    let world = World::new().await;
    let conversation = world.open(1, 2).await;
    let before = world.stored().await;
    let body = message(&conversation, "x").to_string();
    let mut stream = TcpStream::connect(&world.address).await.unwrap();
    let start = head(&world, "messages", &format!("content-length: {}", body.len()));
    stream.write_all(start.as_bytes()).await.unwrap();
    stream.write_all(&body.as_bytes()[..body.len() - 1]).await.unwrap();
    stream.shutdown().await.unwrap();
    // The server closes the connection after the refusal.
    stream.read_to_end(&mut Vec::new()).await.unwrap();
    assert_eq!(world.stored().await, before);
}
