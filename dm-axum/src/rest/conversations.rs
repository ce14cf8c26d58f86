//! Opens and lists conversations: `POST /api/dm/conversations`, `GET /api/dm/conversations`.

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, Request, State};
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use dm_core::{ConversationCursor, ConversationState, Counts, ServerSequence, Timestamp};
use serde::{Deserialize, Serialize};

use super::BODY_OVERHEAD;
use crate::answers::{self, Pieces};
use crate::api::Api;
use crate::caller::Caller;
use crate::extract::{BodyFields, json_body, limit, query, required};
use crate::names::Names;
use crate::parse;
use crate::problem::{Kind, Problem};
use crate::render;

/// Maximum memory in bytes that one conversation takes while a list is being built: its JSON and
/// the value from the store. The JSON is longest with two display names of 128 characters that are
/// all escaped.
pub(crate) const CONVERSATION_COST: usize = 2 * 1024 + 256;

/// The header with the cursor of the next page in an answer to a request without a limit. The body
/// of such an answer is an array, which has no member for the cursor.
const NEXT: HeaderName = HeaderName::from_static("dm-next");

#[derive(Serialize)]
struct ConversationJson {
    id: String,
    participant_a_pubkey: String,
    participant_b_pubkey: String,
    participant_a_display_name: String,
    participant_b_display_name: String,
    created_at: u64,
    last_message_at: Option<u64>,
}

impl ConversationJson {
    fn new(state: &ConversationState, names: &Names) -> Self {
        let participants = state.conversation.participants;
        Self {
            id: state.conversation.id.to_string(),
            participant_a_pubkey: participants.a().to_string(),
            participant_b_pubkey: participants.b().to_string(),
            participant_a_display_name: names.display_name(participants.a()).to_owned(),
            participant_b_display_name: names.display_name(participants.b()).to_owned(),
            created_at: state.conversation.opened_at.as_millis(),
            last_message_at: state.last_activity.map(Timestamp::as_millis),
        }
    }
}

#[derive(Deserialize)]
struct OpenBody {
    recipient_pubkey: Option<String>,
}

impl BodyFields for OpenBody {
    const FIELDS: &'static [&'static str] = &["recipient_pubkey"];
}

/// Opens the conversation with a user, or returns the one that exists.
pub(crate) async fn open(
    State(api): State<Arc<Api>>,
    caller: Caller,
    request: Request,
) -> Result<Response, Problem> {
    let body: OpenBody = json_body(&api, request, BODY_OVERHEAD).await?;
    let recipient = parse::user("recipient_pubkey", &required("recipient_pubkey", body.recipient_pubkey)?)?;
    if recipient == caller.principal.user {
        // The value is well-formed. The status is 400 and not 422, because the first version of the
        // protocol answers with 400.
        return Err(
            Problem::new(Kind::Malformed, "a conversation with oneself").with_field("recipient_pubkey")
        );
    }
    let opened = api
        .service
        .open_conversation(&caller.principal, recipient)
        .await
        .map_err(Problem::from_write_error)?;
    let (status, state) = if opened.created {
        let conversation = opened.conversation;
        let (head, counts) = (ServerSequence::ZERO, Counts::default());
        (StatusCode::CREATED, ConversationState { conversation, head, last_activity: None, counts })
    } else {
        (StatusCode::OK, api.service.conversation(&caller.principal, opened.conversation.id).await?)
    };
    let names = Names::look_up(&api.service, render::participants(&state).to_vec()).await;
    Ok((status, Json(ConversationJson::new(&state, &names))).into_response())
}

#[derive(Deserialize)]
pub(crate) struct ListQuery {
    limit: Option<String>,
    cursor: Option<String>,
}

/// The answer to a list request with a limit.
#[derive(Serialize)]
struct ListPageJson {
    conversations: Vec<ConversationJson>,
    next: Option<String>,
}

/// Lists the caller's conversations. Without a limit the answer is an array, as seed clients
/// expect. With a limit it is an object.
pub(crate) async fn list(
    State(api): State<Arc<Api>>,
    caller: Caller,
    list: Result<Query<ListQuery>, QueryRejection>,
) -> Result<Response, Problem> {
    let list = query(list)?;
    let limit = limit(list.limit)?;
    let cursor: Option<ConversationCursor> = list
        .cursor
        .map(|text| text.parse())
        .transpose()
        .map_err(|_| Problem::malformed("cursor", "not a cursor of this list"))?;
    let max_count = limit.unwrap_or(api.service.config().list_page);
    let cost = max_count.min(api.service.config().list_page).saturating_mul(CONVERSATION_COST);
    let service = api.service.clone();
    answers::rest_response(&api.answers, caller.principal.user, cost, async move {
        let page = service.conversations(&caller.principal, max_count, cursor).await?;
        let names =
            Names::look_up(&service, page.conversations.iter().flat_map(render::participants).collect())
                .await;
        let conversations =
            page.conversations.iter().map(|state| ConversationJson::new(state, &names)).collect::<Vec<_>>();
        let next = page.next.map(|next| next.to_string());
        if limit.is_some() {
            return Pieces::json(&ListPageJson { conversations, next });
        }
        // A cursor consists of hexadecimal digits, so it is a valid header value.
        let next = next.and_then(|next| HeaderValue::try_from(next).ok());
        Ok(Pieces::json(&conversations)?.with_header(NEXT, next))
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cost_covers_the_longest_conversation_and_is_not_much_larger() {
        // Each character takes six bytes of JSON.
        let name = || "\u{1}".repeat(128);
        let longest = ConversationJson {
            id: "0".repeat(36),
            participant_a_pubkey: "0".repeat(64),
            participant_b_pubkey: "0".repeat(64),
            participant_a_display_name: name(),
            participant_b_display_name: name(),
            created_at: u64::MAX,
            last_message_at: Some(u64::MAX),
        };
        let bytes = Pieces::json(&longest).unwrap().len() + size_of::<ConversationState>();
        assert!((bytes..2 * bytes).contains(&CONVERSATION_COST), "{bytes} of {CONVERSATION_COST}");
    }
}
