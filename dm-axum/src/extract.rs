//! Reads the inputs of calls: the caller, a JSON body within a limit, and the query.

use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody as _};
use axum::extract::rejection::QueryRejection;
use axum::extract::{FromRequestParts, Query, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, header};
use dm_core::Principal;
use dm_core::time::Clock;
use futures_util::StreamExt as _;
use serde::de::DeserializeOwned;

use crate::api::Api;
use crate::caller::Caller;
use crate::login::LoginExtensions;
use crate::problem::{Kind, Problem};

impl FromRequestParts<Arc<Api>> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &Arc<Api>) -> Result<Self, Problem> {
        let principal = parts.extensions.get::<Principal>().cloned();
        let principal = principal.ok_or_else(|| Problem::new(Kind::Unauthorized, ""))?;
        Ok(Self { principal, login: LoginExtensions::from_extensions(&parts.extensions) })
    }
}

/// The type of a JSON body. All its fields are optional, so that a missing field and a wrong value
/// can be reported as different problems.
pub(crate) trait BodyFields: DeserializeOwned {
    /// The names of the fields. A problem may contain one of these names. It never contains an
    /// unknown name, because an unknown name is the client's data.
    const FIELDS: &'static [&'static str];
}

/// Reads and parses a JSON body of at most `limit` bytes.
pub(crate) async fn json_body<T: BodyFields>(
    api: &Api,
    request: Request,
    limit: usize,
) -> Result<T, Problem> {
    if !is_json(request.headers()) {
        return Err(Problem::new(Kind::UnsupportedMediaType, "content-type must be application/json"));
    }
    let body = read(api.service.clock(), request.into_body(), limit, api.options.body_timeout).await?;
    parse(&body)
}

fn parse<T: BodyFields>(body: &[u8]) -> Result<T, Problem> {
    let deserializer = &mut serde_json::Deserializer::from_slice(body);
    let value: T = serde_path_to_error::deserialize(&mut *deserializer).map_err(|error| {
        // The path of a value begins with the name of its field, for instance `id_list[1]`. In this
        // path, `id` is followed by `_`, so it is only the beginning of another name.
        let path = error.path().to_string();
        let is_in_path =
            |field: &&&str| path.strip_prefix(**field).is_some_and(|rest| !rest.starts_with('_'));
        let field = T::FIELDS.iter().filter(is_in_path).max_by_key(|field| field.len());
        // The message of serde is not used, because it quotes the value.
        match field {
            Some(field) if error.inner().is_data() => Problem::malformed(field, "not of the right type"),
            _ => Problem::new(Kind::Malformed, "not the expected JSON object"),
        }
    })?;
    deserializer
        .end()
        .map_err(|_| Problem::new(Kind::Malformed, "there are characters after the JSON object"))?;
    Ok(value)
}

fn is_json(headers: &HeaderMap) -> bool {
    let value = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = value.split(';').next().unwrap_or_default().trim();
    essence.eq_ignore_ascii_case("application/json")
}

/// Reads a whole body. It may have at most `limit` bytes and has to arrive within `timeout`. If
/// the request names the length of the body, a longer body is refused before it is read. Otherwise
/// it is refused as soon as more than `limit` bytes have arrived.
async fn read(clock: &dyn Clock, body: Body, limit: usize, timeout: Duration) -> Result<Bytes, Problem> {
    let too_large = || Problem::new(Kind::TooLarge, format!("the body is larger than {limit} bytes"));
    if body.size_hint().lower() > u64::try_from(limit).unwrap_or(u64::MAX) {
        return Err(too_large());
    }
    let whole = async {
        let mut collected = Vec::with_capacity(usize::try_from(body.size_hint().lower()).unwrap_or(0));
        let mut chunks = body.into_data_stream();
        while let Some(chunk) = chunks.next().await {
            let chunk =
                chunk.map_err(|_| Problem::new(Kind::Malformed, "the body could not be read to its end"))?;
            if collected.len() + chunk.len() > limit {
                return Err(too_large());
            }
            collected.extend_from_slice(&chunk);
        }
        Ok(collected.into())
    };
    tokio::select! {
        biased;
        whole = whole => whole,
        () = clock.sleep(timeout) => Err(Problem::new(Kind::BodyTimeout, "")),
    }
}

/// Returns the parsed query, or a problem. In every `T`, all parameters are optional text. The
/// caller parses them, so that a wrong value becomes a problem with the name of its parameter.
pub(crate) fn query<T>(query: Result<Query<T>, QueryRejection>) -> Result<T, Problem> {
    let Query(query) = query.map_err(|_| Problem::new(Kind::Malformed, "the query does not parse"))?;
    Ok(query)
}

/// Parses a number in a query, which may have only decimal digits.
pub(crate) fn number(field: &'static str, text: Option<String>) -> Result<Option<u64>, Problem> {
    let parse = |text: String| {
        // `u64::from_str` also accepts a plus sign.
        let digits = !text.is_empty() && text.bytes().all(|digit| digit.is_ascii_digit());
        let number = digits.then(|| text.parse().ok()).flatten();
        number.ok_or_else(|| Problem::malformed(field, "not a number"))
    };
    text.map(parse).transpose()
}

/// Parses the `limit` in a query, which must be at least 1. There is no maximum here, because the
/// service reduces a limit to its own maximum.
pub(crate) fn limit(text: Option<String>) -> Result<Option<usize>, Problem> {
    match number("limit", text)? {
        Some(0) => Err(Problem::not_acceptable("limit", "must not be zero")),
        limit => Ok(limit.map(|limit| usize::try_from(limit).unwrap_or(usize::MAX))),
    }
}

/// Returns the value of a field that a body must have.
pub(crate) fn required<T>(field: &'static str, value: Option<T>) -> Result<T, Problem> {
    value.ok_or_else(|| Problem::malformed(field, "missing"))
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Deserialize)]
    #[allow(dead_code, reason = "only whether it parses matters")]
    struct Body {
        id: Option<String>,
        id_list: Option<Vec<u64>>,
    }

    impl BodyFields for Body {
        const FIELDS: &'static [&'static str] = &["id", "id_list"];
    }

    fn refused(body: &str) -> Option<String> {
        let frame = parse::<Body>(body.as_bytes()).unwrap_err().to_frame();
        assert!(!format!("{frame:?}").contains("SECRET"), "{frame:?}");
        Some(frame.field).filter(|field| !field.is_empty())
    }

    #[test]
    fn a_field_of_the_wrong_type_is_named_and_its_value_is_not_quoted() {
        assert_eq!(refused(r#"{"id": 5}"#).as_deref(), Some("id"));
        assert_eq!(refused(r#"{"id_list": "SECRET"}"#).as_deref(), Some("id_list"));
        assert_eq!(refused(r#"{"id_list": [1, "SECRET"]}"#).as_deref(), Some("id_list"));
    }

    #[test]
    fn a_body_that_is_no_json_object_is_refused_without_a_field() {
        for body in ["", "SECRET", "[]x", "7", r#"{"id": "a""#, r#"{"SECRET": nul}"#, r#"{} {"SECRET":1}"#] {
            assert_eq!(refused(body), None, "{body}");
        }
        assert_eq!(refused(&"[".repeat(100_000)), None);
        assert_eq!(refused(&format!("{{\"SECRET\":{}", "[".repeat(100_000))), None);
    }

    #[test]
    fn unknown_fields_are_ignored() {
        assert!(parse::<Body>(br#"{"id": "a", "later": {"x": [1]}}"#).is_ok());
    }
}
