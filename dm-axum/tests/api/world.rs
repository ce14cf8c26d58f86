//! [`World`]: a host with the API on a loopback port. It reads the caller from a header without
//! authentication, which a real host must not do.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::Duration;

use async_trait::async_trait;
use axum::extract::Request;
use axum::middleware::{self, Next};
use curve25519_dalek::{EdwardsPoint, Scalar};
use dm_axum::{LoginExpiry, LoginWatch, Options};
use dm_core::store::Store;
use dm_core::time::ManualClock;
use dm_core::{
    Config, Directory, DirectoryError, Hub, MemoryStore, Principal, Profile, Service, Timestamp, UserId,
};
use reqwest::{Client, Method, RequestBuilder, Response};
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// The time on the clock of a new world, in Unix milliseconds.
pub const START: u64 = 1_800_000_000_000;
pub const SECOND: Duration = Duration::from_secs(1);

/// The logins that requests name in `x-login`. Each test uses its own names.
pub static LOGINS: Mutex<BTreeMap<String, LoginWatch>> = Mutex::new(BTreeMap::new());

/// The *n*-th user.
pub fn user(n: u64) -> UserId {
    UserId::from_bytes(EdwardsPoint::mul_base(&Scalar::from(n + 1)).compress().to_bytes()).unwrap()
}

/// The key derived from the *n*-th user's identity, in hexadecimal digits.
pub fn derived_key(n: u64) -> String {
    let point = EdwardsPoint::mul_base(&Scalar::from(n + 1)).to_montgomery();
    data_encoding::HEXLOWER.encode(&point.to_bytes())
}

pub fn base64(bytes: impl AsRef<[u8]>) -> String {
    data_encoding::BASE64.encode(bytes.as_ref())
}

/// Knows users 1 to 9 as `Person 1` to `Person 9`, users 10 to 99 as `Unknown`, and no others.
/// Fails when asked about user 66.
struct TestDirectory;

#[async_trait]
impl Directory for TestDirectory {
    async fn profiles(&self, users: &[UserId]) -> Result<Vec<Option<Profile>>, DirectoryError> {
        if users.contains(&user(66)) {
            return Err(DirectoryError::new("the accounts cannot be read"));
        }
        let profile = |asked: &UserId| {
            let n = (1..100).find(|n| user(*n) == *asked)?;
            let display_name = if n < 10 { format!("Person {n}") } else { "Unknown".to_owned() };
            Some(Profile { display_name })
        };
        Ok(users.iter().map(profile).collect())
    }
}

pub struct World {
    pub dm: Service,
    pub hub: Hub,
    pub clock: ManualClock,
    pub address: String,
    pub http: Client,
    server: JoinHandle<()>,
}

impl Drop for World {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl World {
    pub async fn new() -> Self {
        Self::with(MemoryStore::new(), |_| (), |_| ()).await
    }

    pub async fn configured(config: impl FnOnce(&mut Config)) -> Self {
        Self::with(MemoryStore::new(), config, |_| ()).await
    }

    pub async fn with_options(options: impl FnOnce(&mut Options)) -> Self {
        Self::with(MemoryStore::new(), |_| (), options).await
    }

    pub async fn with(
        store: impl Store,
        configure: impl FnOnce(&mut Config),
        choose: impl FnOnce(&mut Options),
    ) -> Self {
        let clock = ManualClock::new(Timestamp::from_millis(START));
        let (mut config, mut options) = (Config::default(), Options::default());
        configure(&mut config);
        choose(&mut options);
        let dm = Service::builder(store)
            .clock(clock.clone())
            .directory(TestDirectory)
            .config(config)
            .start()
            .unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let router = dm_axum::router(dm.clone(), options);
        let app: axum::Router = axum::Router::new().merge(router).layer(middleware::from_fn(authenticate));
        let server = tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        let http = Client::builder().no_proxy().build().unwrap();
        Self { hub: dm.hub().clone(), dm, clock, address, http, server }
    }

    /// A call by the *n*-th user, below `/api/dm/`.
    pub fn call(&self, n: u64, method: Method, path: &str) -> RequestBuilder {
        self.anonymous(method, path).header("x-user", user(n).to_string())
    }

