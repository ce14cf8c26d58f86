//! [`EndMonitor`] waits for the reasons to end a connection that its client does not cause: the
//! session ends, the login expires, or the host ends the login.

use std::future::Future;
use std::pin::pin;

use dm_core::{Session, SessionEnd};
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;

use crate::ws::close::Close;
use crate::ws::login_monitor::LoginMonitor;

/// Waits for a reason to end one connection. The value is `None` while the connection is ending:
/// another reason has no effect then.
pub(super) struct EndMonitor(Option<MonitoredEnds>);

struct MonitoredEnds {
    /// Reports the end of the login.
    login: LoginMonitor,
    /// Resolves when the session ends.
    session_end: BoxFuture<'static, SessionEnd>,
}

impl EndMonitor {
    pub(super) fn new(login: LoginMonitor, session: &Session) -> Self {
        Self(Some(MonitoredEnds { login, session_end: session.ended().boxed() }))
    }

    /// Waits for the end of `session` instead of the earlier session, after a hello has replaced
    /// the session of a connection.
    pub(super) fn watch_session(&mut self, session: &Session) {
        if let Some(monitored) = &mut self.0 {
            monitored.session_end = session.ended().boxed();
        }
    }

    /// Asks the host whether the login is valid, unless it was asked a short time ago. The
    /// connection calls this method at each ping.
    pub(super) fn check_login(&mut self) {
        if let Some(monitored) = &mut self.0 {
            monitored.login.check_if_due();
        }
    }

    /// Stops waiting, because the connection is ending: [`ended`](Self::ended) never resolves after
    /// this call.
    pub(super) fn stop(&mut self) {
        self.0 = None;
    }

    /// Resolves when the connection has to end, with the reason. Cancel safe.
    pub(super) async fn ended(&mut self) -> Close {
        let Some(MonitoredEnds { login, session_end }) = &mut self.0 else {
            return std::future::pending().await;
        };
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
    /// If a frame is then written in part, its other bytes stay in the socket's buffer. The socket
    /// writes these bytes before the closing frame.
    pub(super) async fn unless_ended(
        &mut self,
        write: impl Future<Output = Result<(), Close>>,
    ) -> Result<(), Close> {
        let mut write = pin!(write);
        // The socket usually takes all bytes at once. The future `ended` is then not polled.
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
