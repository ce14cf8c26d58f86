//! Reasons to end a connection that do not come from its client: its session in the core is over,
//! or the host's session expired or was ended.

use std::future::Future;
use std::pin::pin;

use dm_core::{Session, SessionEnd};
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;

use crate::ws::close::Close;
use crate::ws::lifetime::Lifetime;

/// Waits for a reason to end a connection; `None` once the connection ends.
pub(super) struct Ends(Option<Open>);

struct Open {
    lifetime: Lifetime,
    session: BoxFuture<'static, SessionEnd>,
}

impl Ends {
    pub(super) fn new(lifetime: Lifetime, session: &Session) -> Self {
        Self(Some(Open { lifetime, session: session.ended().boxed() }))
    }

    /// Waits for the end of another session of the core, which the connection has from now on.
    pub(super) fn follow(&mut self, session: &Session) {
        if let Some(open) = &mut self.0 {
            open.session = session.ended().boxed();
        }
    }

    /// Notes that a ping is sent, with which the host is asked about its session.
    pub(super) fn beat(&mut self) {
        if let Some(open) = &mut self.0 {
            open.lifetime.beat();
        }
    }

    /// Stops waiting, because the connection ends already.
    pub(super) fn clear(&mut self) {
        self.0 = None;
    }

    /// Resolves when the connection has to end. Cancel safe.
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

    /// Writes, unless the connection has to end first: a client that does not read must not keep
    /// its session from ending. The rest of a frame that was begun is written before the closing
    /// frame.
    pub(super) async fn or(&mut self, write: impl Future<Output = Result<(), Close>>) -> Result<(), Close> {
        let mut write = pin!(write);
        // In most cases the socket takes everything at once.
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
