//! Waits for the reasons to end a connection that do not come from its client: its delivery session
//! ends, its login session expires, or the host ends its login session.

use std::future::Future;
use std::pin::pin;

use dm_core::{Session, SessionEnd};
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;

use crate::ws::close::Close;
use crate::ws::login_monitor::LoginMonitor;

/// Waits for a reason to end a connection. `None` once the connection is ending.
pub(super) struct EndMonitor(Option<Monitored>);

struct Monitored {
    /// Reports the end of the login session.
    login: LoginMonitor,
    /// Resolves when the delivery session ends.
    session_end: BoxFuture<'static, SessionEnd>,
}

impl EndMonitor {
    pub(super) fn new(login: LoginMonitor, session: &Session) -> Self {
        Self(Some(Monitored { login, session_end: session.ended().boxed() }))
    }

    /// Waits from now on for the end of another delivery session, with which a hello replaced the
    /// first one.
    pub(super) fn watch_session(&mut self, session: &Session) {
        if let Some(monitored) = &mut self.0 {
            monitored.session_end = session.ended().boxed();
        }
    }

    /// Checks the login session. Called with each ping.
    pub(super) fn check_login(&mut self) {
        if let Some(monitored) = &mut self.0 {
            monitored.login.check_if_due();
        }
    }

    /// Stops waiting, because the connection is ending.
    pub(super) fn stop(&mut self) {
        self.0 = None;
    }

    /// Resolves when the connection has to end, with the reason. Cancel safe.
    pub(super) async fn ended(&mut self) -> Close {
        let Some(Monitored { login, session_end }) = &mut self.0 else { return std::future::pending().await };
        let close = tokio::select! {
            biased;
            close = login.ended() => close,
            end = session_end => Close::from(&end),
        };
        self.stop();
        close
    }

    /// Runs a write. Fails if the connection has to end before the write is complete, so that a
    /// client that does not read cannot delay the end.
    ///
    /// The rest of a frame that is partly written stays in the socket's buffer. It is written
    /// before the closing frame.
    pub(super) async fn unless_ended(
        &mut self,
        write: impl Future<Output = Result<(), Close>>,
    ) -> Result<(), Close> {
        let mut write = pin!(write);
        // The socket mostly takes everything at once.
        if let Some(written) = write.as_mut().now_or_never() {
            return written;
        }
        tokio::select! {
            biased;
            written = write => written,
            close = self.ended() => Err(close),
        }
    }
}
