//! Plain mistakes, each of which the case about it must catch.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use dm_core::store::{
    AckTarget, Acknowledge, Action, Answer, AppendMessage, Conversation, ConversationState, Counts, Done,
    InboxSeq, ListedConversation, MemoryStore, MessageId, Outcome, Principal, ServerSequence, Store,
    StoreError, UserId, Write,
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
            if let (Action::AppendMessage(write), Outcome::Done(done)) = (write.action, outcome)
                && done.is_found
            {
                let unused = u128::MAX - u128::from(self.0.fetch_add(1, Ordering::SeqCst));
                let id = MessageId::from_bytes(unused.to_be_bytes());
                let filler = AppendMessage { id, client_id: None, ..write };
                store.commit(vec![filler.into()]).await?;
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
            let sender = match &write.action {
                Action::AppendMessage(write) => Some(write.sender.user),
                _ => None,
            };
            let mut done = store.commit(vec![write]).await?;
            if let (Some(sender), [Outcome::Done(done)]) = (sender, &mut done[..])
                && let Answer::MessageAppended(answer) = &mut done.answer
            {
                let (_, floor) = extent(store, sender).await?;
                if answer.sender_seq == floor.next() {
                    answer.sender_seq = InboxSeq::ZERO.next();
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
        if let (Action::OpenConversation(write), Outcome::Done(done)) = (&write.action, outcome)
            && let Answer::ConversationOpened(conversation) = &mut done.answer
        {
            let mut first = self.0.lock().unwrap();
            let first = first.entry(write.opener.user).or_insert_with(|| *conversation);
            done.is_found |= first.id != conversation.id;
            *conversation = *first;
        }
    }
}

#[derive(Default)]
struct NextNumber;

impl Defect for NextNumber {
    fn outcome(&self, _write: &Write, outcome: &mut Outcome) {
        if let Outcome::Done(done) = outcome
            && done.is_found
            && let Answer::MessageAppended(answer) = &mut done.answer
        {
            let message = Arc::make_mut(&mut answer.message);
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
            if let (Action::AppendMessage(write), Outcome::Done(done)) = (&write.action, outcome)
                && !first.insert((write.sender.user, write.client_id))
                && done.is_found
                && let Answer::MessageAppended(answer) = &mut done.answer
            {
                Arc::make_mut(&mut answer.message).id = write.id;
            }
        }
        Ok(outcomes)
    }
}

#[derive(Default)]
struct PerDevice;

impl Defect for PerDevice {
    fn write(&self, write: &mut Write) {
        if let Action::AppendMessage(write) = &mut write.action
            && !write.sender.device.is_default()
        {
            write.client_id = None;
        }
    }
}

#[derive(Default)]
struct OwnStops(Mutex<HashMap<Principal, InboxSeq>>);

impl Defect for OwnStops {
    fn outcome(&self, write: &Write, outcome: &mut Outcome) {
        if let (Action::Acknowledge(Acknowledge { who, target }), Outcome::Done(done)) =
            (&write.action, outcome)
            && let Answer::Acknowledged(done) = &mut done.answer
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
        if let Outcome::Done(Done {
            answer: Answer::ConversationOpened(conversation), is_found: false, ..
        }) = outcome
        {
            self.0.lock().unwrap().push(*conversation);
        }
    }

    fn list_page(&self, page: &mut Vec<ListedConversation>) {
        for conversation in self.0.lock().unwrap().iter() {
            if page.iter().all(|listed| listed.state.conversation.id != conversation.id) {
                let (conversation, head) = (*conversation, ServerSequence::ZERO);
                let (last_activity, counts) = (None, Counts::default());
                let state = ConversationState { conversation, head, last_activity, counts };
                page.push(ListedConversation { state, records: Vec::new() });
            }
        }
    }
}

#[derive(Default)]
struct StartsAtOne;

impl Defect for StartsAtOne {
    fn outcome(&self, _write: &Write, outcome: &mut Outcome) {
        if let Outcome::Done(Done { answer: Answer::DeviceRegistered(device), .. }) = outcome {
            device.cursor = device.cursor.max(InboxSeq::ZERO.next());
        }
    }
}
