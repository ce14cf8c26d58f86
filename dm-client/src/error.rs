//! [`ClientError`]: the reasons why a call fails.

use std::error::Error;
use std::fmt;
use std::time::Duration;

use crate::record::{KeyRecord, UntrustedKey};
use crate::suite::SealError;

/// The reason why a call failed. No variant contains a token, an address or the content of a
/// message.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ClientError {
    /// The server's address is not valid. The text names the defect.
    #[error("the server's address {0}")]
    InvalidUrl(&'static str),
    /// The address begins with `https`, and the crate's feature `tls` is not enabled.
    #[error("https needs the feature `tls`, which this program was built without")]
    NoTls,
    /// The token cannot be part of an HTTP header.
    #[error("the token has characters that an HTTP header cannot contain")]
    InvalidToken,
    /// The server refused the request.
    #[error("the server refused: {0}")]
    Refused(Box<Problem>),
    /// The message was encrypted to a key that the recipient has replaced. Nothing was stored.
    #[error("the recipient has published another key")]
    StaleKey {
        /// The record of the current key, according to the server; `None` if the recipient has no
        /// key, or if the server did not send a valid record.
        current: Option<Box<KeyRecord>>,
    },
    /// The server could not be reached, or the connection broke. The server may or may not have
    /// carried out the request.
    #[error("cannot reach the server")]
    Network(#[source] Box<dyn Error + Send + Sync>),
    /// The server did not answer within [`Timeouts`](crate::Timeouts). The server may or may not
    /// have carried out the request.
    #[error("the server did not answer in time")]
    Timeout,
    /// The answer does not follow the protocol. The text names the field or the defect.
    #[error("the server's answer is malformed: {0}")]
    Protocol(&'static str),
    /// The answer is larger than the limit of the call.
    #[error("the server's answer is larger than {limit} bytes")]
    TooLarge {
        /// The limit of this call, in bytes.
        limit: usize,
    },
    /// The host has another id than the caller of [`sign_in`](crate::sign_in::sign_in) expected.
    /// Nothing was signed.
    #[error("the host has another id than expected")]
    WrongServerId,
    /// The message could not be encrypted.
    #[error(transparent)]
    Seal(#[from] SealError),
    /// The server named a key that [`KeyTrust`](crate::KeyTrust) does not accept.
    #[error(transparent)]
    UntrustedKey(#[from] UntrustedKey),
}

/// Whether a retry can succeed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retry {
    /// A retry of the same call fails again.
    Never,
    /// A retry of the same call may succeed. The value is the minimum wait before the retry, if the
    /// server named one.
    Later(Option<Duration>),
}

impl ClientError {
    /// Whether a retry of the same call can succeed.
    pub fn retry(&self) -> Retry {
        match self {
            Self::Network(_) | Self::Timeout => Retry::Later(None),
            Self::Refused(problem) => problem.retry(),
            Self::InvalidUrl(_)
            | Self::NoTls
            | Self::InvalidToken
            | Self::StaleKey { .. }
            | Self::Protocol(_)
            | Self::TooLarge { .. }
            | Self::WrongServerId
            | Self::Seal(_)
            | Self::UntrustedKey(_) => Retry::Never,
        }
    }

    /// Whether the requested item does not exist or the caller may not see it (404).
    pub fn is_not_found(&self) -> bool {
        matches!(self, Self::Refused(problem) if problem.status == 404)
    }

    /// Whether the token is missing, expired or invalid (401): sign in again.
    pub fn is_unauthorized(&self) -> bool {
        matches!(self, Self::Refused(problem) if problem.status == 401)
    }

    /// Whether a message with other content is stored under the same client message id (409).
    pub fn is_message_id_reused(&self) -> bool {
        // A seed server does not name the kind of a problem.
        matches!(self, Self::Refused(problem) if problem.status == 409 && !problem.is_conflict())
    }
}

/// The reason of the server for a refusal: the members of RFC 9457 problem details. The texts are
/// from the server. Remove control characters before you print them.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Problem {
    /// URI reference that identifies the kind of problem; `about:blank` if the server sent none.
    pub kind: String,
    /// The name of the kind of problem; may be empty.
    pub title: String,
    /// The HTTP status; in a WebSocket frame, the status that the same refusal has over HTTP.
    pub status: u16,
    /// The details of this refusal; may be empty.
    pub detail: String,
    /// The name of the wrong field of the request; `None` if the problem is not about one field.
    pub field: Option<String>,
    /// Minimum wait before a retry, counted from the answer; `None` if the server named none.
    pub retry_after: Option<Duration>,
}

impl Problem {
    /// Whether a retry of the same request can succeed: after 408, 425, 429 and the server's own
    /// errors (5xx) except 501.
    pub fn retry(&self) -> Retry {
        match self.status {
            501 => Retry::Never,
            408 | 425 | 429 | 500..=599 => Retry::Later(self.retry_after),
            _ => Retry::Never,
        }
    }

    /// Whether the server refused the request because what it depends on has changed.
    fn is_conflict(&self) -> bool {
        self.kind.ends_with(":conflict")
    }

    /// A problem with a status and no text.
    pub(crate) fn with_status(status: u16) -> Self {
        Self {
            kind: "about:blank".to_owned(),
            title: String::new(),
            status,
            detail: String::new(),
            field: None,
            retry_after: None,
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.status)?;
        for part in [&self.title, &self.detail] {
            if !part.is_empty() {
                write!(f, ", {part}")?;
            }
        }
        match &self.field {
            Some(field) => write!(f, " ({field})"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn temporary_statuses_can_be_retried_and_others_cannot() {
        for status in [408, 425, 429, 500, 502, 503, 599] {
            assert_eq!(Problem::with_status(status).retry(), Retry::Later(None), "{status}");
        }
        for status in [0, 400, 401, 404, 409, 413, 499, 501, 600] {
            assert_eq!(Problem::with_status(status).retry(), Retry::Never, "{status}");
        }
        let after = Some(Duration::from_secs(7));
        let problem = Problem { retry_after: after, ..Problem::with_status(503) };
        assert_eq!(problem.retry(), Retry::Later(after));
    }

    #[test]
    fn a_conflict_does_not_say_that_a_message_id_is_reused() {
        let error = |kind: &str| {
            ClientError::Refused(Box::new(Problem { kind: kind.to_owned(), ..Problem::with_status(409) }))
        };
        assert!(!error("urn:dm:problem:conflict").is_message_id_reused());
        for kind in ["urn:dm:problem:message-id-reused", "about:blank"] {
            assert!(error(kind).is_message_id_reused(), "{kind}");
        }
    }

    #[test]
    fn a_problem_is_printed_with_the_parts_that_it_has() {
        let mut problem = Problem::with_status(422);
        assert_eq!(problem.to_string(), "422");
        problem.title = "Too large".to_owned();
        problem.field = Some("message_ids".to_owned());
        assert_eq!(problem.to_string(), "422, Too large (message_ids)");
        problem.detail = "at most 1,000".to_owned();
        assert_eq!(problem.to_string(), "422, Too large, at most 1,000 (message_ids)");
    }
}
