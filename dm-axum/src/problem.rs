//! Refusals of requests. They are RFC 9457 problems, both over REST and over the WebSocket.

use std::borrow::Cow;
use std::time::Duration;

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use dm_core::{Error, Invalid, KeyRecord, Retry};
use dm_proto::DmProblem;
use serde::Serialize;

use crate::render::{self, KeyJson};

/// The kind of a problem. Client programs compare its `type` (see [`parts`](Self::parts)), so the
/// `type` of a kind never changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Malformed,
    Unauthorized,
    ForeignOrigin,
    ForeignDevice,
    NotAllowed,
    NotFound,
    MethodNotAllowed,
    BodyTimeout,
    Conflict,
    StaleKey,
    MessageIdReused,
    TooLarge,
    UnsupportedMediaType,
    NotAcceptable,
    NotAnUpgrade,
    TooManyDevices,
    TooManyTickets,
    TooManySockets,
    TooManyAnswers,
    Unavailable,
    OutcomeUnknown,
}

impl Kind {
    /// Returns the kind's `type`, HTTP status and title.
    pub(crate) const fn parts(self) -> (&'static str, StatusCode, &'static str) {
        use StatusCode as S;
        match self {
            Self::Malformed => ("urn:dm:problem:malformed", S::BAD_REQUEST, "Malformed request"),
            Self::Unauthorized => ("urn:dm:problem:unauthorized", S::UNAUTHORIZED, "Not authenticated"),
            Self::ForeignOrigin => ("urn:dm:problem:foreign-origin", S::FORBIDDEN, "Origin not allowed"),
            Self::ForeignDevice => ("urn:dm:problem:foreign-device", S::FORBIDDEN, "Not the caller's device"),
            Self::NotAllowed => ("urn:dm:problem:not-allowed", S::FORBIDDEN, "Not allowed"),
            Self::NotFound => ("urn:dm:problem:not-found", S::NOT_FOUND, "Not found"),
            Self::MethodNotAllowed => {
                ("urn:dm:problem:method-not-allowed", S::METHOD_NOT_ALLOWED, "Method not allowed")
            }
            Self::BodyTimeout => {
                ("urn:dm:problem:body-timeout", S::REQUEST_TIMEOUT, "The body took too long")
            }
            Self::Conflict => ("urn:dm:problem:conflict", S::CONFLICT, "Changed in the meantime"),
            Self::StaleKey => ("urn:dm:problem:stale-key", S::CONFLICT, "The recipient has another key"),
            Self::MessageIdReused => (
                "urn:dm:problem:message-id-reused",
                S::CONFLICT,
                "The client message id stands for another message",
            ),
            Self::TooLarge => ("urn:dm:problem:too-large", S::PAYLOAD_TOO_LARGE, "Too large"),
            Self::UnsupportedMediaType => {
                ("urn:dm:problem:unsupported-media-type", S::UNSUPPORTED_MEDIA_TYPE, "Not JSON")
            }
            Self::NotAcceptable => {
                ("urn:dm:problem:not-acceptable", S::UNPROCESSABLE_ENTITY, "Not acceptable")
            }
            Self::NotAnUpgrade => {
                ("urn:dm:problem:not-an-upgrade", S::UPGRADE_REQUIRED, "Not a WebSocket upgrade")
            }
            Self::TooManyDevices => {
                ("urn:dm:problem:too-many-devices", S::TOO_MANY_REQUESTS, "Too many devices")
            }
            Self::TooManyTickets => {
                ("urn:dm:problem:too-many-tickets", S::TOO_MANY_REQUESTS, "Too many tickets")
            }
            Self::TooManySockets => {
                ("urn:dm:problem:too-many-sockets", S::TOO_MANY_REQUESTS, "Too many WebSockets")
            }
            Self::TooManyAnswers => {
                ("urn:dm:problem:too-many-answers", S::TOO_MANY_REQUESTS, "Too many unread answers")
            }
            Self::Unavailable => ("urn:dm:problem:unavailable", S::SERVICE_UNAVAILABLE, "Unavailable"),
            Self::OutcomeUnknown => (
                "urn:dm:problem:outcome-unknown",
                S::SERVICE_UNAVAILABLE,
                "It may or may not have been stored",
            ),
        }
    }
}

/// A refusal. Its texts name fields and limits, and never quote the client's data.
#[derive(Clone, Debug)]
pub(crate) struct Problem {
    kind: Kind,
    /// A text for people about this refusal; may be empty.
    detail: Cow<'static, str>,
    /// The name of the wrong field; `None` if the problem is not about one field.
    field: Option<&'static str>,
    /// The time after which a retry may succeed; `None` if a retry does not help.
    retry_after: Option<Duration>,
    /// For a stale key: the recipient's current key, or `Some(None)` if the recipient has no key.
    /// `None` for every other problem.
    current_key: Option<Option<Box<KeyRecord>>>,
}

impl Problem {
    pub(crate) fn new(kind: Kind, detail: impl Into<Cow<'static, str>>) -> Self {
        Self { kind, detail: detail.into(), field: None, retry_after: None, current_key: None }
    }

    /// Converts the error of a call that writes. If the store or the directory is unavailable,
    /// `detail` says that this request stored nothing. It does not say that the message is not
    /// stored: an earlier request with the same client message id may have stored the message, and
    /// this request could not find out.
    pub(crate) fn from_write_error(error: Error) -> Self {
        let is_unavailable = matches!(error, Error::Unavailable(_) | Error::DirectoryUnavailable(_));
        let mut problem = Self::from(error);
        if is_unavailable {
            problem.detail = "this request stored nothing; repeat it unchanged".into();
        }
        problem
    }

