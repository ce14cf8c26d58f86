//! REST calls whose answers are too large, too slow, malformed or refusals; and sign-in.

use std::time::Duration;

use dm_client::{Client, ClientError, HistoryRange, Retry, Timeouts, sign_in};
use serde_json::json;

use crate::transport::http_server::{Fault, HttpServer, problem};
use crate::transport::messages::{ana, ben, conversation};

fn client(base: &str) -> Client {
    let timeouts = Timeouts { connect: Duration::from_secs(5), request: Duration::from_millis(300) };
    Client::builder(base).token("s3cret-token").timeouts(timeouts).build().unwrap()
}

fn answer(status: u16, body: impl Into<Vec<u8>>) -> Fault {
    Fault::Answer(status, vec![("content-type", "application/json".to_owned())], body.into())
}

#[tokio::test]
async fn an_answer_beyond_the_limit_is_refused_with_and_without_a_content_length() {
    let announced = Fault::Answer(200, vec![("content-length", "99999999999".to_owned())], b"{".to_vec());
    // This body has no end, so the client has to stop at its limit.
    let chunk = [b"10000\r\n".as_slice(), &[b' '; 0x10000], b"\r\n"].concat();
    let endless = Fault::Answer(200, vec![("transfer-encoding", "chunked".to_owned())], chunk.repeat(6));
    let server = HttpServer::start([announced, endless]).await;
    for _ in 0..2 {
        let error = client(&server.base).key(&ben().user_id()).await.unwrap_err();
        assert!(matches!(error, ClientError::TooLarge { limit: 262_144 }), "{error:?}");
    }
}

#[tokio::test]
async fn an_answer_of_exactly_the_limit_is_accepted() {
    let limit = 262_144;
    let chunked = |chunks: &[usize]| {
        let chunk =
            |bytes: &usize| [format!("{bytes:x}\r\n").into_bytes(), vec![b' '; *bytes], b"\r\n".to_vec()];
        let mut body: Vec<u8> = chunks.iter().flat_map(chunk).flatten().collect();
        body.extend(b"0\r\n\r\n");
        Fault::Answer(200, vec![("transfer-encoding", "chunked".to_owned())], body)
    };
    let whole = answer(200, vec![b' '; limit]);
    let server = HttpServer::start([
        whole,
        chunked(&[limit / 2, limit / 2]),
        answer(200, vec![b' '; limit + 1]),
        chunked(&[limit / 2, limit / 2, 1]),
    ])
    .await;
    let client = client(&server.base);
    for is_read in [true, true, false, false] {
        let error = client.key(&ben().user_id()).await.unwrap_err();
        // A body within the limit is read and then refused, because spaces are not a key record.
        assert_eq!(matches!(error, ClientError::Protocol(_)), is_read, "{error:?}");
        assert_eq!(matches!(error, ClientError::TooLarge { .. }), !is_read, "{error:?}");
    }
}

#[tokio::test]
async fn a_page_of_one_mebibyte_is_accepted_and_one_of_more_than_sixteen_is_refused() {
    let padded = [b"{\"messages\": []".as_slice(), &[b' '; 1 << 20], b"}"].concat();
    let huge = Fault::Answer(200, vec![("content-length", "16777217".to_owned())], b"{".to_vec());
    let server = HttpServer::start([answer(200, padded), huge]).await;
    let client = client(&server.base);
    let read = async || client.history(conversation(), HistoryRange::Newest, 50).await;
    assert!(read().await.unwrap().messages.is_empty());
    let error = read().await.unwrap_err();
    assert!(matches!(error, ClientError::TooLarge { limit: 16_777_216 }), "{error:?}");
}

#[tokio::test]
async fn a_server_that_does_not_answer_is_a_timeout() {
    let server = HttpServer::start([Fault::Silence]).await;
    let error = client(&server.base).key(&ben().user_id()).await.unwrap_err();
    assert!(matches!(error, ClientError::Timeout), "{error:?}");
    assert_eq!(error.retry(), Retry::Later(None));
}

#[tokio::test]
async fn a_refusal_without_a_valid_body_keeps_its_status() {
    let html = Fault::Answer(502, vec![("content-type", "text/html".to_owned())], b"<html>".to_vec());
    let server = HttpServer::start([html, answer(404, "not json"), answer(401, "")]).await;
    let client = client(&server.base);
    let error = client.ws_ticket().await.unwrap_err();
    assert_eq!(error.retry(), Retry::Later(None));
    assert!(client.key(&ben().user_id()).await.unwrap_err().is_not_found());
    assert!(client.conversations(10, None).await.unwrap_err().is_unauthorized());
}

#[tokio::test]
async fn a_malformed_answer_is_a_typed_error() {
    let history = |message: serde_json::Value| answer(200, json!({ "messages": [message] }).to_string());
    let good = json!({
        "id": "00000000-0000-0000-0000-000000000001", "conversation_id": conversation().to_string(),
        "sender_pubkey": ana().user_id().to_string(), "encrypted_payload": "AA==",
        "nonce": data_encoding::BASE64.encode(&[0; 24]), "timestamp": 1, "server_sequence": 1,
    });
    let changes = [
        ("id", json!("{00000000-0000-0000-0000-000000000001}")),
        ("conversation_id", json!("00000000-0000-0000-0000-000000000001")),
        ("sender_pubkey", json!("00".repeat(32))),
        ("encrypted_payload", json!("AA")),
        ("encrypted_payload", json!("AB==")),
        ("nonce", json!("AA==")),
        ("timestamp", json!("1")),
        ("server_sequence", json!(-1)),
        ("client_message_id", json!("x")),
    ];
    let mut faults = vec![history(good.clone()), answer(200, "[]"), answer(200, "")];
    faults.extend(changes.iter().map(|(field, value)| {
        let mut message = good.clone();
        message[*field] = value.clone();
        history(message)
    }));
    let server = HttpServer::start(faults).await;
    let client = client(&server.base);
    let read = async || client.history(conversation(), HistoryRange::Newest, 50).await;
    assert_eq!(read().await.unwrap().messages.len(), 1);
    for _ in 0..changes.len() + 2 {
        let error = read().await.unwrap_err();
        assert!(matches!(error, ClientError::Protocol(_)), "{error:?}");
    }
}

