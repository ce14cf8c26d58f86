//! Tests of signing out.

use reqwest::StatusCode;
use serde_json::Value;

use crate::host::running::{Person, Running, close_code, problem, start, still_served};

const CALL: &str = "/api/dm/conversations";

async fn log_out(host: &Running, token: &str) -> StatusCode {
    host.http.post(host.url("/api/auth/logout")).bearer_auth(token).send().await.unwrap().status()
}

#[tokio::test]
async fn a_logout_ends_its_token_and_its_sockets_and_no_others() {
    let host = start().await;
    let ana = Person::new(1);
    let (phone, laptop) = (host.token(&ana, None).await, host.token(&ana, None).await);
    let ticket = async |token: &str| {
        let asked = host.http.post(host.url("/api/dm/ws-ticket")).bearer_auth(token).send().await.unwrap();
        asked.json::<Value>().await.unwrap()["ticket"].as_str().unwrap().to_owned()
    };
    let (used, unused) = (ticket(&phone).await, ticket(&phone).await);
    let mut ended = Vec::new();
    for query in
        [format!("token={phone}&device=a"), format!("token={phone}&device=b"), format!("ticket={used}")]
    {
        ended.push(host.socket(&query).await);
    }
    let mut other = host.socket(&format!("token={laptop}&device=c")).await;

    assert_eq!(log_out(&host, &phone).await, StatusCode::NO_CONTENT);
    for socket in &mut ended {
        assert_eq!(close_code(socket).await, 4001);
    }
    problem(host.get(CALL, &phone).await, 401, None).await;
    // A WebSocket with an unused ticket of the login is closed, too.
    assert_eq!(close_code(&mut host.socket(&format!("ticket={unused}")).await).await, 4001);

    assert_eq!(host.get(CALL, &laptop).await.status(), StatusCode::OK);
    still_served(&mut other).await;
}

#[tokio::test]
async fn a_logout_needs_a_valid_token_and_works_once() {
    let host = start().await;
    let token = host.token(&Person::new(1), None).await;
    problem(host.http.post(host.url("/api/auth/logout")).send().await.unwrap(), 401, None).await;
    assert_eq!(log_out(&host, &token).await, StatusCode::NO_CONTENT);
    assert_eq!(log_out(&host, &token).await, StatusCode::UNAUTHORIZED);
}
