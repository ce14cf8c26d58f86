//! Waits for the reasons to end a connection that do not come from its client: its delivery session
//! ends, its login session expires, or the host ends its login session.

use std::future::Future;
use std::pin::pin;

use dm_core::{Session, SessionEnd};
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;

use crate::ws::close::Close;
use crate::ws::lifetime::Lifetime;

/// Waits for a reason to end a connection. `None` once the connection is ending.
pub(super) struct Ends(Option<Open>);

struct Open {
    /// Reports the end of the login session.
    lifetime: Lifetime,
    /// Resolves when the delivery session ends.
    session: BoxFuture<'static, SessionEnd>,
}

impl Ends {
    pub(super) fn new(lifetime: Lifetime, session: &Session) -> Self {
        Self(Some(Open { lifetime, session: session.ended().boxed() }))
    }

    /// Waits from now on for the end of another delivery session, with which a hello replaced the
    /// first one.
    pub(super) fn follow(&mut self, session: &Session) {
        if let Some(open) = &mut self.0 {
            open.session = session.ended().boxed();
        }
    }

    /// Checks the login session. Called with each ping.
    pub(super) fn beat(&mut self) {
        if let Some(open) = &mut self.0 {
            open.lifetime.beat();
        }
    }

    /// Stops waiting, because the connection is ending.
    pub(super) fn clear(&mut self) {
        self.0 = None;
    }

    /// Resolves when the connection has to end, with the reason. Cancel safe.
    pub(super) async fn over(&mut self) -> Close {
        let Some(Open { lifetime, session }) = &mut self.0 else { return std::future::pending().await };
        let close = tokio::select! {
            biased;
            close = lifetime.over() => close,
            end = session => Close::from(&end),
        };
        self.clear();
        close
    }

    /// Runs a write. Fails if the connection has to end before the write is complete, so that a
    /// client that does not read cannot delay the end.
    ///
    /// The rest of a frame that is partly written stays in the socket's buffer. It is written
    /// before the closing frame.
    pub(super) async fn or(&mut self, write: impl Future<Output = Result<(), Close>>) -> Result<(), Close> {
        let mut write = pin!(write);
        // The socket mostly takes everything at once.
        if let Some(written) = write.as_mut().now_or_never() {
            return written;
        }
        tokio::select! {
            biased;
            written = write => written,
            close = self.over() => Err(close),
        }
    }
}
