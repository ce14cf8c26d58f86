//! Tests of challenges and their answers.

use std::time::Duration;

use data_encoding::HEXLOWER;
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::host::running::{NOW, Person, problem, raw, start, start_with_v1};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

#[tokio::test]
async fn a_signed_challenge_gives_a_valid_token() {
    let host = start().await;
    let ana = Person::new(1);
    let challenge = host.challenge(&ana).await;
    assert_eq!(challenge["expires_at"], NOW.as_millis() + 60_000);

    let answer = host.post("/api/auth/verify", &host.answer(&ana, &challenge)).await;
    assert_eq!(answer.headers()["cache-control"], "no-store");
    let verified: Value = answer.json().await.unwrap();
    assert_eq!(verified["expires_at"], NOW.after(30 * DAY).as_millis());
    assert_eq!(verified["user"]["public_key"], ana.hex());
    assert_eq!(verified["user"]["display_name"], ana.hex()[..8]);
    let token = verified["token"].as_str().unwrap();
    assert_eq!(host.get("/api/dm/conversations", token).await.status(), StatusCode::OK);
}

#[tokio::test]
async fn the_signed_statement_has_the_documented_format() {
    let host = start().await;
    let ana = Person::new(1);
    let challenge = host.challenge(&ana).await;
    let server_id = challenge["server_id"].as_str().unwrap();
    let mut body = host.answer(&ana, &challenge);
    let (origin, raw) = (host.url(""), raw(&challenge));
    let parts: [&[u8]; 6] =
        [b"dm-chat-host auth v2\0", origin.as_bytes(), b"\0", server_id.as_bytes(), b"\0", &raw];
    let bytes = parts.concat();
    body["signature"] = ana.sign(&bytes).into();
    assert_eq!(host.post("/api/auth/verify", &body).await.status(), StatusCode::OK);
}

#[tokio::test]
async fn a_replayed_answer_is_refused() {
    let host = start().await;
    let ana = Person::new(1);
    let body = host.answer(&ana, &host.challenge(&ana).await);
    assert_eq!(host.post("/api/auth/verify", &body).await.status(), StatusCode::OK);
    problem(host.post("/api/auth/verify", &body).await, 401, None).await;
}

#[tokio::test]
async fn an_answer_after_a_minute_is_refused() {
    let host = start().await;
    let ana = Person::new(1);
    let (first, second) = (host.challenge(&ana).await, host.challenge(&ana).await);
    host.clock.advance(Duration::from_millis(59_999));
    assert_eq!(host.post("/api/auth/verify", &host.answer(&ana, &first)).await.status(), StatusCode::OK);
    host.clock.advance(Duration::from_millis(1));
    problem(host.post("/api/auth/verify", &host.answer(&ana, &second)).await, 401, None).await;
}

#[tokio::test]
async fn another_users_challenge_is_refused() {
    let host = start().await;
    let (ana, bo) = (Person::new(1), Person::new(2));
    let challenge = host.challenge(&ana).await;
    problem(host.post("/api/auth/verify", &host.answer(&bo, &challenge)).await, 401, None).await;
}

#[tokio::test]
async fn a_challenge_of_another_host_is_refused() {
    let (host, other) = (start().await, start().await);
    let ana = Person::new(1);
    let foreign = other.challenge(&ana).await;
    assert_ne!(foreign["server_id"], host.challenge(&ana).await["server_id"]);
    problem(host.post("/api/auth/verify", &host.answer(&ana, &foreign)).await, 401, None).await;
}

