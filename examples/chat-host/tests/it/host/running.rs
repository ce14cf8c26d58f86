//! A host on a free port with a manual clock, and users who sign in.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use chat_host::accounts::{Accounts, AccountsHealth};
use chat_host::host::Host;
use chat_host::logins::Logins;
use chat_host::origin::{Origin, Origins};
use chat_host::router::router;
use chat_host::serve::{Limits, serve};
use chat_host::statement::{LegacyStatements, Statements, v2};
use data_encoding::HEXLOWER;
use dm_core::time::ManualClock;
use dm_core::{MemoryStore, Service, Timestamp};
use ed25519_dalek::{Signer, SigningKey};
use futures_util::{SinkExt, StreamExt};
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
    let accounts = Accounts::open(folder.path().join("accounts.db")).unwrap();
    start_over(accounts, limits, folder, vec![], LegacyStatements::Refused).await
}

/// A host that also accepts sign-ins without an origin.
pub(crate) async fn start_with_v1() -> Running {
    let folder = tempfile::tempdir().unwrap();
    let accounts = Accounts::open(folder.path().join("accounts.db")).unwrap();
    start_over(accounts, Limits::default(), folder, vec![], LegacyStatements::Accepted).await
}

/// A host with given accounts, which other hosts may share, and the origins `names`. Without names,
/// its origin is its address.
pub(crate) async fn start_over(
    accounts: Accounts,
    limits: Limits,
    folder: TempDir,
    names: Vec<Origin>,
    legacy: LegacyStatements,
) -> Running {
    let clock = ManualClock::new(NOW);
    let dm = Service::builder(MemoryStore::new())
        .directory(accounts.clone())
        .clock(clock.clone())
        .start()
        .unwrap();
    let direct_messages = dm_axum::router(dm.clone(), dm_axum::Options::default());
    let metrics = PrometheusBuilder::new().build_recorder().handle();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let origins = Origins::known(names, address).unwrap();
    let statements = Arc::new(Statements { origins, legacy });
    let (accounts_health, logins) = (AccountsHealth::monitor(accounts.clone()), Logins::default());
    let host = Host { dm, accounts, accounts_health, statements, logins, metrics, store: "memory" };
    let app = router(host.clone(), direct_messages);

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

    /// Requests a challenge and returns the body of the answer.
    pub(crate) async fn challenge(&self, who: &Person) -> Value {
        let answer = self.post("/api/auth/challenge", &json!({ "public_key": who.hex() })).await;
        assert_eq!(answer.status(), StatusCode::OK);
        answer.json().await.unwrap()
    }

    /// Signs in, and returns the body of the last answer.
    pub(crate) async fn sign_in(&self, who: &Person, name: Option<&str>) -> Value {
        let mut body = self.answer(who, &self.challenge(who).await);
        if let Some(name) = name {
            body["display_name"] = name.into();
        }
        let answer = self.post("/api/auth/verify", &body).await;
        assert_eq!(answer.status(), StatusCode::OK);
        answer.json().await.unwrap()
    }

    /// The body that answers a challenge, signed for this host's origin.
    pub(crate) fn answer(&self, who: &Person, challenge: &Value) -> Value {
        who.answer(&self.url(""), challenge)
    }

    /// A WebSocket that is opened with a query.
    pub(crate) async fn socket(&self, query: &str) -> WebSocketStream<MaybeTlsStream<TcpStream>> {
        let url = format!("ws://{}/api/dm/ws?{query}", self.address);
        tokio_tungstenite::connect_async(url).await.unwrap().0
    }

    pub(crate) async fn token(&self, who: &Person, name: Option<&str>) -> String {
        self.sign_in(who, name).await["token"].as_str().unwrap().to_owned()
    }
}

/// A user, by a signing key.
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

    /// The body that answers a challenge, signed for `origin`.
    pub(crate) fn answer(&self, origin: &str, challenge: &Value) -> Value {
        let server_id = challenge["server_id"].as_str().unwrap();
        let signed = v2(&origin.parse().unwrap(), server_id, &raw(challenge));
        let challenge = &challenge["challenge"];
        json!({ "public_key": self.hex(), "challenge": challenge, "signature": self.sign(&signed) })
    }
}

/// The 32 bytes of a challenge.
pub(crate) fn raw(challenge: &Value) -> [u8; 32] {
    BASE64.decode(challenge["challenge"].as_str().unwrap()).unwrap().try_into().unwrap()
}

/// Checks the status and the field of a problem, and returns its body.
pub(crate) async fn problem(answer: Response, status: u16, field: Option<&str>) -> Value {
    assert_eq!(answer.status().as_u16(), status);
    assert_eq!(answer.headers()["content-type"], "application/problem+json");
    let problem: Value = answer.json().await.unwrap();
    assert_eq!(problem["status"], status);
    assert_eq!(problem.get("field").and_then(Value::as_str), field, "{problem}");
    problem
}

/// Sends a ping and waits for its pong. Other frames are skipped.
pub(crate) async fn still_served(socket: &mut WebSocketStream<MaybeTlsStream<TcpStream>>) {
    socket.send(Message::Ping("are you there?".into())).await.unwrap();
    while socket.next().await.unwrap().unwrap() != Message::Pong("are you there?".into()) {}
}

/// Waits for the close frame, and returns its code. Other frames are skipped.
pub(crate) async fn close_code(socket: &mut WebSocketStream<MaybeTlsStream<TcpStream>>) -> u16 {
    loop {
        if let Message::Close(frame) = socket.next().await.unwrap().unwrap() {
            return frame.unwrap().code.into();
        }
    }
}
