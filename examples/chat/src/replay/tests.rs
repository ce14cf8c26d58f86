//! What is counted.

use uuid::Uuid;

use super::{receiver::Received, *};
use crate::testing::TestHost;

fn stored(number: usize) -> Stored {
    let id = MessageId::new(Uuid::from_u128(number as u128));
    Stored { id, sequence: number as u64, received_at: None, repeated: false }
}

/// Everything arrives, but for what `spoil` takes away or changes.
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
    sum_up(&lines, &stored, &one, &two)
}

#[test]
fn all_lines_arrived_is_good() {
    let summary = summary(|_, _| true);
    assert!(summary.is_good());
    assert_eq!(summary.to_string(), "replayed 6 lines: 6 arrived, 6 decrypted, 6 matched");
    assert!(Summary::default().is_good());
}

#[test]
fn a_line_that_is_missing_unreadable_changed_or_out_of_place_is_not() {
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
        received.sequence += u64::from(number == 5);
        true
    });
    assert_eq!((elsewhere.matched, elsewhere.is_good()), (5, false));
}

#[tokio::test(flavor = "multi_thread")]
async fn every_line_comes_back_from_a_real_host_whatever_it_holds() {
    let host = TestHost::start().await;
    let long = "x".repeat(suite1::MAX_PLAINTEXT);
    let mut content: Vec<u8> = (0..60).flat_map(|number| format!("line {number}\n").into_bytes()).collect();
    content.extend_from_slice(b"\n\n\xff\xfe not UTF-8\n\r\n\x1b[2J\n");
    content.extend_from_slice(long.as_bytes());
    let summary = replay(&host.url, &plan(&content)).await.unwrap();
    assert_eq!(summary, Summary { lines: 66, arrived: 66, decrypted: 66, matched: 66 });
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_of_no_lines_is_replayed() {
    let host = TestHost::start().await;
    assert!(replay(&host.url, &[]).await.unwrap().is_good());
}

#[tokio::test]
async fn a_host_that_is_not_there_is_an_error_that_says_so() {
    let error = replay("http://127.0.0.1:9", &plan(b"x")).await.unwrap_err();
    assert!(format!("{error:#}").contains("is chat-host running there?"), "{error:#}");
}
