//! A host on a free port, with a clock that stands still, and people who sign in there.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use chat_host::accounts::Accounts;
use chat_host::challenge::{Challenges, statement};
use chat_host::host::Host;
use chat_host::router::router;
use chat_host::serve::{Limits, serve};
use data_encoding::HEXLOWER;
use dm_core::{Hub, ManualClock, MemoryStore, Service, Timestamp};
use ed25519_dalek::{Signer, SigningKey};
use futures_util::StreamExt;
use metrics_exporter_prometheus::PrometheusBuilder;
use reqwest::{Client, Response, StatusCode};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};

pub(crate) const NOW: Timestamp = Timestamp::from_millis(1_700_000_000_000);

pub(crate) struct Running {
    pub(crate) http: Client,
    pub(crate) address: std::net::SocketAddr,
    pub(crate) clock: ManualClock,
    pub(crate) host: Host,
    pub(crate) server: JoinHandle<()>,
    pub(crate) stop: oneshot::Sender<()>,
    pub(crate) folder: TempDir,
}

pub(crate) async fn start() -> Running {
    start_with(Limits::default(), tempfile::tempdir().unwrap()).await
}

pub(crate) async fn start_with(limits: Limits, folder: TempDir) -> Running {
    let clock = ManualClock::new(NOW);
    let accounts = Accounts::open(folder.path().join("accounts.db")).unwrap();
    let hub = Hub::new();
    let dm = Service::builder(MemoryStore::new())
        .notifier(hub.clone())
        .directory(accounts.clone())
        .clock(clock.clone())
        .start()
        .unwrap();
    let direct_messages = dm_axum::router(dm.clone(), hub, dm_axum::Options::default());
    let metrics = PrometheusBuilder::new().build_recorder().handle();
    let challenges = Arc::new(Challenges::beside(&accounts));
    let host = Host { dm, accounts, challenges, metrics, store: "memory" };
    let app = router(host.clone(), direct_messages);

    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = oneshot::channel::<()>();
    let dm = host.dm.clone();
    let stopping = async move {
        let _ = stopped.await;
        dm.shutdown(Duration::from_secs(5)).await;
    };
    let server = tokio::spawn(serve(listener, app, limits, stopping));
    let http = Client::builder().no_proxy().build().unwrap();
    Running { http, address, clock, host, server, stop, folder }
}

impl Running {
    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub(crate) async fn get(&self, path: &str, token: &str) -> Response {
        self.http.get(self.url(path)).bearer_auth(token).send().await.unwrap()
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> Response {
        self.http.post(self.url(path)).json(body).send().await.unwrap()
    }

    /// Asks for a challenge and returns its answer.
    pub(crate) async fn challenge(&self, who: &Person) -> Value {
        let answer = self.post("/api/auth/challenge", &json!({ "public_key": who.hex() })).await;
        assert_eq!(answer.status(), StatusCode::OK);
        answer.json().await.unwrap()
    }

    /// The whole sign-in; returns the verification's answer.
    pub(crate) async fn sign_in(&self, who: &Person, name: Option<&str>) -> Value {
        let mut body = who.answer(&self.challenge(who).await);
        if let Some(name) = name {
            body["display_name"] = name.into();
        }
        let answer = self.post("/api/auth/verify", &body).await;
        assert_eq!(answer.status(), StatusCode::OK);
        answer.json().await.unwrap()
    }

    pub(crate) async fn token(&self, who: &Person, name: Option<&str>) -> String {
        self.sign_in(who, name).await["token"].as_str().unwrap().to_owned()
    }
}

/// Somebody with a key.
pub(crate) struct Person(SigningKey);

impl Person {
    pub(crate) fn new(seed: u8) -> Self {
        Self(SigningKey::from_bytes(&[seed; 32]))
    }

    pub(crate) fn hex(&self) -> String {
        HEXLOWER.encode(self.0.verifying_key().as_bytes())
    }

    pub(crate) fn sign(&self, bytes: &[u8]) -> String {
        BASE64.encode(self.0.sign(bytes).to_bytes())
    }

    /// The body that answers a challenge, as the wire format says.
    pub(crate) fn answer(&self, challenge: &Value) -> Value {
        let signed = statement(challenge["server_id"].as_str().unwrap(), &raw(challenge));
        let challenge = &challenge["challenge"];
        json!({ "public_key": self.hex(), "challenge": challenge, "signature": self.sign(&signed) })
    }
}

/// A challenge's 32 bytes.
pub(crate) fn raw(challenge: &Value) -> [u8; 32] {
    BASE64.decode(challenge["challenge"].as_str().unwrap()).unwrap().try_into().unwrap()
}

/// Checks that an answer is a problem of a status, about a field or none, and returns it.
pub(crate) async fn problem(answer: Response, status: u16, field: Option<&str>) -> Value {
    assert_eq!(answer.status().as_u16(), status);
    assert_eq!(answer.headers()["content-type"], "application/problem+json");
    let problem: Value = answer.json().await.unwrap();
    assert_eq!(problem["status"], status);
    assert_eq!(problem.get("field").and_then(Value::as_str), field, "{problem}");
    problem
}

/// The code that a WebSocket is closed with, past whatever comes before.
pub(crate) async fn close_code(socket: &mut WebSocketStream<MaybeTlsStream<TcpStream>>) -> u16 {
    loop {
        if let Message::Close(frame) = socket.next().await.unwrap().unwrap() {
            return frame.unwrap().code.into();
        }
    }
}