#[tokio::test]
async fn a_signature_for_a_host_that_forwards_a_challenge_is_refused() {
    let (host, evil) = (start().await, start().await);
    let ana = Person::new(1);
    // Ana connects to another host, which forwards this host's challenge and id.
    let relayed = host.challenge(&ana).await;
    let body = ana.answer(&evil.url(""), &relayed);
    let refused = problem(host.post("/api/auth/verify", &body).await, 401, None).await;
    assert!(refused["detail"].as_str().unwrap().contains("--origin"), "{refused}");
    // Another server id in the forwarded challenge is refused, too.
    let mut renamed = relayed.clone();
    renamed["server_id"] = evil.host.accounts.server_id().into();
    problem(host.post("/api/auth/verify", &host.answer(&ana, &renamed)).await, 401, None).await;
    // Signatures for each origin of this host are accepted.
    for origin in [host.url(""), format!("http://localhost:{}", host.address.port())] {
        let body = ana.answer(&origin, &host.challenge(&ana).await);
        assert_eq!(host.post("/api/auth/verify", &body).await.status(), StatusCode::OK);
    }
}

#[tokio::test]
async fn the_statement_without_an_origin_is_accepted_only_if_configured() {
    let ana = Person::new(1);
    for (host, status) in [(start().await, 401), (start_with_v1().await, 200)] {
        let challenge = host.challenge(&ana).await;
        let server_id = challenge["server_id"].as_str().unwrap();
        let bytes = [b"dm-chat-host auth v1\0", server_id.as_bytes(), b"\0", &raw(&challenge)].concat();
        let mut body = host.answer(&ana, &challenge);
        body["signature"] = ana.sign(&bytes).into();
        assert_eq!(host.post("/api/auth/verify", &body).await.status(), status);
        // The current statement is always accepted.
        host.sign_in(&ana, None).await;
    }
}

#[tokio::test]
async fn ten_thousand_challenges_of_one_client_do_not_invalidate_another_users() {
    let host = start().await;
    let (ana, bo) = (Person::new(1), Person::new(2));
    let first = host.challenge(&ana).await;
    let flood = host.host.accounts.challenge_key();
    for n in 0..10_000 {
        // Some challenges are requested over HTTP. Most are issued directly, which is faster. They
        // are for both users.
        let name = if n % 2 == 0 { &ana } else { &bo };
        match n % 100 {
            0 => drop(host.challenge(name).await),
            _ => drop(flood.issue(name.hex().parse().unwrap(), host.host.now()).unwrap()),
        }
    }
    host.clock.advance(Duration::from_millis(59_999));
    assert_eq!(host.post("/api/auth/verify", &host.answer(&ana, &first)).await.status(), StatusCode::OK);
}

