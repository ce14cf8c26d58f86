//! Plain mistakes, each of which the case about it must catch.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use dm_core::store::{
    AckTarget, Acknowledge, AppendMessage, Conversation, ConversationState, InboxSeq, KeyVersion,
    MemoryStore, MessageId, Outcome, Principal, PublishKey, ServerSequence, Store, StoreError, UserId, Write,
    X25519Key,
};

use super::corners::extent;
use super::defect::{Defect, defects};

defects! {
    "dense": "a repeat takes a number" => CountsRepeats,
    "never_reused": "numbers restart in the sender's inbox after all entries expired" => CountsHeld,
    "one_conversation": "all conversations of a user are the first one" => OneForEach,
    "idempotent": "a repeat is answered with the next number" => NextNumber,
    "idempotent": "a repeat in one batch is answered with its own id" => OwnId,
    "idempotent": "a client id is known to its device only" => PerDevice,
    "stale_key": "the first version stays the current one" => FirstVersion,
    "stale_key": "a send without a version is taken for one with the first" => NoneIsFirst,
    "stale_key": "publishing the same key again makes another version" => StoredAnew,
    "acknowledging": "an own entry stops the cursor" => OwnStops,
    "foreign": "a list has conversations of others" => ListsAll,
    "devices": "a device starts at one at least" => StartsAtOne,
}

#[derive(Default)]
struct CountsRepeats(AtomicU64);

#[async_trait]
impl Defect for CountsRepeats {
    async fn commit(&self, store: &MemoryStore, batch: Vec<Write>) -> Result<Vec<Outcome>, StoreError> {
        let outcomes = store.commit(batch.clone()).await?;
        for (write, outcome) in batch.into_iter().zip(&outcomes) {
            if let (Write::AppendMessage(write), Outcome::MessageAppended(done)) = (write, outcome)
                && done.repeated
            {
                let unused = u128::MAX - u128::from(self.0.fetch_add(1, Ordering::SeqCst));
                let id = MessageId::from_bytes(unused.to_be_bytes());
                let filler = AppendMessage { id, client_id: None, recipient_key_version: None, ..write };
                store.commit(vec![Write::AppendMessage(filler)]).await?;
            }
        }
        Ok(outcomes)
    }
}

#[derive(Default)]
struct CountsHeld;

#[async_trait]
impl Defect for CountsHeld {
    async fn commit(&self, store: &MemoryStore, batch: Vec<Write>) -> Result<Vec<Outcome>, StoreError> {
        let mut outcomes = Vec::new();
        for write in batch {
            let sender = match &write {
                Write::AppendMessage(write) => Some(write.sender.user),
                _ => None,
            };
            let mut done = store.commit(vec![write]).await?;
            if let (Some(sender), [Outcome::MessageAppended(done)]) = (sender, &mut done[..]) {
                let (_, floor) = extent(store, sender).await?;
                if done.sender_seq == floor.next() {
                    done.sender_seq = InboxSeq::ZERO.next();
                }
            }
            outcomes.append(&mut done);
        }
        Ok(outcomes)
    }
}

#[derive(Default)]
struct OneForEach(Mutex<HashMap<UserId, Conversation>>);

impl Defect for OneForEach {
    fn outcome(&self, write: &Write, outcome: &mut Outcome) {
        if let (Write::OpenConversation(write), Outcome::ConversationOpened { conversation, created, .. }) =
            (write, outcome)
        {
            let mut first = self.0.lock().unwrap();
            let first = first.entry(write.opener.user).or_insert_with(|| *conversation);
            *created &= first.id == conversation.id;
            *conversation = *first;
        }
    }
}

#[derive(Default)]
struct NextNumber;

impl Defect for NextNumber {
    fn outcome(&self, _write: &Write, outcome: &mut Outcome) {
        if let Outcome::MessageAppended(done) = outcome
            && done.repeated
        {
            let message = Arc::make_mut(&mut done.message);
            message.sequence = message.sequence.next();
        }
    }
}

#[derive(Default)]
struct OwnId;

