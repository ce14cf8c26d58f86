//! [`Driver`]: the state of the background task of a connection.

use std::num::NonZeroUsize;
use std::sync::Arc;

use lru::LruCache;
use tokio::sync::{mpsc, watch};

use super::ack_tracker::AckTracker;
use super::config::ConnectionConfig;
use super::event::Event;
use super::state::ConnectionState;
use crate::entropy::SharedEntropy;
use crate::http::Http;
use crate::ids::MessageId;
use crate::time::Clock;

/// Number of message ids that the task remembers, to recognize a message that has two entries in
/// the user's inbox. `dm-core` makes one, but the caller must not get a message twice if another
/// server makes two.
pub(super) const RECENT_MESSAGES: NonZeroUsize = NonZeroUsize::new(1_024).unwrap();

/// The state of the background task, which all WebSockets of a connection use one after the other.
pub(super) struct Driver {
    pub(super) http: Arc<Http>,
    pub(super) config: ConnectionConfig,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) entropy: SharedEntropy,
    pub(super) acks: Arc<AckTracker>,
    /// The ids of the messages that were delivered last.
    pub(super) recent_messages: LruCache<MessageId, ()>,
    pub(super) events: mpsc::Sender<Event>,
    pub(super) state: watch::Sender<ConnectionState>,
    /// True after the caller has closed the connection.
    pub(super) closing: watch::Receiver<bool>,
}

/// Waits until the caller closes the connection.
pub(super) async fn wait_for_close(closing: &mut watch::Receiver<bool>) {
    // An error means that the caller's side was dropped, which also closes the connection.
    let _closed = closing.wait_for(|closing| *closing).await;
}