    pub fn anonymous(&self, method: Method, path: &str) -> RequestBuilder {
        self.http.request(method, format!("http://{}/api/dm/{path}", self.address))
    }

    pub async fn get(&self, n: u64, path: &str) -> (u16, Value) {
        answer(self.call(n, Method::GET, path).send().await.unwrap()).await
    }

    pub async fn post(&self, n: u64, path: &str, body: &Value) -> (u16, Value) {
        answer(self.call(n, Method::POST, path).json(body).send().await.unwrap()).await
    }

    /// Posts bytes with the content type of JSON.
    pub async fn post_raw(&self, n: u64, path: &str, body: impl Into<reqwest::Body>) -> (u16, Value) {
        let request = self.call(n, Method::POST, path).header("content-type", "application/json");
        answer(request.body(body).send().await.unwrap()).await
    }

    /// Opens the conversation of two users. Returns its id.
    pub async fn open(&self, one: u64, other: u64) -> String {
        let opened = self.dm.open_conversation(&user(one).into(), user(other)).await.unwrap();
        opened.conversation.id.to_string()
    }

    /// Sends a message over REST. Returns the answer.
    pub async fn send(&self, from: u64, conversation: &str, payload: &str) -> Value {
        let (status, body) = self.post(from, "messages", &message(conversation, payload)).await;
        assert_eq!(status, 201, "{body}");
        body
    }

    /// The stored state of users 1 to 3 as text: conversations with the number of the newest
    /// message, pending messages, keys and devices. If two texts are equal, nothing was stored in
    /// between.
    pub async fn stored(&self) -> String {
        let mut seen = String::new();
        for n in 1..=3 {
            let who = Principal::from(user(n));
            let listed = self.dm.conversations(&who, 100, None).await.unwrap().conversations;
            let depth = self.dm.depth(&who).await.unwrap();
            let devices = self.dm.devices(&who).await.unwrap();
            seen += &format!("{listed:?}{depth:?}{devices:?}{:?}\n", self.dm.key(user(n)).await.ok());
        }
        seen
    }
}

/// The body of a send with only the fields that seed clients send.
pub fn message(conversation: &str, payload: &str) -> Value {
    serde_json::json!({
        "conversation_id": conversation,
        "encrypted_payload": base64(payload),
        "nonce": base64([7; 24]),
        "timestamp": 5,
    })
}

/// The status and the JSON of an answer. A refusal must be a problem with the same status.
pub async fn answer(response: Response) -> (u16, Value) {
    let status = response.status().as_u16();
    let kind = response.headers().get("content-type").map(|value| value.to_str().unwrap().to_owned());
    assert_eq!(response.headers().get("cache-control").unwrap(), "no-store");
    let body: Value = response.json().await.unwrap();
    if status < 400 {
        assert_eq!(kind.as_deref(), Some("application/json"));
    } else {
        assert_eq!(kind.as_deref(), Some("application/problem+json"));
        assert_eq!(body["status"], status, "{body}");
        assert!(body["type"].as_str().unwrap().starts_with("urn:dm:problem:"), "{body}");
        assert!(body["title"].is_string() && body["detail"].is_string(), "{body}");
    }
    (status, body)
}

/// The last part of a problem's `type`.
pub fn kind(problem: &Value) -> &str {
    problem["type"].as_str().unwrap().strip_prefix("urn:dm:problem:").unwrap()
}

async fn authenticate(mut request: Request, next: Next) -> axum::response::Response {
    let header =
        |request: &Request, name| request.headers().get(name).map(|value| value.to_str().unwrap().to_owned());
    if let Some(user) = header(&request, "x-user") {
        let device = header(&request, "x-device").map_or_else(Default::default, |text| text.parse().unwrap());
        request.extensions_mut().insert(Principal::new(user.parse().unwrap(), device));
    }
    if let Some(expiry) = header(&request, "x-expiry") {
        request.extensions_mut().insert(LoginExpiry(Timestamp::from_millis(expiry.parse().unwrap())));
    }
    if let Some(name) = header(&request, "x-login") {
        request.extensions_mut().insert(LOGINS.lock().unwrap()[&name].clone());
    }
    next.run(request).await
}
