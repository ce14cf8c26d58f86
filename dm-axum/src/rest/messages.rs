//! Sends messages and reads history: `POST /api/dm/messages`, `GET
//! /api/dm/messages/{conversation_id}`.

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{Path, Query, Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::display::Base64Display;
use base64::engine::general_purpose::STANDARD;
use dm_core::{
    ConversationId, HistoryRange, KeyVersion, Message, SendMessage, ServerSequence, Suite, Timestamp,
};
use serde::{Deserialize, Serialize, Serializer};

use super::BODY_OVERHEAD;
use crate::answers::{self, Pieces};
use crate::api::Api;
use crate::caller::Caller;
use crate::extract::{BodyFields, json_body, limit, number, query, required};
use crate::names::Names;
use crate::parse;
use crate::problem::Problem;

/// Maximum number of messages in a page of history if the client names no limit. It is the number
/// that the first version of the protocol used.
pub(crate) const DEFAULT_PAGE: usize = 50;

/// A stored message in JSON. It borrows the payload, whose base64 is written directly into the
/// JSON.
#[derive(Debug, Serialize)]
pub(crate) struct MessageJson<'a> {
    id: String,
    conversation_id: String,
    sender_pubkey: String,
    encrypted_payload: Base64<'a>,
    nonce: Base64<'a>,
    ephemeral_pubkey: Option<Base64<'a>>,
    timestamp: u64,
    server_sequence: u64,
    sender_display_name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    client_message_id: Option<String>,
    received_at: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    suite: Option<u32>,
}

/// Bytes that serialize as base64 of the standard alphabet, with padding.
#[derive(Debug)]
struct Base64<'a>(&'a [u8]);

impl Serialize for Base64<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&Base64Display::new(self.0, &STANDARD))
    }
}

impl<'a> MessageJson<'a> {
    pub(crate) fn new(message: &'a Message, names: &'a Names) -> Self {
        let ciphertext = &message.ciphertext;
        Self {
            id: message.id.to_string(),
            conversation_id: message.conversation.to_string(),
            sender_pubkey: message.sender.to_string(),
            encrypted_payload: Base64(ciphertext.payload()),
            nonce: Base64(ciphertext.nonce()),
            ephemeral_pubkey: ciphertext.ephemeral().map(|key| Base64(key)),
            timestamp: message.sent_at.as_millis(),
            server_sequence: message.sequence.get(),
            sender_display_name: names.display_name(message.sender),
            client_message_id: message.client_id.map(|id| id.to_string()),
            received_at: message.received_at.as_millis(),
            suite: ciphertext.suite().map(|Suite(tag)| tag),
        }
    }
}

#[derive(Deserialize)]
struct SendBody {
    conversation_id: Option<String>,
    encrypted_payload: Option<String>,
    nonce: Option<String>,
    ephemeral_pubkey: Option<String>,
    timestamp: Option<u64>,
    client_message_id: Option<String>,
    recipient_key_version: Option<u32>,
    suite: Option<u32>,
}

impl BodyFields for SendBody {
    const FIELDS: &'static [&'static str] = &[
        "conversation_id",
        "encrypted_payload",
        "nonce",
        "ephemeral_pubkey",
        "timestamp",
        "client_message_id",
        "recipient_key_version",
        "suite",
    ];
}

impl SendBody {
    fn into_message(self) -> Result<SendMessage, Problem> {
        let conversation = parse::id("conversation_id", &required("conversation_id", self.conversation_id)?)?;
        let payload = base64_bytes("encrypted_payload", self.encrypted_payload.as_deref())?;
        let nonce = base64_bytes("nonce", self.nonce.as_deref())?;
        let ephemeral = match self.ephemeral_pubkey {
            Some(text) => base64_bytes("ephemeral_pubkey", Some(&text))?,
            None => Vec::new(),
        };
        let ciphertext = parse::ciphertext(payload.into(), &nonce, &ephemeral, self.suite.unwrap_or(0))?;
        let sent_at = Timestamp::from_millis(required("timestamp", self.timestamp)?);
        let mut message = SendMessage::new(conversation, ciphertext, sent_at);
        message.client_id =
            self.client_message_id.map(|text| parse::id("client_message_id", &text)).transpose()?;
        message.recipient_key_version = self.recipient_key_version.map(key_version).transpose()?;
        Ok(message)
    }
}

/// Checks the version of the recipient's key that a sender named.
pub(crate) fn key_version(version: u32) -> Result<KeyVersion, Problem> {
    KeyVersion::new(version)
        .map_err(|invalid| Problem::not_acceptable("recipient_key_version", invalid.reason()))
}

/// Decodes a required field in canonical base64 of the standard alphabet, with padding.
fn base64_bytes(field: &'static str, text: Option<&str>) -> Result<Vec<u8>, Problem> {
    STANDARD.decode(required(field, text)?).map_err(|_| Problem::malformed(field, "not canonical base64"))
}

/// Sends a message.
pub(crate) async fn send(
    State(api): State<Arc<Api>>,
    caller: Caller,
    request: Request,
) -> Result<Response, Problem> {
    let body_limit = api.service.config().max_payload.div_ceil(3) * 4 + BODY_OVERHEAD;
    let body: SendBody = json_body(&api, request, body_limit).await?;
    let sent =
        api.service.send(&caller.principal, body.into_message()?).await.map_err(Problem::from_write_error)?;
    let names = Names::look_up(&api.service, vec![sent.message.sender]).await;
    let status = if sent.repeated { StatusCode::OK } else { StatusCode::CREATED };
    Ok((status, Json(MessageJson::new(&sent.message, &names))).into_response())
}

#[derive(Deserialize)]
pub(crate) struct HistoryQuery {
    before: Option<String>,
    after: Option<String>,
    limit: Option<String>,
}

#[derive(Serialize)]
struct HistoryJson<'a> {
    messages: Vec<MessageJson<'a>>,
    has_more: bool,
}

/// Reads a page of a conversation's messages.
pub(crate) async fn history(
    State(api): State<Arc<Api>>,
    caller: Caller,
    path: Result<Path<String>, PathRejection>,
    history: Result<Query<HistoryQuery>, QueryRejection>,
) -> Result<Response, Problem> {
    let Path(text) = path.map_err(|_| Problem::malformed("conversation_id", "not a UUID"))?;
    let conversation: ConversationId = parse::id("conversation_id", &text)?;
    let history = query(history)?;
    let before = number("before", history.before)?.map(ServerSequence::new);
    let after = number("after", history.after)?.map(ServerSequence::new);
    let range = match (before, after) {
        (None, None) => HistoryRange::Newest,
        (Some(before), None) => HistoryRange::Before(before),
        (None, Some(after)) => HistoryRange::After(after),
        (Some(_), Some(_)) => return Err(Problem::not_acceptable("after", "not together with before")),
    };
    let limit = limit(history.limit)?.unwrap_or(DEFAULT_PAGE);
    let config = api.service.config();
    let cost = answers::cost_of_messages(config, limit.min(config.history_page), config.history_bytes);
    let service = api.service.clone();
    answers::rest_response(&api.answers, caller.principal.user, cost, async move {
        let page = service.history(&caller.principal, conversation, range, limit).await?;
        let names =
            Names::look_up(&service, page.messages.iter().map(|message| message.sender).collect()).await;
        let messages = page.messages.iter().map(|message| MessageJson::new(message, &names)).collect();
        Pieces::json(&HistoryJson { messages, has_more: page.has_more })
    })
    .await
}
