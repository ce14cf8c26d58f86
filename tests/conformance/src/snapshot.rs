//! The answers of all reads, to compare two states.

use std::sync::Arc;

use dm_core::store::{
    ConversationState, CursorProof, Depth, DeviceState, InboxEntry, InboxSeq, Kind, Message, Name, Owner,
    Prefix, Principal, Record, RecordKey, Revision, Revisions, Scan, ScanQuery,
};

use crate::build::{conversation, kind, user, who};
use crate::{Harness, World};

/// The answers of the reads about the first users and conversations.
#[derive(Debug, PartialEq, Eq)]
pub struct Snapshot {
    users: Vec<User>,
    conversations: Vec<Option<(ConversationState, Vec<Arc<Message>>)>>,
    fences: Vec<Option<Record>>,
    records: Vec<Record>,
}

#[derive(Debug, PartialEq, Eq)]
struct User {
    list: Vec<ConversationState>,
    entries: Vec<InboxEntry>,
    head: InboxSeq,
    floor: InboxSeq,
    floor_proof: Option<CursorProof>,
    synced: Vec<Record>,
    revisions: Revisions,
    devices: Vec<(DeviceState, Vec<u64>, Depth)>,
}

impl<H: Harness> World<H> {
    /// Reads all data about users 0 to 9 and conversations 0 to 19. Of records it reads the fences,
    /// the synced ones of users 0 to 9, and those of the kind [`kind`] that belong to users 0 to 9, to
    /// conversations 0 to 3 or to the store.
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
        let fences = (0..10).map(|n| Owner::User(user(n)));
        let fences = fences.chain((0..20).map(|n| Owner::Conversation(conversation(n))));
        let fences = self.records(fences.map(RecordKey::fence).collect()).await;
        let owners = (0..10).map(|n| Owner::User(user(n)));
        let owners = owners.chain((0..4).map(|n| Owner::Conversation(conversation(n))));
        let mut records = Vec::new();
        for owner in owners.chain([Owner::Store]) {
            records.extend(self.records_of(owner, kind()).await);
        }
        Snapshot { users, conversations, fences, records }
    }

    async fn records_of(&self, owner: Owner, kind: Kind) -> Vec<Record> {
        let prefix = Prefix { owner, kind, name: Name::EMPTY };
        let scan = Scan::Under { prefix, after: None };
        self.scan(ScanQuery { scan, limit: 10_000, max_bytes: usize::MAX }).await.records
    }

    async fn user_snapshot(&self, n: u64) -> User {
        let page = self.inbox(&who(n)).await;
        let scan = Scan::Since { user: user(n), revision: Revision::ZERO };
        let synced = self.scan(ScanQuery { scan, limit: 10_000, max_bytes: usize::MAX }).await;
        let mut devices = Vec::new();
        for state in self.devices(n).await {
            let who = Principal::new(user(n), state.device.clone());
            devices.push((state, self.pending(&who).await, self.depth(&who).await));
        }
        User {
            list: self.list(n, None, 1_000).await,
            entries: page.entries,
            head: page.head,
            floor: page.floor,
            floor_proof: page.floor_proof,
            synced: synced.records,
            revisions: synced.revisions,
            devices,
        }
    }
}
