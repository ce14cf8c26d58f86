//! [`HttpServer`]: a minimal HTTP server that stores messages like a real one, and injects faults.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// The treatment of one request.
#[derive(Debug, Clone)]
pub(crate) enum Fault {
    /// The connection breaks before the request is handled.
    RequestLost,
    /// The request is handled, and the connection breaks before the answer.
    AnswerLost,
    /// The request is answered with this status, headers and body, and not handled.
    Answer(u16, Vec<(&'static str, String)>, Vec<u8>),
    /// The recipient's key has this version and record from now on; the request is handled.
    KeyRotated(u32, Value),
    /// The request is never answered.
    Silence,
}

/// A received request.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    pub(crate) line: String,
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

impl Request {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }
}

#[derive(Debug, Default)]
struct State {
    faults: VecDeque<Fault>,
    requests: Vec<Request>,
    stored: HashMap<String, (Value, u64)>,
    key_version: Option<u32>,
    key: Value,
}

/// The server. It keeps messages by their client message id.
#[derive(Debug)]
pub(crate) struct HttpServer {
    pub(crate) base: String,
    state: Arc<Mutex<State>>,
    task: JoinHandle<()>,
}

impl Drop for HttpServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl HttpServer {
    /// Starts a server. The first requests get the faults in order. Later requests have no fault.
    pub(crate) async fn start(faults: impl IntoIterator<Item = Fault>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let state = Arc::new(Mutex::new(State { faults: faults.into_iter().collect(), ..State::default() }));
        let shared = Arc::clone(&state);
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, Arc::clone(&shared)));
            }
        });
        Self { base, state, task }
    }

    pub(crate) fn requests(&self) -> Vec<Request> {
        self.state.lock().unwrap().requests.clone()
    }

    /// The number of stored messages.
    pub(crate) fn stored(&self) -> usize {
        self.state.lock().unwrap().stored.len()
    }
}

async fn serve(mut stream: TcpStream, state: Arc<Mutex<State>>) {
    let Some(request) = receive(&mut stream).await else { return };
    let fault = {
        let mut state = state.lock().unwrap();
        state.requests.push(request.clone());
        state.faults.pop_front()
    };
    let (status, headers, body) = match fault {
        Some(Fault::RequestLost) => return,
        Some(Fault::AnswerLost) => {
            handle(&request, &mut state.lock().unwrap());
            return;
        }
        Some(Fault::Answer(status, headers, body)) => (status, headers, body),
        Some(Fault::Silence) => {
            // The read ends when the client closes the connection after its time limit.
            let _closed = stream.read(&mut [0; 1]).await;
            return;
        }
        Some(Fault::KeyRotated(version, key)) => {
            let mut state = state.lock().unwrap();
            state.key_version = Some(version);
            state.key = key;
            handle(&request, &mut state)
        }
        None => handle(&request, &mut state.lock().unwrap()),
    };
    let mut head = format!("HTTP/1.1 {status} X\r\nconnection: close\r\n");
    if !headers.iter().any(|(name, _)| name.starts_with("content-length") || *name == "transfer-encoding") {
        head += &format!("content-length: {}\r\n", body.len());
    }
    for (name, value) in headers {
        head += &format!("{name}: {value}\r\n");
    }
    // The write fails if the client has closed the connection because the answer is too large.
    let _written = stream.write_all(&[head.as_bytes(), b"\r\n", &body].concat()).await;
}

async fn receive(stream: &mut TcpStream) -> Option<Request> {
    let mut bytes = Vec::new();
    let head_len = loop {
        if let Some(at) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            break at + 4;
        }
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    };
    let head = String::from_utf8(bytes[..head_len].to_vec()).unwrap();
    let length = head
        .lines()
        .find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length: ")?.parse().ok())
        .unwrap_or(0);
    while bytes.len() < head_len + length {
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    }
    let line = head.lines().next().unwrap().to_owned();
    Some(Request { line, head, body: bytes[head_len..].to_vec() })
}

type Answer = (u16, Vec<(&'static str, String)>, Vec<u8>);

pub(crate) fn problem(status: u16, mut members: Value) -> Answer {
    members["status"] = json!(status);
    let kind = ("content-type", "application/problem+json".to_owned());
    (status, vec![kind], serde_json::to_vec(&members).unwrap())
}

fn handle(request: &Request, state: &mut State) -> Answer {
    assert_eq!(request.line, "POST /api/dm/messages HTTP/1.1");
    let body = request.json();
    let id = body["client_message_id"].as_str().unwrap().to_owned();
    let next = state.stored.len() as u64 + 1;
    let (status, sequence) = match state.stored.get(&id) {
        Some((first, sequence)) if *first == body => (200, *sequence),
        Some(_) => return problem(409, json!({ "title": "client_message_id reused" })),
        None if state.key_version.is_some_and(|version| body["recipient_key_version"] != version) => {
            return problem(409, json!({ "title": "stale key", "current_key": state.key }));
        }
        None => {
            state.stored.insert(id, (body.clone(), next));
            (201, next)
        }
    };
    let mut answer = body;
    answer["id"] = json!(uuid::Uuid::from_u128(u128::from(sequence)).to_string());
    answer["sender_pubkey"] = json!(crate::transport::messages::ana().user_id().to_string());
    answer["server_sequence"] = json!(sequence);
    (status, vec![("content-type", "application/json".to_owned())], serde_json::to_vec(&answer).unwrap())
}