    /// The problem of a value that does not have the form of its field (400).
    pub(crate) fn malformed(field: &'static str, detail: &'static str) -> Self {
        Self::new(Kind::Malformed, detail).with_field(field)
    }

    /// The problem of a well-formed value that is not allowed (422).
    pub(crate) fn not_acceptable(field: &'static str, detail: &'static str) -> Self {
        Self::new(Kind::NotAcceptable, detail).with_field(field)
    }

    /// Adds the name of the field that the problem is about.
    pub(crate) const fn with_field(mut self, field: &'static str) -> Self {
        self.field = Some(field);
        self
    }

    /// Adds the time after which the client may retry.
    pub(crate) const fn with_retry_after(mut self, span: Duration) -> Self {
        self.retry_after = Some(span);
        self
    }

    pub(crate) const fn kind(&self) -> Kind {
        self.kind
    }

    /// Returns the problem as a protobuf message for the WebSocket.
    pub(crate) fn to_frame(&self) -> DmProblem {
        let (kind, status, title) = self.kind.parts();
        DmProblem {
            r#type: kind.to_owned(),
            title: title.to_owned(),
            status: status.as_u16().into(),
            detail: self.detail.clone().into_owned(),
            field: self.field.unwrap_or_default().to_owned(),
            retry_after_ms: self.retry_after.map(millis),
            current_key: self.current_key.as_ref().and_then(Option::as_deref).map(render::key),
        }
    }
}

impl From<Invalid> for Problem {
    fn from(invalid: Invalid) -> Self {
        Self::not_acceptable(invalid.field(), invalid.reason())
    }
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        let problem = match &error {
            Error::Invalid(invalid) => (*invalid).into(),
            Error::NotFound => Self::new(Kind::NotFound, "it does not exist, or you may not see it"),
            Error::TooLarge { field, limit } => {
                Self::new(Kind::TooLarge, format!("larger than {limit}")).with_field(field)
            }
            Error::ClientIdReused => Self::new(Kind::MessageIdReused, "used before for different content")
                .with_field("client_message_id"),
            Error::StaleKey { current } => {
                let mut problem = Self::new(Kind::StaleKey, "not the recipient's current key version")
                    .with_field("recipient_key_version");
                problem.current_key = Some(current.clone());
                problem
            }
            Error::NotAllowed => Self::new(Kind::NotAllowed, "you may not send to this user now"),
            Error::Conflict => Self::new(Kind::Conflict, "another request changed it; nothing was stored"),
            Error::TooManyDevices { limit } => {
                Self::new(Kind::TooManyDevices, format!("a user may have {limit} devices"))
            }
            Error::BeyondHead { head } => {
                Self::new(Kind::NotAcceptable, format!("beyond the newest entry, {head}")).with_field("up_to")
            }
            Error::ShuttingDown => Self::new(Kind::Unavailable, "shutting down"),
            Error::Unavailable(_) | Error::DirectoryUnavailable(_) => {
                Self::new(Kind::Unavailable, "the server cannot do this now")
            }
            Error::OutcomeUnknown(_) => {
                Self::new(Kind::OutcomeUnknown, "send again with the same client_message_id")
            }
            // A later version of the core may add errors.
            _ => Self::new(Kind::Unavailable, ""),
        };
        match &error {
            Error::Unavailable(source) | Error::OutcomeUnknown(source) => {
                tracing::warn!(error = %source, "a call failed in the store");
            }
            Error::DirectoryUnavailable(source) => {
                tracing::warn!(error = source as &dyn std::error::Error, "a call failed in the directory");
            }
            _ => {}
        }
        match error.retry() {
            Retry::After(span) => problem.with_retry_after(span),
            Retry::Never => problem,
        }
    }
}

#[derive(Serialize)]
struct ProblemJson<'a> {
    r#type: &'static str,
    title: &'static str,
    status: u16,
    detail: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    field: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    retry_after_ms: Option<u64>,
    /// Present for a stale key: the recipient's current key, or `null` if there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    current_key: Option<Option<KeyJson>>,
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let (type_uri, status, title) = self.kind.parts();
        let body = serde_json::to_vec(&ProblemJson {
            r#type: type_uri,
            title,
            status: status.as_u16(),
            detail: &self.detail,
            field: self.field,
            retry_after_ms: self.retry_after.map(millis),
            current_key: self.current_key.map(|current| current.as_deref().map(KeyJson::from)),
        })
        // The serialization of strings and numbers never fails. After a failure the client would
        // get the status with an empty body.
        .unwrap_or_default();
        let mut response =
            (status, [(header::CONTENT_TYPE, "application/problem+json")], body).into_response();
        let headers = response.headers_mut();
        if let Some(span) = self.retry_after {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(millis(span).div_ceil(1_000)));
        }
        match self.kind {
            // RFC 9110 requires that a 401 names an authentication scheme. The clients of this API
            // use bearer tokens.
            Kind::Unauthorized => {
                headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
            }
            Kind::NotAnUpgrade => {
                headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
            }
            _ => {}
        }
        response
    }
}

fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refused_send_and_a_conflict_have_problems_of_their_own() {
        let parts = |error| Problem::from_write_error(error).to_frame();
        let refused = parts(Error::NotAllowed);
        assert_eq!((refused.status, &*refused.r#type), (403, "urn:dm:problem:not-allowed"));
        let conflict = parts(Error::Conflict);
        assert_eq!((conflict.status, &*conflict.r#type), (409, "urn:dm:problem:conflict"));
        for problem in [refused, conflict] {
            assert_eq!((problem.retry_after_ms, problem.current_key), (None, None));
        }
    }
}
