//! Tests of hosts on one PostgreSQL database.

use std::time::Duration;

use chat_host::accounts::Accounts;
use chat_host::serve::Limits;
use chat_host::statement::LegacyStatements;
use dm_core::store::StoreErrorKind;
use dm_test_servers::postgres::{Cluster, Database};
use reqwest::StatusCode;
use serde_json::Value;
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_postgres::{Client, NoTls};

use crate::host::running::{Person, Running, close_code, problem, start_over, still_served};

/// The origin that clients connect to at both hosts.
const ORIGIN: &str = "https://chat.example";

/// Longer than the limit of any call. It makes a hanging test fail.
const BOUND: Duration = Duration::from_secs(30);

/// The number of the hosts' sessions that wait for a lock.
const WAITING: &str = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()
                       AND application_name = 'chat-host' AND wait_event_type = 'Lock'";

/// Makes every comparison with LIKE wait for a lock, in sessions that begin later.
const SLOW_SEARCHES: &str = "
    CREATE SCHEMA slow;
    CREATE FUNCTION slow.likes(text, text) RETURNS boolean LANGUAGE plpgsql AS
        'BEGIN PERFORM pg_advisory_xact_lock_shared(1); RETURN true; END';
    CREATE OPERATOR slow.~~ (LEFTARG = text, RIGHTARG = text, FUNCTION = slow.likes);
    DO $$ BEGIN
        EXECUTE format('ALTER DATABASE %I SET search_path = slow, pg_catalog', current_database());
    END $$";

async fn two_hosts() -> (Database, Running, Running) {
    let database = Cluster::shared().empty_database();
    let (first, second) = (host(&database).await, host(&database).await);
    (database, first, second)
}

async fn host(database: &Database) -> Running {
    let accounts = Accounts::connect(&database.parameters()).await.unwrap();
    let (folder, names) = (tempfile::tempdir().unwrap(), vec![ORIGIN.parse().unwrap()]);
    start_over(accounts, Limits::default(), folder, names, LegacyStatements::Refused).await
}

/// A host whose origin is its address.
async fn single(parameters: &str) -> Running {
    let accounts = Accounts::connect(parameters).await.unwrap();
    start_over(accounts, Limits::default(), tempfile::tempdir().unwrap(), vec![], LegacyStatements::Refused)
        .await
}

/// A session of the test, in which a statement was run.
async fn session(parameters: &str, statement: &str) -> Client {
    let (client, connection) = tokio_postgres::connect(parameters, NoTls).await.unwrap();
    tokio::spawn(connection);
    client.batch_execute(statement).await.unwrap();
    client
}

/// A host whose searches wait until the returned session ends.
async fn slow_searches() -> (Database, Running, Client) {
    let database = Cluster::shared().empty_database();
    database.sql(SLOW_SEARCHES);
    let host = single(&database.parameters()).await;
    host.token(&Person::new(1), Some("Ana")).await;
    let lock = session(&database.parameters(), "SELECT pg_advisory_lock(1)").await;
    (database, host, lock)
}

/// Starts more searches than can run at a time, and waits until two of them run.
async fn searches(host: &Running, database: &Database) -> JoinSet<Option<usize>> {
    let mut searches = JoinSet::new();
    for _ in 0..8 {
        let accounts = host.host.accounts.clone();
        searches.spawn(async move { accounts.find("ana").await.ok().map(|found| found.len()) });
    }
    until(|| database.sql(WAITING).parse::<u32>().unwrap() >= 2).await;
    searches
}

async fn until(mut holds: impl FnMut() -> bool) {
    let end = std::time::Instant::now() + BOUND;
    while !holds() {
        assert!(std::time::Instant::now() < end, "the condition did not become true in time");
        tokio::task::yield_now().await;
    }
}

async fn verify(host: &Running, body: &Value) -> StatusCode {
    host.post("/api/auth/verify", body).await.status()
}

