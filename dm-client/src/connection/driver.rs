//! The state of the task behind a connection.

use std::{num::NonZeroUsize, sync::Arc};

use lru::LruCache;
use tokio::sync::{mpsc, watch};

use super::{config::ConnectionConfig, event::Event, ledger::Ledger, state::ConnectionState};
use crate::{entropy::SharedEntropy, http::Http, ids::MessageId, time::Clock};

/// Messages known again by their id, should one stand at two positions.
pub(super) const RECENT: NonZeroUsize = NonZeroUsize::new(1_024).unwrap();

/// The state of the task behind a connection.
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

/// Waits until the caller closes the connection.
pub(super) async fn closed(closing: &mut watch::Receiver<bool>) {
    // An error means that the caller's half is gone, which is a close as well.
    let _closed = closing.wait_for(|closing| *closing).await;
}
