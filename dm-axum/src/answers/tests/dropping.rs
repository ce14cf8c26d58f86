//! Unread answers are dropped when other requests wait for their bytes.

use std::time::Duration;

use dm_proto::{Envelope, envelope::Payload, prost::Message as _};
use futures_util::StreamExt as _;
use tokio_tungstenite::tungstenite::Message;

use super::world::{ANA, BO, IN_FLIGHT, MESSAGES, World, options, read};
use crate::Options;

/// Longer than any test takes on its manual clock.
const FOREVER: Duration = Duration::from_secs(1_000_000_000);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_is_answered_while_silent_clients_hold_the_whole_budget() {
    let world = World::new(Options {
        answer_bytes: 16 << 20,
        patience: FOREVER,
        ping_interval: FOREVER,
        ..options()
    })
    .await;
    let mut silent = Vec::new();
    for n in 1_001..=1_006 {
        let (user, conversation) = world.add_user(n).await;
        for _ in 0..4 {
            silent.push(world.request_history_of(&user, &conversation, IN_FLIGHT).await);
        }
    }
    // Wait until the sockets' buffers are full and the next request has to wait. This is the case
    // if 10,000 checks in a row find fewer free bytes than a page takes while it is being built.
    let (answers, mut full) = (&world.api.answers, 0);
    while full < 10_000 {
        tokio::task::yield_now().await;
        full = if answers.free_bytes() < 1 << 20 && answers.unread_bytes() > 8 << 20 { full + 1 } else { 0 };
    }
    let frame = loop {
        let mut ana = world.request_history(ANA, 1).await;
        let answer = world.advance_until_done(tokio::spawn(async move { ana.next().await })).await;
        if let Some(Ok(Message::Binary(frame))) = answer {
            break frame;
        }
        // The test advanced the clock before Ana's socket had read, so her answer was dropped as
        // stalled. She requests again.
    };
    let payload = Envelope::decode(frame).unwrap().payload;
    assert!(matches!(payload, Some(Payload::DmHistoryResponse(page)) if !page.messages.is_empty()));
    drop(silent);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_unread_answer_is_dropped_when_another_request_waits() {
    // The shared pool has the bytes of one answer.
    let world = World::new(Options {
        answer_bytes: 12 << 20,
        patience: FOREVER,
        ping_interval: FOREVER,
        ..options()
    })
    .await;
    let silent = world.request_pending(ANA).await;
    // The server has started to write the answer.
    silent.readable().await.unwrap();
    assert!(world.api.answers.unread_bytes() > 1 << 20);
    let answer = world.advance_until_done(tokio::spawn(read(world.request_pending(BO).await))).await;
    assert_eq!(answer.matches("encrypted_payload").count(), MESSAGES, "{}", &answer[..100]);
    // The first connection is still open, and its answer is incomplete.
    let cut = read(silent).await;
    assert!(cut.starts_with("HTTP/1.1 200 OK") && !cut.ends_with('}'), "{} bytes", cut.len());
}
