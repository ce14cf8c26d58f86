//! Why a call did not do what was asked.

use std::{error::Error, fmt, time::Duration};

use crate::{
    record::{KeyRecord, UntrustedKey},
    suite::SealError,
};

/// Why a call failed. No token, no address and no content of a message appears in any of them.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ClientError {
    /// The address is not one of a server.
    #[error("the server's address {0}")]
    InvalidUrl(&'static str),
    /// The address begins with `https`, and this build cannot speak it: enable the crate's feature `tls`.
    #[error("https needs the feature `tls`, which this program was built without")]
    NoTls,
    /// The token cannot be part of an HTTP header.
    #[error("the token holds characters that a header cannot carry")]
    InvalidToken,
    /// The server said no, and said why.
    #[error("the server refused: {0}")]
    Refused(Box<Problem>),
    /// The message was encrypted to a key that the recipient has replaced. Nothing was stored.
    #[error("the recipient has another key now")]
    StaleKey {
        /// The key to encrypt to instead, as the server says; `None` when the recipient has none.
        current: Option<Box<KeyRecord>>,
    },
    /// The server could not be reached, or the connection broke. It may or may not have done what was asked.
    #[error("cannot reach the server")]
    Network(#[source] Box<dyn Error + Send + Sync>),
    /// No answer in time. The server may or may not have done what was asked.
    #[error("the server did not answer in time")]
    Timeout,
    /// The answer is not what the protocol says.
    #[error("the server's answer makes no sense: {0}")]
    Protocol(&'static str),
    /// The answer is larger than what this client takes.
    #[error("the server's answer has more than {limit} bytes")]
    TooLarge {
        /// The limit of this call, bytes.
        limit: usize,
    },
    /// The message was not encrypted.
    #[error(transparent)]
    Seal(#[from] SealError),
    /// The server named a key that does not belong to the user it is said to be of.
    #[error(transparent)]
    UntrustedKey(#[from] UntrustedKey),
}

/// Whether trying again can help.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retry {
    /// The same call will fail again.
    Never,
    /// The same call may succeed, not before this long from now if the server said so.
    Later(Option<Duration>),
}

impl ClientError {
    /// Whether the same call, repeated, may succeed.
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
            | Self::Seal(_)
            | Self::UntrustedKey(_) => Retry::Never,
        }
    }

    /// Whether the server does not know the thing asked for, or it is not the caller's to see.
    pub fn is_not_found(&self) -> bool {
        matches!(self, Self::Refused(problem) if problem.status == 404)
    }

    /// Whether the token is missing, expired or invalid: sign in again.
    pub fn is_unauthorized(&self) -> bool {
        matches!(self, Self::Refused(problem) if problem.status == 401)
    }

    /// Whether the client message id was used before, for other content: that other content is stored.
    pub fn is_message_id_reused(&self) -> bool {
        matches!(self, Self::Refused(problem) if problem.status == 409)
    }
}

/// What a server says when it refuses: the members of an RFC 9457 problem. The text is the server's; neutralize it
/// before it reaches a terminal.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Problem {
    /// URI reference that identifies the kind of problem; `about:blank` if the server gave none.
    pub kind: String,
    /// The kind in a few words.
    pub title: String,
    /// The HTTP status, or what it would be where there is no HTTP.
    pub status: u16,
    /// What was wrong this time; may be empty.
    pub detail: String,
    /// The field of the request that was wrong, if it was a single one.
    pub field: Option<String>,
    /// Earliest moment at which a retry can help, counted from the answer.
    pub retry_after: Option<Duration>,
}

impl Problem {
    /// Whether the same request may succeed later: 408, 425, 429 and what the server failed at itself (5xx).
    pub fn retry(&self) -> Retry {
        match self.status {
            501 => Retry::Never,
            408 | 425 | 429 | 500..=599 => Retry::Later(self.retry_after),
            _ => Retry::Never,
        }
    }

    /// A problem that has nothing but a status.
    pub(crate) fn of_status(status: u16) -> Self {
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
    fn waiting_helps_with_what_the_server_cannot_do_now_and_not_with_what_it_never_does() {
        for status in [408, 425, 429, 500, 502, 503, 599] {
            assert_eq!(Problem::of_status(status).retry(), Retry::Later(None), "{status}");
        }
        for status in [0, 400, 401, 404, 409, 413, 499, 501, 600] {
            assert_eq!(Problem::of_status(status).retry(), Retry::Never, "{status}");
        }
        let after = Some(Duration::from_secs(7));
        let problem = Problem { retry_after: after, ..Problem::of_status(503) };
        assert_eq!(problem.retry(), Retry::Later(after));
    }

    #[test]
    fn a_problem_is_shown_with_the_parts_that_it_has() {
        let mut problem = Problem::of_status(422);
        assert_eq!(problem.to_string(), "422");
        problem.title = "Too large".to_owned();
        problem.field = Some("message_ids".to_owned());
        assert_eq!(problem.to_string(), "422, Too large (message_ids)");
        problem.detail = "at most 1,000".to_owned();
        assert_eq!(problem.to_string(), "422, Too large, at most 1,000 (message_ids)");
    }
}
