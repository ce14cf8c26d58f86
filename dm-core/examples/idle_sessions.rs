//! What an idle session costs in memory: connects many devices, lets each wait in a task of its own, and divides.
//!
//! ```text
//! cargo run --release -p dm-core --example idle_sessions [-- SESSIONS]
//! ```

#![allow(clippy::unwrap_used, reason = "a program for people, not a library")]

use curve25519_dalek::{EdwardsPoint, Scalar};
use dm_core::{Delivery, Hub, MemoryStore, Principal, Service, UserId};

#[tokio::main]
async fn main() {
    let count: u64 = std::env::args().nth(1).and_then(|text| text.parse().ok()).unwrap_or(10_000);
    let hub = Hub::new();
    let dm = Service::builder(MemoryStore::new()).notifier(hub.clone()).start().unwrap();
    let people: Vec<Principal> = (1..=count).map(|n| Principal::from(user(n))).collect();
    // Devices register on their first connection; what the store keeps of them is not the session's.
    for who in &people {
        drop(hub.connect(&dm, who).await.unwrap());
    }

    let before = resident();
    let (ready, mut readies) = tokio::sync::mpsc::channel(64);
    for who in people {
        let (hub, dm, ready) = (hub.clone(), dm.clone(), ready.clone());
        tokio::spawn(async move {
            let mut session = hub.connect(&dm, &who).await.unwrap();
            while let Ok(delivery) = session.next().await {
                if matches!(delivery, Delivery::CaughtUp { .. }) {
                    ready.send(()).await.unwrap();
                }
            }
        });
    }
    for _ in 0..count {
        readies.recv().await.unwrap();
    }
    // Each goes on to wait for what happens next.
    for _ in 0..1_000 {
        tokio::task::yield_now().await;
    }
    let after = resident();
    println!("{} sessions: {} bytes each, their tasks included", hub.connections(), (after - before) / count);
}

fn user(n: u64) -> UserId {
    UserId::from_bytes(EdwardsPoint::mul_base(&Scalar::from(n)).compress().to_bytes()).unwrap()
}

/// Resident memory of this process in bytes (Linux).
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() * 1024
}