#[async_trait]
impl Defect for OwnId {
    async fn commit(&self, store: &MemoryStore, batch: Vec<Write>) -> Result<Vec<Outcome>, StoreError> {
        let mut outcomes = store.commit(batch.clone()).await?;
        let mut first = HashSet::new();
        for (write, outcome) in batch.iter().zip(&mut outcomes) {
            if let (Write::AppendMessage(write), Outcome::MessageAppended(done)) = (write, outcome)
                && !first.insert((write.sender.user, write.client_id))
                && done.repeated
            {
                Arc::make_mut(&mut done.message).id = write.id;
            }
        }
        Ok(outcomes)
    }
}

#[derive(Default)]
struct PerDevice;

impl Defect for PerDevice {
    fn write(&self, write: &mut Write) {
        if let Write::AppendMessage(write) = write
            && !write.sender.device.is_default()
        {
            write.client_id = None;
        }
    }
}

#[derive(Default)]
struct FirstVersion;

impl Defect for FirstVersion {
    fn write(&self, write: &mut Write) {
        if let Write::AppendMessage(AppendMessage { recipient_key_version: Some(named), .. }) = write
            && *named > KeyVersion::FIRST
        {
            // The write is refused, as if the first version were the current one.
            *named = named.next();
        }
    }
}

#[derive(Default)]
struct NoneIsFirst;

impl Defect for NoneIsFirst {
    fn write(&self, write: &mut Write) {
        if let Write::AppendMessage(AppendMessage { recipient_key_version: named @ None, .. }) = write {
            *named = Some(KeyVersion::FIRST);
        }
    }
}

#[derive(Default)]
struct StoredAnew;

#[async_trait]
impl Defect for StoredAnew {
    async fn commit(&self, store: &MemoryStore, batch: Vec<Write>) -> Result<Vec<Outcome>, StoreError> {
        let mut outcomes = Vec::new();
        for write in batch {
            if let Write::PublishKey(publish) = &write
                && store.key(publish.user).await?.is_some_and(|current| current.key == publish.key)
            {
                let between = PublishKey { key: X25519Key::from_stored([0xbe; 32]), ..publish.clone() };
                store.commit(vec![Write::PublishKey(between)]).await?;
            }
            outcomes.extend(store.commit(vec![write]).await?);
        }
        Ok(outcomes)
    }
}

#[derive(Default)]
struct OwnStops(Mutex<HashMap<Principal, InboxSeq>>);

impl Defect for OwnStops {
    fn outcome(&self, write: &Write, outcome: &mut Outcome) {
        if let (Write::Acknowledge(Acknowledge { who, target }), Outcome::Acknowledged(done)) =
            (write, outcome)
        {
            let mut cursors = self.0.lock().unwrap();
            let before = cursors.entry(who.clone()).or_default();
            if let AckTarget::Entries(named) = target
                && done.cursor.get() - before.get() > named.len() as u64
            {
                done.cursor = *before;
            }
            *before = done.cursor;
        }
    }
}

#[derive(Default)]
struct ListsAll(Mutex<Vec<Conversation>>);

impl Defect for ListsAll {
    fn outcome(&self, _write: &Write, outcome: &mut Outcome) {
        if let Outcome::ConversationOpened { conversation, created: true, .. } = outcome {
            self.0.lock().unwrap().push(*conversation);
        }
    }

    fn list_page(&self, page: &mut Vec<ConversationState>) {
        for conversation in self.0.lock().unwrap().iter() {
            if page.iter().all(|state| state.conversation.id != conversation.id) {
                let (conversation, head) = (*conversation, ServerSequence::ZERO);
                page.push(ConversationState { conversation, head, last_activity: None });
            }
        }
    }
}

#[derive(Default)]
struct StartsAtOne;

impl Defect for StartsAtOne {
    fn outcome(&self, _write: &Write, outcome: &mut Outcome) {
        if let Outcome::DeviceRegistered { cursor } = outcome {
            *cursor = (*cursor).max(InboxSeq::ZERO.next());
        }
    }
}
