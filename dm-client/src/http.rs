//! [`Http`] and [`call`]: HTTP calls with limits on time and size. Their errors contain no secrets.

use std::time::Duration;

use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use reqwest::{Method, RequestBuilder, Response, StatusCode, Url};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::device::DeviceId;
use crate::error::{ClientError, Problem};
use crate::record::KeyRecord;
use crate::wire::Malformed;
use crate::wire::json::ProblemJson;

/// Maximum size of an answer about one item, or of the list of devices, in bytes. The largest item,
/// a message with a payload of 64 KiB, takes about 90 KiB.
pub(crate) const MAX_ITEM_BYTES: usize = 256 * 1024;
/// Maximum size of an answer with any other list, in bytes. An answer has at most 8 MiB of
/// ciphertext, which takes 11 MiB in base64, and the other fields of up to 1,000 messages.
pub(crate) const MAX_LIST_BYTES: usize = 16 * 1024 * 1024;
/// Maximum size of the body of a refusal, in bytes. The client ignores a larger body and uses the
/// HTTP status.
const MAX_PROBLEM_BYTES: usize = 64 * 1024;

/// The time limits of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeouts {
    /// The limit for connecting. Default 5 s.
    pub connect: Duration,
    /// The limit from the request to the end of its answer. Default 30 s.
    pub request: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self { connect: Duration::from_secs(5), request: Duration::from_secs(30) }
    }
}

/// The HTTP client, the server's address, and the headers of every call.
#[derive(Clone, Debug)]
pub(crate) struct Http {
    client: reqwest::Client,
    base: Url,
    /// The value is marked as sensitive, so that `Debug` does not show it.
    authorization: Option<HeaderValue>,
    device: Option<DeviceId>,
}

impl Http {
    pub(crate) fn new(base: &str, timeouts: Timeouts) -> Result<Self, ClientError> {
        let base = Url::parse(base).map_err(|_| ClientError::InvalidUrl("is not a URL"))?;
        match base.scheme() {
            "http" => {}
            "https" if cfg!(feature = "tls") => {}
            "https" => return Err(ClientError::NoTls),
            _ => return Err(ClientError::InvalidUrl("must begin with http:// or https://")),
        }
        if !base.username().is_empty() || base.password().is_some() || base.query().is_some() {
            return Err(ClientError::InvalidUrl("must not contain a user, a password or a query"));
        }
        let client = reqwest::Client::builder()
            // With redirects, the client would send the token to any address that an answer names.
            .redirect(reqwest::redirect::Policy::none())
            // The WebSocket is opened without a proxy, so the calls use none either.
            .no_proxy()
            .connect_timeout(timeouts.connect)
            .timeout(timeouts.request)
            .pool_max_idle_per_host(4)
            .build()
            .map_err(network_error)?;
        Ok(Self { client, base, authorization: None, device: None })
    }

    /// The origin of the server, lowercase: scheme, host, and the port unless it is the scheme's
    /// default (RFC 6454, section 6.2).
    pub(crate) fn origin(&self) -> String {
        self.base.origin().ascii_serialization()
    }

    pub(crate) fn authorize(&mut self, token: &str) -> Result<(), ClientError> {
        let mut value =
            HeaderValue::try_from(format!("Bearer {token}")).map_err(|_| ClientError::InvalidToken)?;
        value.set_sensitive(true);
        self.authorization = Some(value);
        Ok(())
    }

    pub(crate) fn set_device(&mut self, device: DeviceId) {
        self.device = Some(device);
    }

    pub(crate) fn authorization(&self) -> Option<&HeaderValue> {
        self.authorization.as_ref()
    }

    pub(crate) fn device(&self) -> Option<&DeviceId> {
        self.device.as_ref()
    }

