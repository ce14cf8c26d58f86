//! Every reason for which a connection ends, with its close code and text.

use dm_core::{DisconnectReason, Error, SessionEnd};
use dm_proto::close;

/// The reason for which a connection ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Close {
    /// The client's session with the host expired, or the host ended it.
    Expired,
    /// A hello cannot be accepted, or the host refuses the user.
    Refused,
    /// The device was forgotten. The code tells clients not to connect again: that would register
    /// the device anew.
    Forgotten,
    /// A newer connection of the same device replaces this one.
    Replaced,
    /// A message or a frame is larger than the limit.
    TooLarge,
    /// The client broke the rule that the text names.
    Policy(&'static str),
    /// The client did nothing wrong and may connect again at once. The text is the reason.
    Reconnect(&'static str),
    /// The client does not answer or does not read, as the text says. It may connect again.
    Unresponsive(&'static str),
    /// The client closed the connection, or is gone.
    Gone,
}

impl Close {
    /// For a call that failed and was not the client's fault.
    pub(super) const fn from_error(error: &Error) -> Self {
        match error {
            Error::ShuttingDown => Self::Reconnect("shutting down"),
            _ => Self::Reconnect("unavailable"),
        }
    }

    /// The close code, of [`dm_proto::close`].
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

    /// The text beside the close code, for people.
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
            // A reason that a later version of the core added.
            _ => Self::Reconnect("the session is over"),
        }
    }
}
