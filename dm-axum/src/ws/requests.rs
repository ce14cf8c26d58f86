//! Handles sends and the requests for history and lists on a WebSocket.

use std::sync::Arc;

use axum::body::Bytes;
use dm_core::{Error, HistoryRange, Principal, SendMessage, ServerSequence, Timestamp};
use dm_proto::{
    DmConversationListResponse, DmHistoryRequest, DmHistoryResponse, DmSend, DmSent, Envelope,
    dm_server_frame::Frame,
};

use crate::answers;
use crate::api::Api;
use crate::names::Names;
use crate::parse;
use crate::problem::Problem;
use crate::render;
use crate::rest::conversations::CONVERSATION_COST;
use crate::rest::messages::{DEFAULT_PAGE, key_version};

/// Size in bytes of an answer without its elements, rounded up: a request id of at most 256 bytes,
/// and the field keys and lengths of protobuf.
const ENVELOPE_OVERHEAD: usize = 512;
/// Size in bytes of the field key and the length that protobuf adds to an element, rounded up.
const ELEMENT_OVERHEAD: usize = 8;

/// Stores the message of a send. Returns the answer to the client: a [`DmSent`] or a problem.
pub(super) async fn send(api: Arc<Api>, principal: Principal, request_id: String, send: DmSend) -> Envelope {
    let sent =
        async { api.service.send(&principal, to_message(&send)?).await.map_err(Problem::from_write_error) }
            .await;
    let frame = match sent {
        Ok(sent) => Frame::Sent(DmSent {
            id: sent.message.id.to_string(),
            conversation_id: sent.message.conversation.to_string(),
            server_sequence: sent.message.sequence.get(),
            received_at: sent.message.received_at.as_millis(),
            repeated: sent.repeated,
            position: sent.inbox_seq.get(),
            client_message_id: sent.message.client_id.map(|id| id.to_string()).unwrap_or_default(),
        }),
        Err(problem) => Frame::Problem(problem.to_frame()),
    };
    Envelope::server(request_id, frame)
}

/// Parses the fields of a send into a message to store.
fn to_message(send: &DmSend) -> Result<SendMessage, Problem> {
    let conversation = parse::id("conversation_id", &send.conversation_id)?;
    // The payload is copied because its bytes belong to the frame. Without the copy, the frame
    // would stay in memory for as long as the message.
    let payload = Bytes::copy_from_slice(&send.encrypted_payload);
    let ciphertext = parse::ciphertext(payload, &send.nonce, &send.ephemeral_pubkey, send.suite)?;
    let mut message = SendMessage::new(conversation, ciphertext, Timestamp::from_millis(send.timestamp));
    if !send.client_message_id.is_empty() {
        message.client_id = Some(parse::id("client_message_id", &send.client_message_id)?);
    }
    if send.recipient_key_version != 0 {
        message.recipient_key_version = Some(key_version(send.recipient_key_version)?);
    }
    Ok(message)
}

/// Maximum memory in bytes that a page of history takes while it is being built.
pub(super) fn cost_of_history(api: &Api, request: &DmHistoryRequest) -> usize {
    let config = api.service.config();
    let page_bytes = config.history_bytes.min(api.options.max_message);
    answers::cost_of_messages(config, page_limit(request).min(config.history_page), page_bytes)
}

/// Maximum memory in bytes that a list of conversations takes while it is being built.
pub(super) fn cost_of_conversations(api: &Api) -> usize {
    api.service.config().list_page.saturating_mul(CONVERSATION_COST)
}

/// The maximum number of messages that a request asks for.
fn page_limit(request: &DmHistoryRequest) -> usize {
    match request.limit {
        0 => DEFAULT_PAGE,
        limit => usize::try_from(limit).unwrap_or(usize::MAX),
    }
}

/// Reads a page of a conversation, newest message first. The page fits into a frame of
/// [`Options::max_message`](crate::Options::max_message), unless its first message alone is larger.
pub(super) async fn history(
    api: &Api,
    principal: &Principal,
    request: &DmHistoryRequest,
) -> Result<DmHistoryResponse, Problem> {
    let conversation = parse::id("conversation_id", &request.conversation_id)?;
    let range = match request.before_sequence {
        0 => HistoryRange::Newest,
        before => HistoryRange::Before(ServerSequence::new(before)),
    };
    // `max_bytes` keeps the store from reading messages that do not fit into the frame.
    let max_bytes = api.options.max_message;
    let page =
        api.service.history_within(principal, conversation, range, page_limit(request), max_bytes).await?;
    let names =
        Names::look_up(&api.service, page.messages.iter().map(|message| message.sender).collect()).await;
    let read_count = page.messages.len();
    let messages = take_fitting(api, page.messages.iter().map(|message| render::message(message, &names)));
    let has_more = page.has_more || messages.len() < read_count;
    Ok(DmHistoryResponse { messages, has_more })
}

/// Lists the most recently active conversations: at most
/// [`Config::list_page`](dm_core::Config::list_page), and only as many as fit into one frame. With
/// the default limits, about 700 fit. A client reads older ones over REST, in pages.
pub(super) async fn conversations(
    api: &Api,
    principal: &Principal,
) -> Result<DmConversationListResponse, Error> {
    let page = api.service.conversations(principal, api.service.config().list_page, None).await?;
    let names =
        Names::look_up(&api.service, page.conversations.iter().flat_map(render::participants).collect())
            .await;
    let conversations =
        take_fitting(api, page.conversations.iter().map(|state| render::conversation(state, &names)));
    Ok(DmConversationListResponse { conversations })
}

/// Returns the first elements, as many as fit into one frame. The first element is returned even if
/// it does not fit.
fn take_fitting<T: dm_proto::prost::Message>(api: &Api, elements: impl Iterator<Item = T>) -> Vec<T> {
    let mut remaining_bytes = api.options.max_message.saturating_sub(ENVELOPE_OVERHEAD);
    let mut taken = Vec::new();
    for element in elements {
        let encoded_bytes = element.encoded_len() + ELEMENT_OVERHEAD;
        if encoded_bytes > remaining_bytes && !taken.is_empty() {
            break;
        }
        remaining_bytes = remaining_bytes.saturating_sub(encoded_bytes);
        taken.push(element);
    }
    taken
}
