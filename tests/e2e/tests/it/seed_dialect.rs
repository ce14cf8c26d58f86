//! A client that knows only the first generation's dialect: its JSON members, its protobuf fields,
//! its encryption. No hello, no additions. The messages are defined here once more, from the wire
//! format, so that nothing of this workspace's own definitions can make them fit.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use data_encoding::HEXLOWER;
use dm_client::{ClientMessageId, Context, Header, KeyVersions, OsEntropy, Suite, UserId, suite};
use dm_e2e::{Host, Person};
use futures_util::{SinkExt as _, StreamExt as _};
use prost::Message as _;
use reqwest::StatusCode;
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message as Frame;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

#[derive(Clone, PartialEq, prost::Message)]
struct Envelope {
    #[prost(string, tag = "1")]
    request_id: String,
    #[prost(message, tag = "150")]
    message_event: Option<MessageEvent>,
    #[prost(message, tag = "151")]
    conversation_created: Option<ConversationCreated>,
    #[prost(message, tag = "153")]
    history_request: Option<HistoryRequest>,
    #[prost(message, tag = "154")]
    history_response: Option<HistoryResponse>,
    #[prost(message, tag = "155")]
    list_request: Option<ListRequest>,
    #[prost(message, tag = "156")]
    list_response: Option<ListResponse>,
    /// What such a client must never be sent.
    #[prost(bytes = "vec", optional, tag = "158")]
    server_frame: Option<Vec<u8>>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct MessageEvent {
    #[prost(message, tag = "1")]
    message: Option<EncryptedMessage>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct EncryptedMessage {
    #[prost(string, tag = "1")]
    id: String,
    #[prost(string, tag = "2")]
    conversation_id: String,
    #[prost(string, tag = "3")]
    sender_pubkey: String,
    #[prost(bytes = "vec", tag = "4")]
    encrypted_payload: Vec<u8>,
    #[prost(bytes = "vec", tag = "5")]
    nonce: Vec<u8>,
    #[prost(bytes = "vec", tag = "6")]
    ephemeral_pubkey: Vec<u8>,
    #[prost(uint64, tag = "7")]
    timestamp: u64,
    #[prost(uint64, tag = "8")]
    server_sequence: u64,
    #[prost(string, tag = "9")]
    sender_display_name: String,
}

#[derive(Clone, PartialEq, prost::Message)]
struct ConversationCreated {
    #[prost(message, tag = "1")]
    conversation: Option<Conversation>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Conversation {
    #[prost(string, tag = "1")]
    id: String,
    #[prost(string, tag = "2")]
    participant_a_pubkey: String,
    #[prost(string, tag = "3")]
    participant_b_pubkey: String,
    #[prost(string, tag = "4")]
    participant_a_display_name: String,
    #[prost(string, tag = "5")]
    participant_b_display_name: String,
    #[prost(uint64, tag = "6")]
    created_at: u64,
    #[prost(uint64, tag = "7")]
    last_message_at: u64,
    #[prost(string, tag = "8")]
    last_message_preview: String,
}

#[derive(Clone, PartialEq, prost::Message)]
struct HistoryRequest {
    #[prost(string, tag = "1")]
    conversation_id: String,
    #[prost(uint64, tag = "2")]
    before_sequence: u64,
    #[prost(uint32, tag = "3")]
    limit: u32,
}

#[derive(Clone, PartialEq, prost::Message)]
struct HistoryResponse {
    #[prost(message, repeated, tag = "1")]
    messages: Vec<EncryptedMessage>,
    #[prost(bool, tag = "2")]
    has_more: bool,
}

#[derive(Clone, PartialEq, prost::Message)]
struct ListRequest {}

#[derive(Clone, PartialEq, prost::Message)]
struct ListResponse {
    #[prost(message, repeated, tag = "1")]
    conversations: Vec<Conversation>,
}

/// A first-generation client: a token and plain HTTP.
struct Client {
    host: String,
    person: Person,
    http: reqwest::Client,
}

impl Client {
    async fn new(host: &Host, name: &str) -> Self {
        let person = Person::sign_in(&host.url(), name).await.unwrap();
        Self { host: host.address().to_owned(), person, http: reqwest::Client::new() }
    }

    fn key(&self) -> UserId {
        self.person.key()
    }

    async fn get(&self, path: &str) -> (StatusCode, Value) {
        let request = self.http.get(format!("http://{}{path}", self.host)).bearer_auth(self.person.token());
        let answer = request.send().await.unwrap();
        (answer.status(), answer.json().await.unwrap())
    }

    async fn post(&self, path: &str, body: Value) -> (StatusCode, Value) {
        let request = self.http.post(format!("http://{}{path}", self.host)).bearer_auth(self.person.token());
        let answer = request.json(&body).send().await.unwrap();
        (answer.status(), answer.json().await.unwrap())
    }

    /// Seals a text as the first generation did, and sends it with the members it knew.
    async fn send(&self, conversation: &str, peer: UserId, text: &str) -> Value {
        let context = context(conversation, self.key(), peer);
        let header = Header {
            versions: KeyVersions { sender: None, recipient: None },
            message_id: ClientMessageId::generate(&mut OsEntropy).unwrap(),
        };
        let sealed = suite::seal(
            Suite::Zero,
            self.person.identity(),
            &peer.agreement_key(),
            &context,
            &header,
            text.as_bytes(),
            &mut OsEntropy,
        )
        .unwrap();
        let body = json!({
            "conversation_id": conversation,
            "encrypted_payload": STANDARD.encode(&sealed.payload),
            "nonce": STANDARD.encode(sealed.nonce),
            "timestamp": 1_700_000_000_123_u64,
        });
        let (status, sent) = self.post("/api/dm/messages", body).await;
        assert_eq!(status, StatusCode::CREATED, "{sent}");
        sent
    }

    /// Opens a message that a peer sent.
    fn open(&self, conversation: &str, sender: UserId, nonce: &[u8], payload: &[u8]) -> String {
        let context = context(conversation, sender, self.key());
        let nonce = nonce.try_into().unwrap();
        let own = self.person.identity();
        let opened = suite::open(0, own, &sender.agreement_key(), &context, &nonce, payload).unwrap();
        String::from_utf8(opened.plaintext).unwrap()
    }

    async fn connect(&self) -> Socket {
        let url = format!("ws://{}/api/dm/ws?token={}", self.host, self.person.token());
        connect_async(url).await.unwrap().0
    }
}

fn context(conversation: &str, sender: UserId, recipient: UserId) -> Context {
    Context::new(conversation.parse().unwrap(), sender, recipient).unwrap()
}

/// The next envelope; pings are answered on the way.
async fn hear(socket: &mut Socket) -> Envelope {
    loop {
        match socket.next().await.unwrap().unwrap() {
            Frame::Binary(bytes) => {
                let envelope = Envelope::decode(bytes.as_ref()).unwrap();
                assert_eq!(envelope.server_frame, None, "a client without hello is sent no 158");
                return envelope;
            }
            Frame::Ping(_) => socket.flush().await.unwrap(),
            other => panic!("{other:?}"),
        }
    }
}

async fn ask(socket: &mut Socket, envelope: Envelope) -> Envelope {
    let request_id = envelope.request_id.clone();
    socket.send(Frame::Binary(envelope.encode_to_vec().into())).await.unwrap();
    loop {
        let answer = hear(socket).await;
        if answer.request_id == request_id {
            return answer;
        }
    }
}

fn is_hex(value: &Value) -> bool {
    value.as_str().is_some_and(|text| text.len() == 64 && HEXLOWER.decode(text.as_bytes()).is_ok())
}

#[tokio::test]
async fn keys_conversations_messages_and_the_offline_queue_over_rest() {
    let host = Host::start(&[]).await.unwrap();
    let (ana, bo) = (Client::new(&host, "Ana").await, Client::new(&host, "Bo").await);

    let own = ana.key().agreement_key().to_string();
    let (status, published) = ana.post("/api/dm/keys", json!({ "x25519_pubkey": own })).await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(published["x25519_pubkey"], own);
    let upper = ana.key().to_string().to_uppercase();
    let (status, found) = bo.get(&format!("/api/dm/keys/{upper}")).await;
    assert_eq!((status, &found["ed25519_pubkey"]), (StatusCode::OK, &json!(ana.key().to_string())));
    assert!(found["published_at"].is_u64());

    let (status, opened) =
        ana.post("/api/dm/conversations", json!({ "recipient_pubkey": bo.key().to_string() })).await;
    assert_eq!(status, StatusCode::CREATED);
    let (status, again) =
        bo.post("/api/dm/conversations", json!({ "recipient_pubkey": ana.key().to_string() })).await;
    assert_eq!((status, &again["id"]), (StatusCode::OK, &opened["id"]));
    assert!(is_hex(&opened["participant_a_pubkey"]) && is_hex(&opened["participant_b_pubkey"]));
    assert!(opened["participant_a_pubkey"].as_str() < opened["participant_b_pubkey"].as_str());
    assert!(opened["created_at"].is_u64());
    let names = [&opened["participant_a_display_name"], &opened["participant_b_display_name"]];
    assert!(names.contains(&&json!("Ana")) && names.contains(&&json!("Bo")), "{names:?}");
    let conversation = opened["id"].as_str().unwrap();

    for n in 1..=3_u64 {
        let sent = ana.send(conversation, bo.key(), &format!("text {n}")).await;
        assert_eq!(sent["server_sequence"], n);
        assert_eq!(sent["sender_pubkey"], ana.key().to_string());
        assert_eq!(sent["timestamp"], 1_700_000_000_123_u64);
        assert_eq!(sent["sender_display_name"], "Ana");
        assert_eq!(sent["ephemeral_pubkey"], Value::Null);
    }
    let (_, list) = bo.get("/api/dm/conversations").await;
    assert_eq!(list.as_array().unwrap().len(), 1, "a bare array");
    assert!(list[0]["last_message_at"].is_u64());

    let (_, history) = bo.get(&format!("/api/dm/messages/{conversation}?limit=2")).await;
    assert_eq!(history["has_more"], true);
    let numbers: Vec<_> =
        history["messages"].as_array().unwrap().iter().map(|m| m["server_sequence"].clone()).collect();
    assert_eq!(numbers, [3, 2], "newest first");

    let (_, offline) = bo.get("/api/dm/offline").await;
    let waiting = offline["messages"].as_array().unwrap();
    let decode = |value: &Value| STANDARD.decode(value.as_str().unwrap()).unwrap();
    let texts: Vec<_> = waiting
        .iter()
        .map(|m| bo.open(conversation, ana.key(), &decode(&m["nonce"]), &decode(&m["encrypted_payload"])))
        .collect();
    assert_eq!(texts, ["text 1", "text 2", "text 3"]);
    let ids: Vec<_> = waiting.iter().map(|message| message["id"].clone()).collect();
    let (status, acked) = bo.post("/api/dm/offline/ack", json!({ "message_ids": ids })).await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!((&acked["acknowledged"], &acked["remaining"]), (&json!(3), &json!(0)));
    let (_, offline) = bo.get("/api/dm/offline").await;
    assert_eq!(offline["messages"], json!([]));
}

#[tokio::test]
async fn fetching_acknowledges_in_the_mode_of_the_first_generation() {
    let host = Host::start(&["--ack-mode", "on-fetch"]).await.unwrap();
    let (ana, bo) = (Client::new(&host, "Ana").await, Client::new(&host, "Bo").await);
    let (_, opened) =
        ana.post("/api/dm/conversations", json!({ "recipient_pubkey": bo.key().to_string() })).await;
    ana.send(opened["id"].as_str().unwrap(), bo.key(), "once").await;
    let count = |offline: &Value| offline["messages"].as_array().unwrap().len();
    assert_eq!(count(&bo.get("/api/dm/offline").await.1), 1);
    assert_eq!(count(&bo.get("/api/dm/offline").await.1), 0);
}

#[tokio::test]
async fn events_and_requests_over_the_socket() {
    let host = Host::start(&[]).await.unwrap();
    let (ana, bo) = (Client::new(&host, "Ana").await, Client::new(&host, "Bo").await);
    let mut socket = bo.connect().await;
    // An answered request shows that the connection is served, and so that events come from here
    // on.
    let nothing = ask(&mut socket, Envelope { list_request: Some(ListRequest {}), ..request("1") }).await;
    assert_eq!(nothing.list_response.unwrap().conversations, []);

    let (_, opened) =
        ana.post("/api/dm/conversations", json!({ "recipient_pubkey": bo.key().to_string() })).await;
    let conversation = opened["id"].as_str().unwrap();
    let created = hear(&mut socket).await.conversation_created.unwrap().conversation.unwrap();
    assert_eq!(created.id, conversation);
    assert_eq!(created.last_message_preview, "");

    let sent = ana.send(conversation, bo.key(), "hello").await;
    let event = hear(&mut socket).await.message_event.unwrap().message.unwrap();
    assert_eq!((json!(event.id), event.server_sequence), (sent["id"].clone(), 1));
    assert_eq!(
        (event.sender_pubkey.as_str(), event.sender_display_name.as_str()),
        (&*ana.key().to_string(), "Ana")
    );
    assert_eq!(event.timestamp, 1_700_000_000_123);
    assert_eq!(bo.open(conversation, ana.key(), &event.nonce, &event.encrypted_payload), "hello");

    let history = HistoryRequest { conversation_id: conversation.to_owned(), before_sequence: 0, limit: 50 };
    let answer = ask(&mut socket, Envelope { history_request: Some(history), ..request("2") }).await;
    let page = answer.history_response.unwrap();
    assert_eq!((page.messages, page.has_more), (vec![event], false));

    // What the open socket got and answered a ping for is not offered again.
    let acknowledged = async {
        while bo.get("/api/dm/offline").await.1["messages"] != json!([]) {
            // Reading answers pings; the answer to a request says that the server has read what
            // came before it.
            ask(&mut socket, Envelope { list_request: Some(ListRequest {}), ..request("3") }).await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(60), acknowledged).await.expect("it stays pending");
}

fn request(id: &str) -> Envelope {
    Envelope { request_id: id.to_owned(), ..Envelope::default() }
}