#[tokio::test]
async fn a_challenge_of_one_host_is_accepted_at_another_once() {
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
async fn an_expired_challenge_is_refused_at_both_hosts() {
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
async fn used_challenges_are_removed_only_minutes_after_they_expired() {
    let (database, first, second) = two_hosts().await;
    let ana = Person::new(1);
    let used = ana.answer(ORIGIN, &first.challenge(&ana).await);
    assert_eq!(verify(&first, &used).await, StatusCode::OK);
    let kept = || database.sql("SELECT count(*) FROM chat_host.used_challenges");
    // The first host's clock is ahead by minutes, so the challenge has not expired at the second.
    first.clock.advance(Duration::from_secs(5 * 60));
    assert_eq!(verify(&first, &ana.answer(ORIGIN, &first.challenge(&ana).await)).await, StatusCode::OK);
    assert_eq!(verify(&second, &used).await, StatusCode::UNAUTHORIZED);
    assert_eq!(kept(), "2");
    first.clock.advance(Duration::from_secs(20 * 60));
    assert_eq!(verify(&first, &ana.answer(ORIGIN, &first.challenge(&ana).await)).await, StatusCode::OK);
    assert_eq!(kept(), "1");
}

#[tokio::test(flavor = "multi_thread")]
async fn of_concurrent_answers_at_two_hosts_one_succeeds() {
    let (database, first, second) = two_hosts().await;
    let ana = Person::new(1);
    let body = ana.answer(ORIGIN, &first.challenge(&ana).await);
    let mut attempts = JoinSet::new();
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
    // The timers of their pings must be set before the clock is advanced.
    still_served(&mut ended).await;
    still_served(&mut other).await;
    let left = first.http.post(first.url("/api/auth/logout")).bearer_auth(&out).send().await.unwrap();
    assert_eq!(left.status(), StatusCode::NO_CONTENT);
    second.clock.advance(Duration::from_secs(30));
    assert_eq!(close_code(&mut ended).await, 4001);
    still_served(&mut other).await;
}

#[tokio::test]
async fn accounts_on_a_standby_are_unavailable_until_it_is_promoted() {
    let primary = Cluster::alone();
    Accounts::connect(&primary.parameters("postgres")).await.unwrap();
    let standby = primary.standby();
    let parameters = standby.parameters("postgres");
    let refused = Accounts::connect(&parameters).await.map(drop).unwrap_err();
    assert_eq!(refused.kind(), StoreErrorKind::Unavailable, "{refused:?}");
    primary.crash();
    standby.sql("postgres", "SELECT pg_promote()");
    Accounts::connect(&parameters).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn while_the_database_is_frozen_calls_get_503_and_succeed_once_it_runs() {
    let cluster = Cluster::alone();
    let parameters = cluster.parameters("postgres");
    let host = single(&parameters).await;
    let token = host.token(&Person::new(1), Some("Ana")).await;
    let lock = session(&parameters, "BEGIN; LOCK TABLE chat_host.tokens").await;
    let mut requests = JoinSet::new();
    for _ in 0..8 {
        let request = host.http.get(host.url("/api/users?query=ana")).bearer_auth(&token);
        requests.spawn(async move { request.send().await.unwrap().status() });
    }
    // Each connection has a statement without an answer.
    until(|| cluster.sql("postgres", WAITING) == "4").await;

    let frozen = cluster.freeze();
    let statuses = timeout(BOUND, requests.join_all()).await.expect("they hang");
    assert_eq!(statuses, [StatusCode::SERVICE_UNAVAILABLE; 8]);
    let later = timeout(BOUND, host.get("/api/users?query=ana", &token)).await.expect("it hangs");
    assert_eq!(later.status(), StatusCode::SERVICE_UNAVAILABLE);
    // The health check reports it, without a call that needs the accounts.
    while host.get("/healthz", "").await.status() != StatusCode::SERVICE_UNAVAILABLE {}

    drop(frozen);
    lock.batch_execute("ROLLBACK").await.unwrap();
    while host.get("/healthz", "").await.status() != StatusCode::OK {}
    let served = timeout(BOUND, host.get("/api/users?query=ana", &token)).await.expect("it hangs");
    assert_eq!(served.status(), StatusCode::OK);
}

#[tokio::test(flavor = "multi_thread")]
async fn running_searches_do_not_delay_a_sign_in() {
    let (database, host, lock) = slow_searches().await;
    let mut searches = searches(&host, &database).await;
    let token = host.token(&Person::new(2), Some("Bo")).await;
    assert_eq!(host.get("/api/dm/conversations", &token).await.status(), StatusCode::OK);
    assert!(searches.try_join_next().is_none(), "a search has ended");
    drop(lock);
}

#[tokio::test(flavor = "multi_thread")]
async fn cancelled_searches_do_not_accumulate_at_the_server() {
    let (database, host, lock) = slow_searches().await;
    searches(&host, &database).await.shutdown().await;
    let mut others = searches(&host, &database).await;
    let mut left = others.len();
    while left > 0 {
        while let Some(search) = others.try_join_next() {
            assert_eq!(search.unwrap(), None, "a search succeeded");
            left -= 1;
        }
        let waiting: u32 = database.sql(WAITING).parse().unwrap();
        assert!(waiting <= 2, "{waiting} at a time");
    }
    drop(lock);
    until(|| database.sql(WAITING) == "0").await;
    let found = timeout(BOUND, host.host.accounts.find("ana")).await.expect("it hangs");
    assert_eq!(found.unwrap().len(), 1);
}
