//! Unread answers take no more memory than the budget of their user. Their permits return when the
//! client reads or disconnects.

use std::sync::atomic::Ordering;

use dm_proto::{Envelope, envelope::Payload, prost::Message as _};
use futures_util::StreamExt as _;
use tokio_tungstenite::tungstenite::Message;

use super::world::{ANA, BO, IN_FLIGHT, MESSAGES, World, options, read};

/// Number of connections that do not read their answers.
const SILENT: usize = 100;
/// Number of WebSockets that do not read their answers: as many as a user may have open by default.
const SOCKETS: usize = 32;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_unread_answers_take_no_more_than_the_budget_of_one_user() {
    let world = World::new(options()).await;
    let mut silent = Vec::new();
    for _ in 0..SILENT {
        silent.push(world.request_pending(ANA).await);
    }
    let (request_count, answers) = (&world.request_count, &world.api.answers);
    world
        .wait_until(|| request_count.load(Ordering::Relaxed) == SILENT && answers.unread_bytes() > 1 << 20)
        .await;

    // Bo gets a whole answer, although none of Ana's answers was read.
    let answer = read(world.request_pending(BO).await).await;
    assert!(answer.starts_with("HTTP/1.1 200 OK"), "{}", &answer[..200]);
    assert_eq!(answer.matches("encrypted_payload").count(), MESSAGES);
    assert!(world.api.answers.unread_bytes() > 1 << 20);

    // Each waiting request is refused in time, or gets the permits of a dropped answer.
    let readers: Vec<_> = silent.into_iter().map(|stream| tokio::spawn(read(stream))).collect();
    let mut refused = 0;
    for reader in readers {
        let answer = world.advance_until_done(reader).await;
        if answer.starts_with("HTTP/1.1 429 ") {
            assert!(answer.contains("urn:dm:problem:too-many-answers"), "{answer}");
            assert!(answer.contains("retry-after: 10"), "{answer}");
            refused += 1;
        }
    }
    assert!(refused > 0);
    world.wait_until(|| world.api.answers.unread_bytes() == 0).await;
    assert_eq!(read(world.request_pending(ANA).await).await.matches("encrypted_payload").count(), MESSAGES);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn closing_the_connections_returns_all_permits() {
    let world = World::new(options()).await;
    let mut silent = Vec::new();
    for _ in 0..SILENT {
        silent.push(world.request_pending(ANA).await);
    }
    world.wait_until(|| world.api.answers.unread_bytes() > 1 << 20).await;
    drop(silent);
    world.wait_until(|| world.api.answers.unread_bytes() == 0).await;
    // The clock does not advance, so no answer is dropped. This request gets the permits that the
    // closed connections returned.
    assert_eq!(read(world.request_pending(ANA).await).await.matches("encrypted_payload").count(), MESSAGES);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn unread_pages_of_websockets_take_no_more_than_the_budget_of_one_user() {
    let world = World::new(options()).await;
    let (ana, answers) = (ANA.parse().unwrap(), &world.api.answers);
    let all = answers.free_bytes_of(ana);
    let mut silent = Vec::new();
    for _ in 0..SOCKETS {
        silent.push(world.request_history(ANA, IN_FLIGHT).await);
    }
    // Too few bytes are free to build another page.
    let little = all / 4;
    world.wait_until(|| answers.unread_bytes() > 1 << 20 && answers.free_bytes_of(ana) < little).await;

    // Bo is answered, on a socket and over REST.
    let mut bo = world.request_history(BO, 1).await;
    let Message::Binary(frame) = bo.next().await.unwrap().unwrap() else { panic!("no frame") };
    let Some(Payload::DmHistoryResponse(page)) = Envelope::decode(frame).unwrap().payload else {
        panic!("no page")
    };
    assert!(!page.messages.is_empty());
    assert_eq!(read(world.request_pending(BO).await).await.matches("encrypted_payload").count(), MESSAGES);

    // Closing the connections returns all permits, although the clock does not advance.
    drop(silent);
    world.wait_until(|| answers.unread_bytes() == 0 && answers.free_bytes_of(ana) == all).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_page_holds_its_permits_until_its_websocket_has_written_it() {
    let world = World::new(options()).await;
    let (ana, answers) = (ANA.parse().unwrap(), &world.api.answers);
    let all = answers.free_bytes_of(ana);
    let silent = world.request_history(ANA, 1).await;
    // The first bytes have arrived. The rest does not fit into the buffers.
    silent.get_ref().readable().await.unwrap();
    assert_eq!(answers.unread_bytes(), 0, "the page is taken");
    let free = answers.free_bytes_of(ana);
    assert!(all - free > 128 * 1024, "{free} of {all} are free");
    drop(silent);
    world.wait_until(|| answers.free_bytes_of(ana) == all).await;
}
