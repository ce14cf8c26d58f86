//! Tests of tokens and devices.

use std::time::Duration;

use reqwest::StatusCode;
use serde_json::Value;

use crate::host::running::{Person, close_code, problem, start, start_with};
use chat_host::accounts::TOKENS_PER_ACCOUNT;
use chat_host::serve::Limits;

const MONTH: Duration = Duration::from_secs(30 * 24 * 60 * 60);
const CALL: &str = "/api/dm/conversations";

#[tokio::test]
async fn a_malformed_or_unknown_token_is_refused() {
    let host = start().await;
    let token = host.token(&Person::new(1), None).await;
    let unknown = "0".repeat(64);
    for wrong in ["none", &token[1..], &token.to_uppercase(), &format!("{token}0"), &unknown, "a b"] {
        problem(host.get(CALL, wrong).await, 401, None).await;
    }
    for header in [token.as_str(), "Bearer", &format!("Basic {token}"), "\u{ff}"] {
        let request = host.http.get(host.url(CALL)).header("authorization", header.as_bytes());
        problem(request.send().await.unwrap(), 401, None).await;
    }
    assert_eq!(host.get(CALL, &token).await.status(), StatusCode::OK);
}

#[tokio::test]
async fn a_call_without_a_token_is_refused() {
    let host = start().await;
    problem(host.http.get(host.url(CALL)).send().await.unwrap(), 401, None).await;
}

#[tokio::test]
async fn a_token_that_has_expired_is_refused_and_its_owner_can_sign_in_again() {
    let host = start().await;
    let ana = Person::new(1);
    let token = host.token(&ana, None).await;
    host.clock.advance(MONTH - Duration::from_millis(1));
    assert_eq!(host.get(CALL, &token).await.status(), StatusCode::OK);
    host.clock.advance(Duration::from_millis(1));
    problem(host.get(CALL, &token).await, 401, None).await;

    // The old token may still be in the header.
    let asked = host.http.post(host.url("/api/auth/challenge")).bearer_auth(&token);
    let body = serde_json::json!({ "public_key": ana.hex() });
    let challenge: Value = asked.json(&body).send().await.unwrap().json().await.unwrap();
    let verify = host.http.post(host.url("/api/auth/verify")).bearer_auth(&token);
    let verified = verify.json(&host.answer(&ana, &challenge)).send().await.unwrap();
    let fresh: Value = verified.json().await.unwrap();
    assert_eq!(host.get(CALL, fresh["token"].as_str().unwrap()).await.status(), StatusCode::OK);
    problem(host.get(CALL, &token).await, 401, None).await;
}

#[tokio::test]
async fn tokens_accounts_and_the_hosts_id_survive_a_restart_and_no_token_is_in_the_file() {
    let first = start().await;
    let token = first.token(&Person::new(1), Some("Ana")).await;
    let server_id = first.host.accounts.server_id().to_owned();
    first.stop.send(()).unwrap();
    first.server.await.unwrap();

    let second = start_with(Limits::default(), first.folder).await;
    assert_eq!(second.host.accounts.server_id(), server_id);
    assert_eq!(second.get(CALL, &token).await.status(), StatusCode::OK);
    let raw = data_encoding::HEXLOWER.decode(token.as_bytes()).unwrap();
    for file in std::fs::read_dir(second.folder.path()).unwrap() {
        let bytes = std::fs::read(file.unwrap().path()).unwrap();
        for secret in [token.as_bytes(), &raw] {
            assert!(!bytes.windows(secret.len()).any(|window| window == secret));
        }
    }
}

#[tokio::test]
async fn a_token_beyond_the_limit_removes_the_oldest() {
    let host = start().await;
    let (ana, bo) = (Person::new(1), Person::new(2));
    let of_bo = host.token(&bo, None).await;
    let mut tokens = Vec::new();
    for _ in 0..=TOKENS_PER_ACCOUNT {
        tokens.push(host.token(&ana, None).await);
        host.clock.advance(Duration::from_millis(1));
    }
    problem(host.get(CALL, &tokens[0]).await, 401, None).await;
    for token in [&tokens[1], tokens.last().unwrap(), &of_bo] {
        assert_eq!(host.get(CALL, token).await.status(), StatusCode::OK);
    }
}

#[tokio::test]
async fn an_invalid_device_id_is_refused_in_header_and_query() {
    let host = start().await;
    let token = host.token(&Person::new(1), None).await;
    let by_header = |device: &str| {
        let request = host.http.get(host.url(CALL)).bearer_auth(&token);
        request.header("dm-device", device.as_bytes()).send()
    };
    for device in ["", "a b", "a/b", "é", "a'b", &"x".repeat(65)] {
        problem(by_header(device).await.unwrap(), 400, Some("device")).await;
    }
    for device in ["", "a%20b", "a%00b", "%E2%80%AE", &"x".repeat(65)] {
        let answer = host.get(&format!("{CALL}?device={device}"), &token).await;
        problem(answer, 400, Some("device")).await;
    }
    assert_eq!(by_header("Pixel-9.work_2").await.unwrap().status(), StatusCode::OK);
    assert_eq!(host.get(&format!("{CALL}?device=laptop"), &token).await.status(), StatusCode::OK);
}

#[tokio::test]
async fn a_token_in_the_query_is_accepted_for_the_websocket_only() {
    let host = start().await;
    let token = host.token(&Person::new(1), None).await;
    let answer = host.http.get(host.url(&format!("{CALL}?token={token}"))).send().await.unwrap();
    problem(answer, 401, None).await;
    let answer = host.http.get(host.url(&format!("/api/users?token={token}"))).send().await.unwrap();
    problem(answer, 401, None).await;

    let websocket = |query: String| format!("ws://{}/api/dm/ws?{query}", host.address);
    let open = websocket(format!("token={token}&device=laptop"));
    let (_socket, answer) = tokio_tungstenite::connect_async(open).await.unwrap();
    assert_eq!(answer.status(), StatusCode::SWITCHING_PROTOCOLS);
    for (query, status) in [
        (format!("token={}", "0".repeat(64)), 401),
        ("token=".to_owned(), 401),
        (format!("token={token}&device=a%20b"), 400),
        ("ticket=none".to_owned(), 401),
        ("device=laptop".to_owned(), 401),
    ] {
        let refused = tokio_tungstenite::connect_async(websocket(query)).await.unwrap_err();
        let tokio_tungstenite::tungstenite::Error::Http(answer) = refused else { panic!("{refused}") };
        assert_eq!(answer.status().as_u16(), status);
    }
}

#[tokio::test]
async fn a_websocket_ends_with_its_token() {
    let host = start().await;
    let token = host.token(&Person::new(1), None).await;
    let url = format!("ws://{}/api/dm/ws?token={token}", host.address);
    let (mut socket, _) = tokio_tungstenite::connect_async(url).await.unwrap();
    host.clock.advance(MONTH);
    assert_eq!(close_code(&mut socket).await, 4001);
}
