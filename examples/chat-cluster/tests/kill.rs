//! Every part is killed once under traffic.

#![allow(clippy::unwrap_used, reason = "tests")]

use chat_cluster::cluster::{Cluster, Part};
use chat_cluster::{demo, trial};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_answered_is_lost_whatever_is_killed() {
    let tell = |what: &str| println!("{what}");
    let mut cluster = Cluster::start(tell).await.unwrap();
    demo::run(&cluster, tell).await.unwrap();
    let verdict = trial::run(&mut cluster, Part::ALL.len(), tell).await.unwrap();
    assert!(verdict.is_good(), "{verdict}");
}
