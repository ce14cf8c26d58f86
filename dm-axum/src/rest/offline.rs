//! Fetches and acknowledges pending messages: `GET /api/dm/offline`, `POST /api/dm/offline/ack`.

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, Request, State};
use axum::response::Response;
use dm_core::{AckTarget, Gap, InboxSeq, MessageId, PendingKind, PendingQuery};
use serde::{Deserialize, Serialize};

use super::BODY_OVERHEAD;
use super::messages::MessageJson;
use crate::answers::{self, Pieces};
use crate::api::Api;
use crate::caller::Caller;
use crate::extract::{BodyFields, json_body, limit, number, query};
use crate::names::Names;
use crate::parse;
use crate::problem::Problem;

/// Maximum size in bytes of an id in a JSON array, with quotes, a comma and an indent.
const ID_BYTES: usize = 64;

#[derive(Deserialize)]
pub(crate) struct FetchQuery {
    limit: Option<String>,
    after: Option<String>,
    include_sent: Option<String>,
}

#[derive(Serialize)]
struct OfflineJson<'a> {
    messages: Vec<MessageJson<'a>>,
    has_more: bool,
    next: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    gap: Option<GapJson>,
}

/// A range of inbox positions whose entries were removed from the inbox. The history of the
/// conversations may still have their messages.
#[derive(Serialize)]
struct GapJson {
    from: u64,
    to: u64,
    reason: String,
}

impl From<Gap> for GapJson {
    fn from(gap: Gap) -> Self {
        Self { from: gap.from.get(), to: gap.to.get(), reason: gap.reason.to_string() }
    }
}

/// Fetches the pending messages of the caller's device.
///
/// With a `limit`, an answer can have fewer messages than the limit, even none, although more
/// messages are pending: the service stops after it has walked a maximum number of inbox entries,
/// and not every entry is a pending message. The next request then repeats the value of `next` as
/// `after`. Without a `limit`, the answer has as many messages as the service allows, because seed
/// clients request once and do not read `next`.
pub(crate) async fn fetch(
    State(api): State<Arc<Api>>,
    caller: Caller,
    fetch: Result<Query<FetchQuery>, QueryRejection>,
) -> Result<Response, Problem> {
    let fetch = query(fetch)?;
    let kind = match fetch.include_sent.as_deref() {
        None | Some("false") => PendingKind::Received,
        Some("true") => PendingKind::ReceivedAndSent,
        Some(_) => return Err(Problem::malformed("include_sent", "neither true nor false")),
    };
    let after = number("after", fetch.after)?.map(InboxSeq::new);
    let pending_query = PendingQuery { after, limit: limit(fetch.limit)?, kind };
    let config = api.service.config();
    let max_messages =
        pending_query.limit.map_or(config.pending_page, |limit| limit.min(config.pending_page));
    let cost = answers::cost_of_messages(config, max_messages, config.pending_bytes);
    let service = api.service.clone();
    answers::rest_response(&api.answers, caller.principal.user, cost, async move {
        let pending = service.pending(&caller.principal, pending_query).await?;
        let messages = || pending.entries.iter().filter_map(|entry| entry.message());
        let names = Names::look_up(&service, messages().map(|message| message.sender).collect()).await;
        Pieces::json(&OfflineJson {
            messages: messages().map(|message| MessageJson::new(message, &names)).collect(),
            has_more: pending.next.is_some(),
            next: pending.next.map(InboxSeq::get),
            gap: pending.gap.map(GapJson::from),
        })
    })
    .await
}

#[derive(Deserialize)]
struct AckBody {
    message_ids: Option<Vec<String>>,
    up_to: Option<u64>,
}

impl BodyFields for AckBody {
    const FIELDS: &'static [&'static str] = &["message_ids", "up_to"];
}

#[derive(Serialize)]
pub(crate) struct AcknowledgedJson {
    acknowledged: u64,
    unknown: u64,
    remaining: u64,
}

/// Acknowledges a position, messages or both, for the caller's device.
pub(crate) async fn acknowledge(
    State(api): State<Arc<Api>>,
    caller: Caller,
    request: Request,
) -> Result<Json<AcknowledgedJson>, Problem> {
    let config = api.service.config();
    // The service accepts as many ids in one acknowledgement as the larger of these two limits.
    let body_limit = config.list_page.max(config.pending_page) * ID_BYTES + BODY_OVERHEAD;
    let body: AckBody = json_body(&api, request, body_limit).await?;
    // All ids are parsed before the first entry is acknowledged, so that a request with a malformed
    // id acknowledges nothing.
    let ids = body.message_ids.map(|ids| {
        ids.iter().map(|id| parse::id("message_ids", id)).collect::<Result<Vec<MessageId>, Problem>>()
    });
    let targets = [
        body.up_to.map(|up_to| AckTarget::UpTo(InboxSeq::new(up_to))),
        ids.transpose()?.map(AckTarget::Messages),
    ];
    if targets.iter().all(Option::is_none) {
        return Err(Problem::malformed("message_ids", "missing"));
    }
    let (mut acknowledged, mut unknown) = (0, 0);
    for target in targets.into_iter().flatten() {
        let done =
            api.service.acknowledge(&caller.principal, target).await.map_err(Problem::from_write_error)?;
        acknowledged += done.acknowledged;
        unknown += done.unknown;
    }
    let remaining = api.service.depth(&caller.principal).await?.messages;
    Ok(Json(AcknowledgedJson { acknowledged, unknown, remaining }))
}
