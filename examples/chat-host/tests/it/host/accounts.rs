//! Tests that a request which is not polled does not block others.

use std::time::Duration;

use chat_host::token::Token;
use futures_util::FutureExt;

use crate::host::running::{Person, start};

/// Longer than any disk access. It makes a hanging test fail.
const BOUND: Duration = Duration::from_secs(30);

#[tokio::test]
async fn lookups_that_are_polled_once_and_then_held_block_no_others() {
    let host = start().await;
    host.token(&Person::new(1), Some("Ana")).await;
    let accounts = &host.host.accounts;
    let unknown = || accounts.login(Token::random().unwrap().hash());
    let mut held: Vec<_> = (0..32).map(|_| Box::pin(unknown())).collect();
    for lookup in &mut held {
        assert!(lookup.now_or_never().is_none(), "the file has to be read");
    }
    let answered = tokio::time::timeout(BOUND, unknown()).await.expect("a held lookup keeps the lock");
    assert_eq!(answered.unwrap(), None);
    let signed_in = tokio::time::timeout(BOUND, host.token(&Person::new(2), Some("Bo"))).await;
    assert!(signed_in.is_ok());
    drop(held);
}
