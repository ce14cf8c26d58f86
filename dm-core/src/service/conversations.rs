//! Calls of [`Service`] that open, look up and list conversations.

use super::handle::{Service, outcome_mismatch};
use crate::conversation::{Conversation, ConversationCursor, ConversationState};
use crate::device::Principal;
use crate::error::Error;
use crate::ids::ConversationId;
use crate::participants::Participants;
use crate::store::{Answer, ConversationOrder, ConversationsQuery, OpenConversation};
use crate::user::UserId;

/// The answer to [`Service::open_conversation`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Opened {
    /// The conversation of the pair.
    pub conversation: Conversation,
    /// Whether this call opened it; false if the pair had a conversation before.
    pub created: bool,
}

/// A page of a user's conversations.
#[derive(Clone, Debug)]
pub struct ConversationPage {
    /// The conversations, most recently active first, those without messages last.
    pub conversations: Vec<ConversationState>,
    /// The cursor of the next page; `None` if this page is the last.
    pub next: Option<ConversationCursor>,
}

impl Service {
    /// Opens the conversation of the caller and a peer, or returns the one that they have. A pair
    /// of users has one conversation, whichever of the two opens it. A new conversation adds a
    /// notice to both inboxes.
    ///
    /// # Errors
    /// [`Error::Invalid`] if the peer is the caller; [`Error::NotFound`] for a peer that the
    /// [`Directory`](crate::Directory) does not know; [`Error::NotAllowed`] if a gate refuses it.
    pub async fn open_conversation(&self, who: &Principal, peer: UserId) -> Result<Opened, Error> {
        let participants = Participants::new(who.user, peer)?;
        let known = self.profiles(vec![peer]).await?;
        if !matches!(known.as_slice(), [Some(_)]) {
            return Err(Error::NotFound);
        }
        let at = self.now();
        let id = self.new_id(at).into();
        let write = OpenConversation { id, participants, opener: who.clone(), at };
        let done = self.submit(write.into()).await?;
        let Answer::ConversationOpened(conversation) = done.answer else { return Err(outcome_mismatch()) };
        Ok(Opened { conversation, created: !done.is_found })
    }

    /// A conversation of the caller, with the number and time of its newest message.
    ///
    /// # Errors
    /// [`Error::NotFound`] when the conversation does not exist or the caller is not in it.
    pub async fn conversation(
        &self,
        who: &Principal,
        id: ConversationId,
    ) -> Result<ConversationState, Error> {
        let state = self.store().conversation(id).await?.ok_or(Error::NotFound)?;
        state.conversation.participants.side(who.user).ok_or(Error::NotFound)?;
        Ok(state)
    }

    /// A page of the caller's conversations: at most `limit` of them, and at most
    /// [`Config::list_page`](crate::Config::list_page). It starts after the cursor
    /// [`next`](ConversationPage::next) of an earlier page, or at the top of the list.
    ///
    /// # Errors
    /// Only the errors common to all calls; see [`Service`].
    pub async fn conversations(
        &self,
        who: &Principal,
        limit: usize,
        after: Option<ConversationCursor>,
    ) -> Result<ConversationPage, Error> {
        let limit = limit.clamp(1, self.config().list_page);
        let query = ConversationsQuery {
            user: who.user,
            order: ConversationOrder::Active { after },
            kinds: Vec::new(),
            limit: limit.saturating_add(1),
        };
        let listed = self.store().conversations(query).await?;
        let mut conversations: Vec<_> = listed.into_iter().map(|listed| listed.state).collect();
        let has_more = conversations.len() > limit;
        conversations.truncate(limit);
        let next = conversations.last().filter(|_| has_more).map(ConversationState::cursor);
        Ok(ConversationPage { conversations, next })
    }
}
