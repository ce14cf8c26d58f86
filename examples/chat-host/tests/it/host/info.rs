//! Tests of the calls that describe the host.

use std::time::Duration;

use reqwest::StatusCode;
use serde_json::Value;

use crate::host::running::{Person, problem, start};

#[tokio::test]
async fn info_has_id_version_and_store() {
    let host = start().await;
    let info: Value = host.http.get(host.url("/api/info")).send().await.unwrap().json().await.unwrap();
    assert_eq!(info["server_id"], host.challenge(&Person::new(1)).await["server_id"]);
    assert_eq!(info["server_id"].as_str().unwrap().len(), 32);
    assert_eq!(info["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(info["store"], "memory");
}

#[tokio::test]
async fn the_host_is_not_ready_once_shutdown_begins() {
    let host = start().await;
    let health = || host.http.get(host.url("/healthz")).send();
    let answer = health().await.unwrap();
    assert_eq!(answer.status(), StatusCode::OK);
    assert_eq!(answer.json::<Value>().await.unwrap()["accepting"], true);
    host.host.dm.shutdown(Duration::from_secs(1)).await;
    let answer = health().await.unwrap();
    assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(answer.json::<Value>().await.unwrap()["accepting"], false);
}

#[tokio::test]
async fn unknown_paths_and_wrong_methods_are_problems_too() {
    let host = start().await;
    problem(host.http.get(host.url("/nothing")).send().await.unwrap(), 404, None).await;
    problem(host.http.delete(host.url("/api/info")).send().await.unwrap(), 405, None).await;
    let answer = host.http.get(host.url("/api/auth/verify")).send().await.unwrap();
    assert_eq!(answer.headers()["allow"], "POST");
    problem(answer, 405, None).await;
}
