//! Whether the accounts answer.

use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{sleep, timeout};

use super::Accounts;
use crate::token::TokenHash;

/// How long after an answer they are asked again.
const INTERVAL: Duration = Duration::from_secs(2);

/// How long they may take. A database that hosts share is given up sooner.
const PATIENCE: Duration = Duration::from_secs(10);

/// Whether accounts answer, for a health check: asked in the background, so that a check waits for
/// nothing, and so that accounts which fail are tried again although nobody is sent here.
#[derive(Clone, Debug)]
pub struct Answering(watch::Receiver<bool>);

impl Answering {
    /// Asks until all clones are dropped. Must be called on a tokio runtime.
    #[must_use]
    pub fn watch(accounts: Accounts) -> Self {
        let (tell, answering) = watch::channel(true);
        tokio::spawn(async move {
            loop {
                // A token that nobody has: found by its index, or not.
                let asked = timeout(PATIENCE, accounts.session(TokenHash::from_stored([0; 32])));
                let answered = tokio::select! {
                    answer = asked => matches!(answer, Ok(Ok(_))),
                    () = tell.closed() => return,
                };
                if tell.send_replace(answered) != answered {
                    tracing::warn!(answered, "the accounts have begun or ceased to answer");
                }
                tokio::select! {
                    () = sleep(INTERVAL) => {}
                    () = tell.closed() => return,
                }
            }
        });
        Self(answering)
    }

    /// Whether they answered last.
    #[must_use]
    pub fn now(&self) -> bool {
        *self.0.borrow()
    }
}
