//! The deliveries of a session, and its end.

#[cfg(doc)]
use super::stream::Session;
use crate::disconnect::DisconnectReason;
use crate::error::Error;
use crate::hub::Ended;
use crate::inbox::{Gap, InboxEntry};
use crate::numbers::InboxSeq;
#[cfg(doc)]
use crate::service::Service;

/// Something to pass on to the client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Delivery {
    /// The next entry of the inbox.
    Entry(InboxEntry),
    /// A stretch that is no longer held: the client reads history instead, and acknowledges up to its end.
    Gap(Gap),
    /// The backlog is through; what follows happens now. Comes once.
    CaughtUp {
        /// The newest entry at that time.
        position: InboxSeq,
    },
}

/// Why a [`Session`] is over.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SessionEnd {
    /// Another session of the same device took over.
    #[error("replaced by a newer connection of the same device")]
    Replaced,
    /// The host ended it, with [`Service::disconnect`], or its device was forgotten.
    #[error("disconnected: {0}")]
    Disconnected(DisconnectReason),
    /// The service is shutting down.
    #[error("shutting down")]
    ShuttingDown,
    /// The store could not be read. Connecting again goes on where the acknowledgements ended.
    #[error("could not read the inbox")]
    Failed(#[source] Error),
}

impl From<Ended> for SessionEnd {
    fn from(cause: Ended) -> Self {
        match cause {
            Ended::Replaced => Self::Replaced,
            Ended::Disconnected(reason) => Self::Disconnected(reason),
        }
    }
}
