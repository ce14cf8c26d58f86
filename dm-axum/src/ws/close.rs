//! [`Close`]: every reason for which a connection ends, with its close code and text.

use dm_core::{DisconnectReason, Error, SessionEnd};
use dm_proto::close;

/// The reason for which a connection ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Close {
    /// The client's login expired, or the host ended the connection because the user signed out.
    Expired,
    /// A hello cannot be accepted, or the host ended the connection for a reason that no other
    /// variant names.
    Refused,
    /// The device was forgotten. The code tells the client not to connect again, because a new
    /// connection would register the device.
    Forgotten,
    /// A newer connection of the same device replaces this one.
    Replaced,
    /// A message or a frame of the client is larger than the limit.
    TooLarge,
    /// The client broke a rule. The text names the violation.
    Policy(&'static str),
    /// The server has to end the connection, and the text says why. The client may connect again at
    /// once.
    Reconnect(&'static str),
    /// The client did not answer a ping or does not read; the text says which. The client may
    /// connect again.
    Unresponsive(&'static str),
    /// The client closed the connection, or disconnected without a closing frame.
    Gone,
}

impl Close {
    /// The reason to close after the service returned an error that the client did not cause.
    pub(super) const fn from_error(error: &Error) -> Self {
        match error {
            Error::ShuttingDown => Self::Reconnect("shutting down"),
            _ => Self::Reconnect("unavailable"),
        }
    }

    /// The close code, from [`dm_proto::close`]. For [`Gone`](Self::Gone) it is only logged and
    /// counted.
    pub(super) const fn code(self) -> u16 {
        match self {
            Self::Expired => close::TOKEN_EXPIRED,
            Self::Refused | Self::Forgotten => close::REFUSED,
            Self::Replaced => close::REPLACED,
            Self::TooLarge => close::TOO_BIG,
            Self::Policy(_) => close::POLICY,
            Self::Reconnect(_) | Self::Unresponsive(_) => close::RESTART,
            Self::Gone => close::NORMAL,
        }
    }

    /// The text of the closing frame, for people. Empty for [`Gone`](Self::Gone), for which no
    /// closing frame is sent.
    pub(super) const fn reason(self) -> &'static str {
        match self {
            Self::Expired => "the session has ended",
            Self::Refused => "refused",
            Self::Forgotten => "the device was forgotten",
            Self::Replaced => "replaced by a newer connection of the same device",
            Self::TooLarge => "too large",
            Self::Policy(text) | Self::Reconnect(text) | Self::Unresponsive(text) => text,
            Self::Gone => "",
        }
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
                tracing::warn!(%error, "a session ended because it could not read its inbox");
                Self::Reconnect("the inbox could not be read")
            }
            // A later version of the core may add reasons.
            _ => Self::Reconnect("the session is over"),
        }
    }
}
