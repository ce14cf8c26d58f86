//! The types with which a host tells this crate when the caller's login ends.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use axum::http::Extensions;
use dm_core::{DisconnectReason, Timestamp};

/// A login that the host may end before it expires, for instance because the user signs out or is
/// banned. The host implements this trait.
///
/// ```
/// use dm_core::DisconnectReason;
///
/// #[derive(Debug)]
/// struct MyLogin(u64);
///
/// #[async_trait::async_trait]
/// impl dm_axum::Login for MyLogin {
///     async fn check(&self) -> Result<(), DisconnectReason> {
///         if is_revoked(self.0).await { Err(DisconnectReason::SignedOut) } else { Ok(()) }
///     }
/// }
/// # async fn is_revoked(_: u64) -> bool { true }
/// ```
#[async_trait]
pub trait Login: fmt::Debug + Send + Sync + 'static {
    /// Returns `Ok` if the login is valid, and otherwise the reason why the login is not valid. A
    /// host that cannot find out returns `Ok`: the next check follows at a later ping.
    ///
    /// `dm-axum` calls this method when a WebSocket opens and when it sends a ping, at most once
    /// per [`ping_interval`](crate::Options::ping_interval). While the check runs, the WebSocket
    /// continues to deliver and to answer.
    ///
    /// The future is dropped when the WebSocket ends.
    async fn check(&self) -> Result<(), DisconnectReason>;

    /// Resolves as soon as this process knows that the login has ended. The default never resolves,
    /// so only [`check`](Self::check) detects the end.
    ///
    /// `dm-axum` polls this future before it polls `check` for the first time. So an implementation
    /// that subscribes at the first poll misses no end: `check` detects an earlier end, and the
    /// subscription a later one.
    ///
    /// The future is dropped when the WebSocket ends.
    async fn ended(&self) -> DisconnectReason {
        std::future::pending().await
    }
}

/// The time at which the caller's login expires. A WebSocket closes with 4001 at that time.
///
/// It is a request extension that the host's middleware may insert beside the
/// [`Principal`](dm_core::Principal).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LoginExpiry(pub Timestamp);

/// Reports the end of the caller's login. It is a request extension that the host's middleware may
/// insert beside the [`Principal`](dm_core::Principal).
///
/// A WebSocket closes when the login ends: with 4001 for [`DisconnectReason::SignedOut`], with 4003
/// for any other reason. A WebSocket that was opened with a ticket closes when the login that
/// requested the ticket ends.
#[derive(Clone, Debug)]
pub struct LoginWatch(pub Arc<dyn Login>);

impl PartialEq for LoginWatch {
    /// Whether both hold the same [`Login`] object.
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for LoginWatch {}

/// The two optional request extensions about the end of the caller's login.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct LoginExtensions {
    /// The time at which the login expires; `None` if it does not expire.
    pub(crate) expiry: Option<LoginExpiry>,
    /// Reports an earlier end; `None` if the host ends no login before its expiry.
    pub(crate) watch: Option<LoginWatch>,
}

impl LoginExtensions {
    /// Reads both extensions of a request.
    pub(crate) fn from_extensions(extensions: &Extensions) -> Self {
        Self { expiry: extensions.get().copied(), watch: extensions.get().cloned() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug)]
    struct Unending;

    #[async_trait]
    impl Login for Unending {
        async fn check(&self) -> Result<(), DisconnectReason> {
            Ok(())
        }
    }

    #[test]
    fn a_watch_equals_its_clones_and_no_watch_of_another_login() {
        let watch = || LoginWatch(Arc::new(Unending));
        let (one, other) = (watch(), watch());
        assert_eq!(one, one.clone());
        assert_ne!(one, other);
    }
}
