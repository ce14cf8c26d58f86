//! Refusals as problem details (RFC 9457).

use axum::Json;
use axum::extract::rejection::{JsonRejection, QueryRejection};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use dm_core::Invalid;
use dm_core::store::StoreError;
use serde::Serialize;

/// A refusal. Its texts are constants, so that it never repeats input of a client.
#[derive(Debug)]
pub struct Problem {
    status: StatusCode,
    detail: &'static str,
    field: Option<&'static str>,
}

#[derive(Serialize)]
struct Body {
    r#type: &'static str,
    title: &'static str,
    status: u16,
    detail: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    field: Option<&'static str>,
}

impl Problem {
    /// A refusal that is not about a field.
    #[must_use]
    pub const fn new(status: StatusCode, detail: &'static str) -> Self {
        Self { status, detail, field: None }
    }

    /// 400: a field is malformed.
    #[must_use]
    pub const fn malformed(field: &'static str, detail: &'static str) -> Self {
        Self { status: StatusCode::BAD_REQUEST, detail, field: Some(field) }
    }

    /// 422: a field is well-formed and not acceptable.
    #[must_use]
    pub const fn unacceptable(invalid: Invalid) -> Self {
        let (field, detail) = (Some(invalid.field()), invalid.reason());
        Self { status: StatusCode::UNPROCESSABLE_ENTITY, detail, field }
    }

    /// 401: the caller is not authenticated.
    #[must_use]
    pub const fn unauthorized(detail: &'static str) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, detail)
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let Self { status, detail, field } = self;
        let title = status.canonical_reason().unwrap_or("Error");
        let body = Body { r#type: "about:blank", title, status: status.as_u16(), detail, field };
        let mut response = (status, Json(body)).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        if status == StatusCode::SERVICE_UNAVAILABLE {
            headers.insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
        }
        response
    }
}

/// 503. The error is written to the log.
impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        tracing::error!(error = &error as &dyn std::error::Error, "the accounts cannot be reached");
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "the accounts cannot be reached now")
    }
}

impl From<JsonRejection> for Problem {
    fn from(rejection: JsonRejection) -> Self {
        match rejection.status() {
            StatusCode::PAYLOAD_TOO_LARGE => {
                Self::new(StatusCode::PAYLOAD_TOO_LARGE, "the body is too large")
            }
            StatusCode::UNSUPPORTED_MEDIA_TYPE => {
                Self::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "the content type must be application/json")
            }
            _ => Self::new(StatusCode::BAD_REQUEST, "the body is not the expected JSON object"),
        }
    }
}

impl From<QueryRejection> for Problem {
    fn from(_: QueryRejection) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "the query is malformed")
    }
}
