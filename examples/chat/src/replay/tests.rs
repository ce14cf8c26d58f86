//! Tests of the summary, and of a replay at a real host.

use dm_client::ServerSequence;

use super::receiver::Received;
use super::*;
use crate::testing::TestHost;

fn stored(number: usize) -> Stored {
    let id = MessageId::from_bytes((number as u128).to_be_bytes());
    Stored { id, sequence: ServerSequence::new(number as u64), received_at: None, repeated: false }
}

/// The summary if every message arrives, except that `spoil` may change or remove it.
fn summary(spoil: impl Fn(usize, &mut Received) -> bool) -> Summary {
    let lines = plan(b"one\n\nthree\nfour\nfive\nsix\n");
    let stored: Vec<_> = (0..lines.len()).map(stored).collect();
    let (one, two) = (Tally::default(), Tally::default());
    for (number, line) in lines.iter().enumerate() {
        let mut received =
            Received { sequence: stored[number].sequence, plaintext: Some(line.text.to_vec()) };
        if spoil(number, &mut received) {
            (if line.from_second { &one } else { &two }).add(stored[number].id, received);
        }
    }
    summarize(&lines, &stored, &one, &two)
}

#[test]
fn a_replay_with_all_lines_is_good() {
    let summary = summary(|_, _| true);
    assert!(summary.is_good());
    assert_eq!(summary.to_string(), "replayed 6 lines: 6 arrived, 6 decrypted, 6 matched");
    assert!(Summary::default().is_good());
}

#[test]
fn a_replay_with_a_missing_unreadable_changed_or_renumbered_line_is_not_good() {
    let missing = summary(|number, _| number != 3);
    assert_eq!((missing.arrived, missing.matched, missing.is_good()), (5, 5, false));
    let unreadable = summary(|number, received| {
        if number == 1 {
            received.plaintext = None;
        }
        true
    });
    assert_eq!((unreadable.arrived, unreadable.decrypted, unreadable.is_good()), (6, 5, false));
    let changed = summary(|number, received| {
        if number == 1 {
            received.plaintext = Some(b"x".to_vec());
        }
        true
    });
    assert_eq!((changed.decrypted, changed.matched, changed.is_good()), (6, 5, false));
    let elsewhere = summary(|number, received| {
        if number == 5 {
            received.sequence = received.sequence.next();
        }
        true
    });
    assert_eq!((elsewhere.matched, elsewhere.is_good()), (5, false));
}

#[tokio::test(flavor = "multi_thread")]
async fn lines_of_any_content_arrive_unchanged_at_a_real_host() {
    let host = TestHost::start().await;
    let long = "x".repeat(suite1::MAX_PLAINTEXT);
    let mut content: Vec<u8> = (0..60).flat_map(|number| format!("line {number}\n").into_bytes()).collect();
    content.extend_from_slice(b"\n\n\xff\xfe not UTF-8\n\r\n\x1b[2J\n");
    content.extend_from_slice(long.as_bytes());
    let summary = replay(&host.url, &plan(&content)).await.unwrap();
    assert_eq!(summary, Summary { lines: 66, arrived: 66, decrypted: 66, matched: 66 });
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_without_lines_is_replayed() {
    let host = TestHost::start().await;
    assert!(replay(&host.url, &[]).await.unwrap().is_good());
}

#[tokio::test]
async fn an_unreachable_host_is_an_error_with_a_hint() {
    let error = replay("http://127.0.0.1:9", &plan(b"x")).await.unwrap_err();
    assert!(format!("{error:#}").contains("is chat-host running there?"), "{error:#}");
}