    /// The address of a call: the server's address and the path segments, which are escaped.
    pub(crate) fn url(&self, path: &[&str]) -> Url {
        let mut url = self.base.clone();
        // `new` refuses addresses without a path, such as `mailto:`, so this never fails.
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().extend(path);
        }
        url
    }

    pub(crate) fn request(&self, method: Method, path: &[&str]) -> RequestBuilder {
        let mut request = self.client.request(method, self.url(path));
        if let Some(authorization) = &self.authorization {
            request = request.header(AUTHORIZATION, authorization.clone());
        }
        match &self.device {
            Some(device) => request.header("dm-device", device.as_str()),
            None => request,
        }
    }

    pub(crate) fn get(&self, path: &[&str]) -> RequestBuilder {
        self.request(Method::GET, path)
    }

    pub(crate) fn post(&self, path: &[&str], body: &impl Serialize) -> RequestBuilder {
        self.request(Method::POST, path).json(body)
    }
}

/// Sends a request and parses the JSON of its answer, of at most `limit` bytes.
pub(crate) async fn call<T: DeserializeOwned>(
    request: RequestBuilder,
    limit: usize,
) -> Result<(StatusCode, T), ClientError> {
    let response = request.send().await.map_err(network_error)?;
    let status = response.status();
    if !status.is_success() {
        return Err(refusal(response).await);
    }
    let body = read_body(response, limit).await?;
    let value = serde_json::from_slice(&body).map_err(|_| ClientError::Protocol("not the expected JSON"))?;
    Ok((status, value))
}

/// Sends a request whose answer has no body.
pub(crate) async fn call_without_body(request: RequestBuilder) -> Result<(), ClientError> {
    let response = request.send().await.map_err(network_error)?;
    match response.status().is_success() {
        true => Ok(()),
        false => Err(refusal(response).await),
    }
}

/// Sends a request about an item. The answer has no body. Returns false if the server does not know
/// the item (404).
pub(crate) async fn call_if_known(request: RequestBuilder) -> Result<bool, ClientError> {
    match call_without_body(request).await {
        Ok(()) => Ok(true),
        Err(error) if error.is_not_found() => Ok(false),
        Err(error) => Err(error),
    }
}

/// Reads a body of at most `limit` bytes.
async fn read_body(mut response: Response, limit: usize) -> Result<Vec<u8>, ClientError> {
    let too_large = ClientError::TooLarge { limit };
    let limit_u64 = u64::try_from(limit).unwrap_or(u64::MAX);
    if response.content_length().is_some_and(|announced| announced > limit_u64) {
        return Err(too_large);
    }
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(network_error)? {
        if body.len() + chunk.len() > limit {
            return Err(too_large);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

/// The error of an answer that is not a success. If its body cannot be read or parsed, the error
/// has only the status and the wait from the `Retry-After` header.
async fn refusal(response: Response) -> ClientError {
    let status = response.status().as_u16();
    let header = |name| response.headers().get(name).and_then(|value: &HeaderValue| value.to_str().ok());
    let retry_after = header(RETRY_AFTER).and_then(|text| text.parse().ok()).map(Duration::from_secs);
    let is_json = header(CONTENT_TYPE).is_some_and(|kind| kind.contains("json"));
    let mut problem = Problem::with_status(status);
    if is_json
        && let Ok(body) = read_body(response, MAX_PROBLEM_BYTES).await
        && let Ok(json) = serde_json::from_slice::<ProblemJson>(&body)
    {
        if status == 409 && json.is_stale_key() {
            let current = json.current_key.flatten().and_then(|key| KeyRecord::try_from(key).ok());
            return ClientError::StaleKey { current: current.map(Box::new) };
        }
        problem = json.into_problem(status);
    }
    problem.retry_after = problem.retry_after.or(retry_after);
    ClientError::Refused(Box::new(problem))
}

/// The error of a request without a complete answer. The address is removed from it, because no
/// error may contain an address.
fn network_error(error: reqwest::Error) -> ClientError {
    if error.is_timeout() {
        return ClientError::Timeout;
    }
    ClientError::Network(Box::new(error.without_url()))
}

impl From<Malformed> for ClientError {
    fn from(Malformed(field): Malformed) -> Self {
        Self::Protocol(field)
    }
}
