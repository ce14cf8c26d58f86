//! Connecting, and connecting again.

use std::{num::NonZeroUsize, sync::Arc, time::Duration};

use lru::LruCache;
use tokio::sync::{mpsc, watch};

use super::{ConnectionConfig, ConnectionState, End, Event, Ledger, Lost, link::Link};
use crate::{
    client::SharedEntropy,
    error::{Problem, Retry},
    http::Http,
    ids::MessageId,
    time::Clock,
};

/// The longest pause that a server which goes away is granted.
const LONGEST_PAUSE: Duration = Duration::from_secs(300);

/// Messages known again by their id, should one stand at two positions.
pub(super) const RECENT: NonZeroUsize = NonZeroUsize::new(1_024).unwrap();

/// What the task of a connection owns.
pub(super) struct Driver {
    pub(super) http: Arc<Http>,
    pub(super) config: ConnectionConfig,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) entropy: SharedEntropy,
    pub(super) ledger: Arc<Ledger>,
    /// The messages delivered last.
    pub(super) recent: LruCache<MessageId, ()>,
    pub(super) events: mpsc::Sender<Event>,
    pub(super) state: watch::Sender<ConnectionState>,
    pub(super) closing: watch::Receiver<bool>,
}

/// How one connection ended.
pub(super) enum Over {
    /// Try again.
    Lost {
        reason: Lost,
        /// Not before, if the server said so.
        not_before: Option<Duration>,
    },
    /// Do not.
    Ended(End),
}

impl Over {
    /// The server said no: for now, for want of a token, or for good.
    pub(super) fn from_problem(problem: Problem) -> Self {
        match problem.retry() {
            Retry::Later(not_before) => Self::Lost { reason: Lost::Refused(problem), not_before },
            Retry::Never if problem.status == 401 => Self::Ended(End::Unauthorized),
            Retry::Never => Self::Ended(End::Refused(problem)),
        }
    }
}

impl From<Lost> for Over {
    fn from(reason: Lost) -> Self {
        Self::Lost { reason, not_before: None }
    }
}

impl Driver {
    pub(super) async fn run(mut self) {
        let end = self.connect_until_over().await;
        tracing::debug!(%end, "connection over");
        self.state.send_replace(ConnectionState::Ended(end));
    }

    async fn connect_until_over(&mut self) -> End {
        let mut failures = 0;
        loop {
            self.state.send_replace(ConnectionState::Connecting);
            let mut link = Link::new(self);
            let over = Box::pin(link.run()).await;
            if link.was_of_use() {
                failures = 0;
            }
            let (reason, not_before) = match over {
                Over::Ended(end) => return end,
                Over::Lost { reason, not_before } => (reason, not_before.unwrap_or_default()),
            };
            failures += 1;
            let wait = self.config.retry.wait(failures, &mut *self.entropy.lock());
            let retry_in = wait.max(not_before.min(LONGEST_PAUSE));
            tracing::debug!(%reason, ?retry_in, "connection lost");
            self.state.send_replace(ConnectionState::Waiting { retry_in, reason });
            tokio::select! {
                () = self.clock.sleep(retry_in) => {}
                () = closed(&mut self.closing) => return End::Closed,
            }
        }
    }
}

/// Waits until the caller closes the connection.
pub(super) async fn closed(closing: &mut watch::Receiver<bool>) {
    // An error means that the caller's half is gone, which is a close as well.
    let _closed = closing.wait_for(|closing| *closing).await;
}
