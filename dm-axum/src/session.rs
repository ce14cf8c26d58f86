//! The caller's login session at the host, and its end.
//!
//! In this module a session is always a login session. The deliveries to a client belong to a
//! [`dm_core::Session`], which is something else.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use axum::http::Extensions;
use dm_core::DisconnectReason;

use crate::SessionExpiry;

/// A login session that the host may end before it expires, for instance because the user signed
/// out or was banned.
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
    /// Checks whether the session is still valid. The error is the reason why the session is not
    /// valid. A host that cannot find out returns `Ok`; `dm-axum` checks again later.
    ///
    /// `dm-axum` calls it when a WebSocket opens, and again when it sends a ping, at most once per
    /// [`ping_interval`](crate::Options::ping_interval). The WebSocket stays in service while the
    /// check runs.
    ///
    /// The future is dropped when the WebSocket ends.
    async fn check(&self) -> Result<(), DisconnectReason>;

    /// Resolves as soon as this process knows that the session has ended. The default never
    /// resolves, so only [`check`](Self::check) detects the end.
    ///
    /// It is polled before `check` is polled for the first time, so an end between these two polls
    /// is noticed.
    ///
    /// The future is dropped when the WebSocket ends.
    async fn ended(&self) -> DisconnectReason {
        std::future::pending().await
    }
}

/// The caller's login session, for noticing its end. It is a request extension that the host's
/// middleware may insert beside the [`Principal`](dm_core::Principal).
///
/// A WebSocket closes when the login session ends: with 4001 for [`DisconnectReason::SignedOut`],
/// with 4003 for any other reason. A WebSocket that was opened with a ticket closes when the login
/// session that requested the ticket ends.
#[derive(Clone, Debug)]
pub struct SessionWatch(pub Arc<dyn LiveSession>);

impl PartialEq for SessionWatch {
    /// Whether both refer to the same session object.
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for SessionWatch {}

/// The two optional request extensions about the caller's login session.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct LoginSession {
    /// The time at which the login session expires; `None` if it does not expire.
    pub(crate) expiry: Option<SessionExpiry>,
    /// Reports an earlier end; `None` if the host does not end login sessions early.
    pub(crate) watch: Option<SessionWatch>,
}

impl LoginSession {
    /// Reads both from the extensions of a request.
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
