//! A trial in which every part is killed once.

#![allow(clippy::unwrap_used, reason = "tests")]

use chat_cluster::cluster::{Cluster, Part};
use chat_cluster::{demo, trial};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_confirmed_message_is_lost_when_any_part_is_killed() {
    let report = |line: &str| println!("{line}");
    let mut cluster = Cluster::start(report).await.unwrap();
    demo::run(&cluster, report).await.unwrap();
    let verdict = trial::run(&mut cluster, Part::ALL.len(), report).await.unwrap();
    assert!(verdict.is_good(), "{verdict}");
}
