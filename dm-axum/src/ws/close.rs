//! Every way in which a connection ends, with its code and reason.

use axum::extract::ws::CloseFrame;
use dm_core::{DisconnectReason, Error, SessionEnd};

/// Why the server closes a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Close {
    /// The host said that the session ends now.
    Expired,
    /// The hello cannot be answered with a welcome, or the host refuses the user.
    Refused,
    /// The device was forgotten. Connecting again would register it anew, so the code tells clients
    /// not to.
    Forgotten,
    /// A newer connection of the same device took over.
    Replaced,
    /// A message or a frame beyond the limit.
    TooLarge,
    /// The client does what none should; why.
    Policy(&'static str),
    /// Nothing is wrong with the client, and it may come again at once; why.
    Reconnect(&'static str),
    /// The client does not answer, or does not read; which. It may come again as well.
    Unresponsive(&'static str),
    /// The client closed, or is gone.
    Gone,
}

impl Close {
    /// A call failed in a way that is not the client's doing.
    pub(super) const fn of(error: &Error) -> Self {
        match error {
            Error::ShuttingDown => Self::Reconnect("shutting down"),
            _ => Self::Reconnect("unavailable"),
        }
    }

    pub(super) const fn code(self) -> u16 {
        match self {
            Self::Expired => 4001,
            Self::Refused | Self::Forgotten => 4003,
            Self::Replaced => 4009,
            Self::TooLarge => 1009,
            Self::Policy(_) => 1008,
            Self::Reconnect(_) | Self::Unresponsive(_) => 1012,
            Self::Gone => 1000,
        }
    }

    pub(super) const fn reason(self) -> &'static str {
        match self {
            Self::Expired => "the session has ended",
            Self::Refused => "refused",
            Self::Forgotten => "the device was forgotten",
            Self::Replaced => "replaced by a newer connection of the same device",
            Self::TooLarge => "too large",
            Self::Policy(why) | Self::Reconnect(why) | Self::Unresponsive(why) => why,
            Self::Gone => "",
        }
    }

    pub(super) fn frame(self) -> CloseFrame {
        CloseFrame { code: self.code(), reason: self.reason().into() }
    }
}

impl From<DisconnectReason> for Close {
    fn from(reason: DisconnectReason) -> Self {
        match reason {
            DisconnectReason::SignedOut => Self::Expired,
            DisconnectReason::DeviceForgotten => Self::Forgotten,
            _ => Self::Refused,
        }
    }
}

impl From<&SessionEnd> for Close {
    fn from(end: &SessionEnd) -> Self {
        match end {
            SessionEnd::Replaced => Self::Replaced,
            SessionEnd::Disconnected(reason) => Self::from(*reason),
            SessionEnd::ShuttingDown => Self::Reconnect("shutting down"),
            SessionEnd::Failed(error) => {
                tracing::warn!(%error, "a session could not read its inbox");
                Self::Reconnect("the inbox could not be read")
            }
            // The core may learn new ends.
            _ => Self::Reconnect("the session is over"),
        }
    }
}
