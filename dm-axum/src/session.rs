//! The session of a caller with the host, and its end.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use axum::http::Extensions;
use dm_core::DisconnectReason;

use crate::SessionExpiry;

/// A session that the host may end before it expires: because the user signed out, for instance, or
/// was banned.
///
/// ```
/// use dm_core::DisconnectReason;
///
/// #[derive(Debug)]
/// struct MySession(u64);
///
/// #[async_trait::async_trait]
/// impl dm_axum::LiveSession for MySession {
///     async fn check(&self) -> Result<(), DisconnectReason> {
///         if is_revoked(self.0).await { Err(DisconnectReason::SignedOut) } else { Ok(()) }
///     }
/// }
/// # async fn is_revoked(_: u64) -> bool { true }
/// ```
#[async_trait]
pub trait LiveSession: fmt::Debug + Send + Sync + 'static {
    /// Checks whether the session still holds; the error is the reason why it does not. Called when
    /// a WebSocket is opened, and then with a ping, at most once per
    /// [`ping_interval`](crate::Options::ping_interval). The WebSocket is served meanwhile. A host
    /// that cannot find out returns `Ok` and is asked again.
    ///
    /// The future is dropped when the WebSocket ends.
    async fn check(&self) -> Result<(), DisconnectReason>;

    /// Resolves as soon as this process knows that the session has ended. By default never: then
    /// only [`check`](Self::check) finds out. It is polled before the first check, so that an end
    /// between the two is not missed.
    ///
    /// The future is dropped when the WebSocket ends.
    async fn ended(&self) -> DisconnectReason {
        std::future::pending().await
    }
}

/// The caller's session: a request extension that the host's middleware may insert beside the
/// [`Principal`](dm_core::Principal). A WebSocket closes when the session ends: with 4001 for
/// [`DisconnectReason::SignedOut`], with 4003 otherwise. The same holds for a WebSocket that is
/// opened with a ticket of this session.
#[derive(Clone, Debug)]
pub struct SessionWatch(pub Arc<dyn LiveSession>);

impl PartialEq for SessionWatch {
    /// Whether both are the same session object.
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for SessionWatch {}

/// The end of a caller's session with the host: when it expires, and how the host ends it earlier.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Terms {
    pub(crate) expiry: Option<SessionExpiry>,
    pub(crate) watch: Option<SessionWatch>,
}

impl Terms {
    pub(crate) fn of(extensions: &Extensions) -> Self {
        Self { expiry: extensions.get().copied(), watch: extensions.get().cloned() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug)]
    struct Unending;

    #[async_trait]
    impl LiveSession for Unending {
        async fn check(&self) -> Result<(), DisconnectReason> {
            Ok(())
        }
    }

    #[test]
    fn a_watch_is_equal_to_its_clones_and_not_to_that_of_another_session() {
        let watch = || SessionWatch(Arc::new(Unending));
        let (one, other) = (watch(), watch());
        assert_eq!(one, one.clone());
        assert_ne!(one, other);
    }
}
