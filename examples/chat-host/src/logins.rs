//! The tokens that WebSockets use, so that the WebSockets end with their token.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use dm_core::DisconnectReason;
use tokio::sync::watch;

use crate::host::Host;
use crate::token::TokenHash;

/// The tokens of the WebSockets of this host. Clones share the same data.
#[derive(Clone, Debug, Default)]
pub struct Logins(Arc<Mutex<HashMap<TokenHash, watch::Sender<bool>>>>);

/// The token of a request, and the host that knows whether the token is valid.
#[derive(Debug)]
pub(crate) struct TokenLogin {
    pub(crate) host: Host,
    pub(crate) token: TokenHash,
}

/// The subscription of one WebSocket to the end of its token.
struct Subscription {
    logins: Logins,
    token: TokenHash,
    ended: watch::Receiver<bool>,
}

impl Logins {
    /// Ends the WebSockets of a token on this host. The WebSockets at other hosts end at their next
    /// ping.
    pub fn end(&self, token: TokenHash) {
        if let Some(ended) = self.lock().remove(&token) {
            ended.send_replace(true);
        }
    }

    fn subscribe(&self, token: TokenHash) -> Subscription {
        let ended = self.lock().entry(token).or_insert_with(|| watch::Sender::new(false)).subscribe();
        Subscription { logins: self.clone(), token, ended }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<TokenHash, watch::Sender<bool>>> {
        // Nothing panics while this is locked.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        let mut tokens = self.logins.lock();
        // The count includes this subscription.
        if tokens.get(&self.token).is_some_and(|ended| ended.receiver_count() <= 1) {
            tokens.remove(&self.token);
        }
    }
}

#[async_trait]
impl dm_axum::Login for TokenLogin {
    async fn check(&self) -> Result<(), DisconnectReason> {
        match self.host.accounts.login(self.token).await {
            Ok(Some(_)) => Ok(()),
            Ok(None) => Err(DisconnectReason::SignedOut),
            Err(error) => {
                // The next ping checks the login again.
                tracing::warn!(error = &error as &dyn std::error::Error, "a login cannot be looked up");
                Ok(())
            }
        }
    }

    async fn ended(&self) -> DisconnectReason {
        let mut subscription = self.host.logins.subscribe(self.token);
        // An error means that the sender was dropped, which also ends the token.
        let _ended = subscription.ended.wait_for(|ended| *ended).await;
        DisconnectReason::SignedOut
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt as _;

    #[test]
    fn a_token_is_watched_while_it_has_subscriptions_and_ends_for_all_of_them() {
        let (logins, token) = (Logins::default(), TokenHash::from_stored([1; 32]));
        let (mut first, second) = (logins.subscribe(token), logins.subscribe(token));
        let other = logins.subscribe(TokenHash::from_stored([2; 32]));
        drop(second);
        assert_eq!(logins.lock().len(), 2);
        assert!(first.ended.wait_for(|ended| *ended).now_or_never().is_none());
        logins.end(token);
        assert!(first.ended.wait_for(|ended| *ended).now_or_never().is_some());
        assert!(!*other.ended.borrow(), "another token");
        drop((first, other));
        assert!(logins.lock().is_empty());
    }
}