#[tokio::test]
async fn signatures_for_another_purpose_or_by_another_key_are_refused_and_do_not_use_up_the_challenge() {
    let host = start().await;
    let (ana, bo) = (Person::new(1), Person::new(2));
    type Forge = fn(&Person, &Person, &[u8], &[u8; 32]) -> String;
    let forgeries: [Forge; 4] = [
        |ana, _, _, raw| ana.sign(raw),
        |ana, _, id, raw| ana.sign(&[b"dm-chat-host auth v3\0", id, b"\0", raw.as_slice()].concat()),
        |ana, _, id, raw| ana.sign(&[b"dm-chat-host auth v2", id, raw.as_slice()].concat()),
        |_, bo, id, raw| bo.sign(&[b"dm-chat-host auth v2\0", id, b"\0", raw.as_slice()].concat()),
    ];
    let challenge = host.challenge(&ana).await;
    let good = host.answer(&ana, &challenge);
    let server_id = challenge["server_id"].as_str().unwrap();
    let id = [host.url("").as_bytes(), b"\0", server_id.as_bytes()].concat();
    for forge in forgeries {
        let mut forged = good.clone();
        forged["signature"] = forge(&ana, &bo, &id, &raw(&challenge)).into();
        problem(host.post("/api/auth/verify", &forged).await, 401, None).await;
    }
    assert_eq!(host.post("/api/auth/verify", &good).await.status(), StatusCode::OK);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_concurrent_answers_one_succeeds() {
    let host = start().await;
    let ana = Person::new(1);
    let body = host.answer(&ana, &host.challenge(&ana).await);
    let mut attempts = tokio::task::JoinSet::new();
    for _ in 0..16 {
        let request = host.http.post(host.url("/api/auth/verify")).json(&body);
        attempts.spawn(async move { request.send().await.unwrap().status() });
    }
    let mut statuses = attempts.join_all().await;
    statuses.sort();
    assert_eq!(statuses[0], StatusCode::OK);
    assert!(statuses[1..].iter().all(|status| *status == StatusCode::UNAUTHORIZED), "{statuses:?}");
}

#[tokio::test]
async fn invalid_keys_are_refused() {
    let host = start().await;
    let small_order =
        curve25519_dalek::constants::EIGHT_TORSION.map(|point| HEXLOWER.encode(point.compress().as_bytes()));
    let not_canonical = format!("f0{}7f", "ff".repeat(30));
    let no_point = format!("02{}", "00".repeat(31));
    let others =
        [not_canonical, no_point, String::new(), "a\0".repeat(32), "é".repeat(32), "a".repeat(4_000)];
    for key in small_order.into_iter().chain(others) {
        let asked = host.post("/api/auth/challenge", &json!({ "public_key": key })).await;
        problem(asked, 400, Some("public_key")).await;
        let body = json!({ "public_key": key, "challenge": "", "signature": "" });
        problem(host.post("/api/auth/verify", &body).await, 400, Some("public_key")).await;
    }
}

#[tokio::test]
async fn malformed_answers_are_refused_with_the_field_and_do_not_use_up_the_challenge() {
    let host = start().await;
    let ana = Person::new(1);
    let good = host.answer(&ana, &host.challenge(&ana).await);
    for field in ["challenge", "signature"] {
        let text = good[field].as_str().unwrap();
        let (no_padding, shorter) = (text.trim_end_matches('='), &text[4..]);
        for wrong in ["", " ", no_padding, shorter, &format!("{text}\n"), &format!("AAAA{text}")] {
            let mut body = good.clone();
            body[field] = wrong.into();
            problem(host.post("/api/auth/verify", &body).await, 400, Some(field)).await;
        }
    }
    for name in ["", " ", "a\nb", "a\0b", "a\u{202e}b", "a\u{200b}b", "\u{430}na", &"é".repeat(65)] {
        let mut body = good.clone();
        body["display_name"] = name.into();
        problem(host.post("/api/auth/verify", &body).await, 422, Some("display_name")).await;
    }
    assert_eq!(host.post("/api/auth/verify", &good).await.status(), StatusCode::OK);
}

#[tokio::test]
async fn unexpected_bodies_are_refused_and_not_repeated_in_the_answer() {
    let host = start().await;
    let post = || host.http.post(host.url("/api/auth/challenge"));
    let json = |body: &'static str| post().header("content-type", "application/json").body(body);
    for body in ["", "{", "[]", "{}", r#"{"public_key":7}"#, r#"{"public_key":{"secret":"hunter2"}}"#] {
        let answer = problem(json(body).send().await.unwrap(), 400, None).await;
        assert!(!answer.to_string().contains("hunter2"));
    }
    problem(post().body("{}").send().await.unwrap(), 415, None).await;
    let large = json!({ "public_key": "a".repeat(5_000) });
    problem(post().json(&large).send().await.unwrap(), 413, None).await;
}

#[tokio::test]
async fn a_later_name_replaces_the_earlier_one_and_no_name_keeps_it() {
    let host = start().await;
    let ana = Person::new(1);
    let name = async |given| host.sign_in(&ana, given).await["user"]["display_name"].clone();
    assert_eq!(name(Some("Ana")).await, "Ana");
    assert_eq!(name(None).await, "Ana");
    assert_eq!(name(Some("Ana María")).await, "Ana María");
    let user = ana.hex().parse().unwrap();
    let profiles = host.host.dm.directory().profiles(&[user]).await.unwrap();
    assert_eq!(profiles[0].as_ref().unwrap().display_name, "Ana María");
}
