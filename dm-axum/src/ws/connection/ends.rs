//! The ends of a connection that come from outside: its session is over in the core, its time is
//! up, or the host says so.

use std::future::Future;
use std::pin::pin;

use dm_core::{Session, SessionEnd};
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;

use crate::ws::close::Close;
use crate::ws::lifetime::Lifetime;

/// The events that end a connection while it does something else.
pub(super) struct Ends(Option<Open>);

struct Open {
    lifetime: Lifetime,
    session: BoxFuture<'static, SessionEnd>,
}

impl Ends {
    pub(super) fn new(lifetime: Lifetime, session: &Session) -> Self {
        Self(Some(Open { lifetime, session: session.ended().boxed() }))
    }

    /// Another session is the connection's from here on.
    pub(super) fn follow(&mut self, session: &Session) {
        if let Some(open) = &mut self.0 {
            open.session = session.ended().boxed();
        }
    }

    /// A ping is sent.
    pub(super) fn beat(&mut self) {
        if let Some(open) = &mut self.0 {
            open.lifetime.beat();
        }
    }

    /// The connection ends already: nothing else ends it.
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
        // Most often the socket takes everything at once.
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