#[tokio::test]
async fn errors_and_debug_output_show_neither_token_nor_address() {
    let refused = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = refused.local_addr().unwrap();
    drop(refused);
    let client = client(&format!("http://{address}/secret-path/"));
    let error = client.key(&ben().user_id()).await.unwrap_err();
    let mut shown = format!("{client:?} {error} {error:?}");
    let mut source = std::error::Error::source(&error);
    while let Some(cause) = source {
        shown += &format!(" {cause} {cause:?}");
        source = cause.source();
    }
    for secret in ["s3cret-token", "secret-path", &ben().user_id().to_string()] {
        assert!(!shown.contains(secret), "{shown}");
    }
}

#[test]
fn invalid_server_addresses_are_refused() {
    let build = |base: &str| Client::builder(base).build();
    for base in [
        "",
        "127.0.0.1:80",
        "ftp://host",
        "http://user:pw@host",
        "http://user@host",
        "http://:pw@host",
        "http://host?token=x",
        "mailto:a@b",
    ] {
        assert!(matches!(build(base), Err(ClientError::InvalidUrl(_))), "{base}");
    }
    let https = build("https://host");
    if cfg!(feature = "tls") {
        https.unwrap();
    } else {
        assert!(matches!(https, Err(ClientError::NoTls)), "{https:?}");
    }
    let token = Client::builder("http://host").token("a\nb").build();
    assert!(matches!(token, Err(ClientError::InvalidToken)));
}

#[tokio::test]
async fn a_path_in_the_address_is_prepended_to_every_call() {
    let server = HttpServer::start([answer(404, ""), answer(404, "")]).await;
    for base in [format!("{}/chat", server.base), format!("{}/chat/", server.base)] {
        client(&base).key(&ben().user_id()).await.unwrap_err();
    }
    let line = format!("GET /chat/api/dm/keys/{} HTTP/1.1", ben().user_id());
    assert_eq!(
        server.requests().iter().map(|request| request.line.clone()).collect::<Vec<_>>(),
        [&*line, &line]
    );
}

#[tokio::test]
async fn sign_in_signs_purpose_origin_host_id_and_challenge() {
    let challenge = json!({
        "challenge": data_encoding::BASE64.encode(&[7; 32]), "server_id": "host-1", "expires_at": 5
    });
    let verified = json!({ "token": "t", "expires_at": 9, "user": {} });
    let server =
        HttpServer::start([answer(200, challenge.to_string()), answer(200, verified.to_string())]).await;
    let (ana, timeouts) = (ana(), Timeouts::default());
    let login = sign_in::sign_in(&server.base, &ana, Some("Ana"), Some("host-1"), timeouts).await.unwrap();
    assert_eq!((login.token.as_str(), login.expires_at.as_millis()), ("t", 9));

    let sent = server.requests()[1].json();
    let signature = data_encoding::BASE64.decode(sent["signature"].as_str().unwrap().as_bytes()).unwrap();
    let origin = server.base.as_bytes();
    let statement = [b"dm-chat-host auth v2\0", origin, b"\0host-1\0".as_slice(), &[7; 32]].concat();
    ana.user_id().verify(&statement, &signature.try_into().unwrap()).unwrap();
    assert_eq!(sent["display_name"], "Ana");
}

#[tokio::test]
async fn sign_out_accepts_an_answer_without_a_body() {
    let challenge = json!({ "challenge": data_encoding::BASE64.encode(&[7; 32]), "server_id": "host-1" });
    let verified = json!({ "token": "t", "expires_at": 9 });
    let faults = [answer(200, challenge.to_string()), answer(200, verified.to_string()), answer(204, "")];
    let server = HttpServer::start(faults.into_iter().chain([answer(401, "")])).await;
    let timeouts = Timeouts::default();
    let login = sign_in::sign_in(&server.base, &ana(), None, None, timeouts).await.unwrap();
    sign_in::sign_out(&server.base, &login, timeouts).await.unwrap();
    assert_eq!(server.requests()[2].line, "POST /api/auth/logout HTTP/1.1");
    assert!(sign_in::sign_out(&server.base, &login, timeouts).await.unwrap_err().is_unauthorized());
}

#[tokio::test]
async fn nothing_is_signed_for_a_host_with_another_id_than_expected() {
    let challenge = json!({ "challenge": data_encoding::BASE64.encode(&[7; 32]), "server_id": "other" });
    let server = HttpServer::start([answer(200, challenge.to_string())]).await;
    let login = sign_in::sign_in(&server.base, &ana(), None, Some("host-1"), Timeouts::default()).await;
    assert!(matches!(login, Err(ClientError::WrongServerId)), "{login:?}");
    assert_eq!(server.requests().len(), 1);
}

#[tokio::test]
async fn a_used_client_message_id_is_distinguished_from_a_stale_key() {
    let (status, headers, body) = problem(409, json!({ "title": "used" }));
    let server = HttpServer::start([Fault::Answer(status, headers, body)]).await;
    let error = client(&server.base).open_conversation(&ben().user_id()).await.unwrap_err();
    assert!(error.is_message_id_reused(), "{error:?}");
}
