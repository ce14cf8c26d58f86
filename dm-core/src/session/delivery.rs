//! [`Delivery`], an item that a session delivers, and [`SessionEnd`], the reason why it ended.

#[cfg(doc)]
use super::state::Session;
use crate::disconnect::DisconnectReason;
use crate::error::Error;
use crate::hub::EndCause;
use crate::inbox::{Gap, InboxEntry};
use crate::numbers::InboxSeq;
#[cfg(doc)]
use crate::service::Service;
use crate::store::StoreError;

/// An item that a [`Session`] delivers, to pass on to the client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Delivery {
    /// The next entry of the inbox.
    Entry(InboxEntry),
    /// A range of entries that have expired. The client reads history instead, and acknowledges up
    /// to [`Gap::to`].
    Gap(Gap),
    /// All entries that were pending when the session started are delivered. Later items are new
    /// entries. A session delivers this item once.
    CaughtUp {
        /// The session's [position](Session::position) at that time.
        position: InboxSeq,
    },
}

/// The reason why a [`Session`] ended.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SessionEnd {
    /// A newer session of the same device took over.
    #[error("replaced by a newer connection of the same device")]
    Replaced,
    /// The host ended the session with [`Service::disconnect`], or the device was forgotten.
    #[error("disconnected: {0}")]
    Disconnected(DisconnectReason),
    /// The service is shutting down.
    #[error("shutting down")]
    ShuttingDown,
    /// The store could not be read. A later call of [`Session::next`] tries again, and continues
    /// after the last delivered entry. A new session would start after the device's cursor.
    #[error("could not read the inbox")]
    Failed(#[source] Error),
}

impl SessionEnd {
    /// The end of a session whose read of the store failed.
    pub(super) fn failed(error: StoreError) -> Self {
        Self::Failed(error.into())
    }
}

impl From<EndCause> for SessionEnd {
    fn from(cause: EndCause) -> Self {
        match cause {
            EndCause::Replaced => Self::Replaced,
            EndCause::Requested(reason) => Self::Disconnected(reason),
        }
    }
}
