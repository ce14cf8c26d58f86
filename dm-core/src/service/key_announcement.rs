//! The job that tells a user's peers of the user's new key.

use bytes::Bytes;

use super::claim::{ClaimedJob, Next};
use super::handle::Service;
use crate::error::Error;
use crate::ids::ConversationId;
use crate::inbox::Notice;
use crate::invalid::Invalid;
use crate::job::JobState;
use crate::record::Owner;
use crate::store::{ConversationOrder, ConversationsQuery, Post};

/// Tells the next peers, at most [`Config::announce_step`](crate::Config::announce_step).
///
/// The peers are those of the user's conversations in the order of opening, which never changes: a
/// peer that has a conversation with the user at the time of the publication gets exactly one
/// notice. Publishing another key replaces the record of the job, so the posts of a step always have
/// the user's current key.
pub(super) async fn step(service: &Service, job: &mut ClaimedJob) -> Result<Next, Error> {
    let Owner::User(user) = job.key.owner else {
        return Err(Invalid::new("owner", "an announcement that is not a user's").into());
    };
    let after = match &*job.state.progress {
        [] => None,
        id => Some(ConversationId::from_bytes(
            id.try_into().map_err(|_| Invalid::new("job", "not the id of a conversation"))?,
        )),
    };
    let Some(key) = service.published_key(user).await? else {
        // The key was removed, and the job was not.
        return service.progress(job, None, Vec::new()).await;
    };
    let limit = service.config().announce_step;
    let query = ConversationsQuery {
        user,
        order: ConversationOrder::Opened { after },
        kinds: Vec::new(),
        limit: limit.saturating_add(1),
    };
    let mut conversations = service.store().conversations(query).await?;
    let has_more = conversations.len() > limit;
    conversations.truncate(limit);
    let last = conversations.last().map(|listed| listed.state.conversation.id).filter(|_| has_more);
    let at = service.now();
    let posts = conversations
        .iter()
        .filter_map(|listed| listed.state.conversation.participants.peer_of(user))
        .map(|peer| Post { to: peer, addressee: None, origin: None, at, notice: Notice::PeerKeyChanged(key) })
        .collect();
    let progress = last.map(|id| JobState::new(Bytes::copy_from_slice(id.as_bytes())));
    service.progress(job, progress, posts).await
}
