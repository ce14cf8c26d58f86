//! Requests that nobody polls keep nothing from others.

use std::time::Duration;

use chat_host::token::Token;
use futures_util::FutureExt;

use crate::host::running::{Person, start};

/// Longer than any disk takes. The test does not pass sooner for it, and fails instead of hanging.
const BOUND: Duration = Duration::from_secs(30);

#[tokio::test]
async fn questions_that_are_polled_once_and_then_held_stop_nobody() {
    let host = start().await;
    host.token(&Person::new(1), Some("Ana")).await;
    let accounts = &host.host.accounts;
    let unknown = || accounts.session(Token::random().unwrap().hash());
    let mut held: Vec<_> = (0..32).map(|_| Box::pin(unknown())).collect();
    for question in &mut held {
        assert!(question.now_or_never().is_none(), "the file has to be read");
    }
    let answered = tokio::time::timeout(BOUND, unknown()).await.expect("the lock is held by nobody who runs");
    assert_eq!(answered.unwrap(), None);
    let signed_in = tokio::time::timeout(BOUND, host.token(&Person::new(2), Some("Bo"))).await;
    assert!(signed_in.is_ok());
    drop(held);
}
