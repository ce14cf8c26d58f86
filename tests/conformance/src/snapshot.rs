//! The answers of all reads, to compare two states.

use std::sync::Arc;

use dm_core::store::{
    ConversationState, Depth, DeviceState, InboxEntry, InboxSeq, KeyRecord, Message, Principal,
};

use crate::build::{conversation, user, who};
use crate::{Harness, World};

/// The answers of the reads about the first users and conversations.
#[derive(Debug, PartialEq, Eq)]
pub struct Snapshot {
    users: Vec<User>,
    conversations: Vec<Option<(ConversationState, Vec<Arc<Message>>)>>,
}

#[derive(Debug, PartialEq, Eq)]
struct User {
    key: Option<KeyRecord>,
    list: Vec<ConversationState>,
    entries: Vec<InboxEntry>,
    head: InboxSeq,
    floor: InboxSeq,
    devices: Vec<(DeviceState, Vec<u64>, Depth)>,
}

impl<H: Harness> World<H> {
    /// Reads all data about users 0 to 9 and conversations 0 to 19.
    pub async fn snapshot(&self) -> Snapshot {
        let mut users = Vec::new();
        for n in 0..10 {
            users.push(self.user_snapshot(n).await);
        }
        let mut conversations = Vec::new();
        for n in 0..20 {
            let Some(state) = self.state(n).await else {
                conversations.push(None);
                continue;
            };
            let reader = state.conversation.participants.a();
            let page = self.history(reader, conversation(n)).await.expect("a participant reads it");
            conversations.push(Some((state, page.messages)));
        }
        Snapshot { users, conversations }
    }

    async fn user_snapshot(&self, n: u64) -> User {
        let page = self.inbox(&who(n)).await;
        let mut devices = Vec::new();
        for state in self.devices(n).await {
            let who = Principal::new(user(n), state.device.clone());
            devices.push((state, self.pending(&who).await, self.depth(&who).await));
        }
        User {
            key: self.key(n).await,
            list: self.list(n, None, 1_000).await,
            entries: page.entries,
            head: page.head,
            floor: page.floor,
            devices,
        }
    }
}
