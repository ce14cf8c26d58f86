//! Two hosts on one PostgreSQL database.

use std::time::Duration;

use chat_host::accounts::Accounts;
use chat_host::serve::Limits;
use chat_host::statement::Older;
use dm_test_servers::postgres::{Cluster, Database};
use reqwest::StatusCode;
use serde_json::Value;

use crate::running::{Person, Running, close_code, problem, start_over, still_served};

/// What clients dial, whichever host answers.
const ORIGIN: &str = "https://chat.example";

async fn two_hosts() -> (Database, Running, Running) {
    let database = Cluster::shared().empty_database();
    let (first, second) = (host(&database).await, host(&database).await);
    (database, first, second)
}

async fn host(database: &Database) -> Running {
    let accounts = Accounts::connect(&database.parameters()).await.unwrap();
    let (folder, names) = (tempfile::tempdir().unwrap(), vec![ORIGIN.parse().unwrap()]);
    start_over(accounts, Limits::default(), folder, names, Older::Refused).await
}

async fn verify(host: &Running, body: &Value) -> StatusCode {
    host.post("/api/auth/verify", body).await.status()
}

#[tokio::test]
async fn a_challenge_of_one_host_is_answered_at_another_once() {
    let (_database, first, second) = two_hosts().await;
    let (ana, bo) = (Person::new(1), Person::new(2));
    let challenge = first.challenge(&ana).await;
    problem(second.post("/api/auth/verify", &bo.answer(ORIGIN, &challenge)).await, 401, None).await;
    let body = ana.answer(ORIGIN, &challenge);
    assert_eq!(verify(&second, &body).await, StatusCode::OK);
    for host in [&first, &second] {
        assert_eq!(verify(host, &body).await, StatusCode::UNAUTHORIZED, "replayed");
    }
}

#[tokio::test]
async fn a_challenge_that_expired_is_good_at_neither_host() {
    let (_database, first, second) = two_hosts().await;
    let ana = Person::new(1);
    let (in_time, late) = (first.challenge(&ana).await, first.challenge(&ana).await);
    second.clock.advance(Duration::from_millis(59_999));
    assert_eq!(verify(&second, &ana.answer(ORIGIN, &in_time)).await, StatusCode::OK);
    for host in [&first, &second] {
        host.clock.advance(Duration::from_secs(60));
        assert_eq!(verify(host, &ana.answer(ORIGIN, &late)).await, StatusCode::UNAUTHORIZED);
    }
}

#[tokio::test]
async fn what_was_used_is_forgotten_only_long_after_it_expired() {
    let (database, first, second) = two_hosts().await;
    let ana = Person::new(1);
    let used = ana.answer(ORIGIN, &first.challenge(&ana).await);
    assert_eq!(verify(&first, &used).await, StatusCode::OK);
    let kept = || database.sql("SELECT count(*) FROM chat_host.used_challenges");
    // The first host's clock is ahead by minutes; the second would take the challenge still.
    first.clock.advance(Duration::from_secs(5 * 60));
    assert_eq!(verify(&first, &ana.answer(ORIGIN, &first.challenge(&ana).await)).await, StatusCode::OK);
    assert_eq!(verify(&second, &used).await, StatusCode::UNAUTHORIZED);
    assert_eq!(kept(), "2");
    first.clock.advance(Duration::from_secs(20 * 60));
    assert_eq!(verify(&first, &ana.answer(ORIGIN, &first.challenge(&ana).await)).await, StatusCode::OK);
    assert_eq!(kept(), "1");
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_answers_at_once_at_two_hosts_one_succeeds() {
    let (database, first, second) = two_hosts().await;
    let ana = Person::new(1);
    let body = ana.answer(ORIGIN, &first.challenge(&ana).await);
    let mut attempts = tokio::task::JoinSet::new();
    for n in 0..16 {
        let host = if n % 2 == 0 { &first } else { &second };
        let request = host.http.post(host.url("/api/auth/verify")).json(&body);
        attempts.spawn(async move { request.send().await.unwrap().status() });
    }
    let mut statuses = attempts.join_all().await;
    statuses.sort();
    assert_eq!(statuses[0], StatusCode::OK);
    assert!(statuses[1..].iter().all(|status| *status == StatusCode::UNAUTHORIZED), "{statuses:?}");
    assert_eq!(database.sql("SELECT count(*) FROM chat_host.tokens"), "1");
}

#[tokio::test]
async fn a_logout_at_one_host_ends_sockets_at_another_with_their_next_ping() {
    let (_database, first, second) = two_hosts().await;
    let ana = Person::new(1);
    let token = async || {
        let body = ana.answer(ORIGIN, &first.challenge(&ana).await);
        let verified: Value = first.post("/api/auth/verify", &body).await.json().await.unwrap();
        verified["token"].as_str().unwrap().to_owned()
    };
    let (out, stays) = (token().await, token().await);
    let mut ended = second.socket(&format!("token={out}&device=a")).await;
    let mut other = second.socket(&format!("token={stays}&device=b")).await;
    // So that the time of their pings is set before the clock is moved.
    still_served(&mut ended).await;
    still_served(&mut other).await;
    let left = first.http.post(first.url("/api/auth/logout")).bearer_auth(&out).send().await.unwrap();
    assert_eq!(left.status(), StatusCode::NO_CONTENT);
    second.clock.advance(Duration::from_secs(30));
    assert_eq!(close_code(&mut ended).await, 4001);
    still_served(&mut other).await;
}
