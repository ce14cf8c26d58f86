//! The availability of the accounts.

use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{sleep, timeout};

use super::Accounts;
use crate::token::TokenHash;

/// The time between an answer and the next check.
const INTERVAL: Duration = Duration::from_secs(2);

/// The time limit of a check. A check of a shared database fails sooner, by its own limit.
const TIMEOUT: Duration = Duration::from_secs(10);

/// The availability of the accounts, for the health check. A background task checks the accounts.
/// So a health check does not wait, and failed accounts are checked again although no requests
/// come.
#[derive(Clone, Debug)]
pub struct AccountsHealth(watch::Receiver<bool>);

impl AccountsHealth {
    /// Checks the accounts until all clones are dropped. Must be called on a tokio runtime.
    #[must_use]
    pub fn monitor(accounts: Accounts) -> Self {
        let (sender, available) = watch::channel(true);
        tokio::spawn(async move {
            loop {
                // No token has this hash, so the check is one lookup in an index.
                let lookup = timeout(TIMEOUT, accounts.login(TokenHash::from_stored([0; 32])));
                let is_available = tokio::select! {
                    answer = lookup => matches!(answer, Ok(Ok(_))),
                    () = sender.closed() => return,
                };
                if sender.send_replace(is_available) != is_available {
                    tracing::warn!(is_available, "the availability of the accounts has changed");
                }
                tokio::select! {
                    () = sleep(INTERVAL) => {}
                    () = sender.closed() => return,
                }
            }
        });
        Self(available)
    }

    /// Whether the last check succeeded; true before the first one.
    #[must_use]
    pub fn is_available(&self) -> bool {
        *self.0.borrow()
    }
}
