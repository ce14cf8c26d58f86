//! Defects of single kinds of writes.

use std::sync::Mutex;

use async_trait::async_trait;
use dm_core::store::{
    Acknowledge, Acknowledged, Action, Answer, AppendMessage, Done, Expect, ForgetDevice, MemoryStore,
    Outcome, Owner, Party, Principal, RecordKey, Refusal, Store, StoreError, Timestamp, Write,
};

use super::defect::{Defect, defects};

defects! {
    "one_conversation": "each user who opens a conversation gets a separate one" => OnePerOpener,
    "idempotent": "a retry is recognized by its content alone" => ByContent,
    "idempotent": "a retry is recognized by its id alone" => ById,
    "idempotent": "a client id is taken for all senders" => OneForAll,
    "idempotent": "the fence of the peer is checked before the client id" => FenceFirst,
    "acknowledging": "an acknowledgement reaches the user's other devices" => AllDevices,
    "acknowledging": "an entry beyond the head can be acknowledged" => BeyondHead,
    "acknowledging": "a message of other users can be acknowledged" => Anyones,
    "expiry": "expiry ignores the time" => Timeless,
    "devices": "a forgotten device keeps its cursor" => Remembers,
    "devices": "registering again starts over" => StartsOver,
    "devices": "one device more than allowed" => OneMore,
}

#[derive(Default)]
struct OnePerOpener;

impl Defect for OnePerOpener {
    fn outcome(&self, write: &Write, outcome: &mut Outcome) {
        if let (Action::OpenConversation(write), Outcome::Done(done)) = (&write.action, outcome)
            && let Answer::ConversationOpened(conversation) = &mut done.answer
        {
            (conversation.id, done.is_found) = (write.id, false);
        }
    }
}

#[derive(Default)]
struct ByContent(Mutex<Vec<AppendMessage>>);

impl Defect for ByContent {
    fn write(&self, write: &mut Write) {
        let Action::AppendMessage(new) = &mut write.action else { return };
        let mut seen = self.0.lock().unwrap();
        let same = |old: &&AppendMessage| {
            (old.conversation, old.sender.user, old.sent_at, &old.ciphertext)
                == (new.conversation, new.sender.user, new.sent_at, &new.ciphertext)
        };
        match seen.iter().find(same) {
            Some(old) => new.client_id = old.client_id,
            None => seen.push(new.clone()),
        }
    }
}

#[derive(Default)]
struct ById(Mutex<Vec<AppendMessage>>);

impl Defect for ById {
    fn write(&self, write: &mut Write) {
        let Action::AppendMessage(new) = &mut write.action else { return };
        let mut seen = self.0.lock().unwrap();
        let same = |old: &&AppendMessage| {
            new.client_id.is_some() && (old.client_id, old.sender.user) == (new.client_id, new.sender.user)
        };
        match seen.iter().find(same) {
            Some(old) => *new = old.clone(),
            None => seen.push(new.clone()),
        }
    }
}

#[derive(Default)]
struct OneForAll(Mutex<Vec<AppendMessage>>);

impl Defect for OneForAll {
    fn outcome(&self, write: &Write, outcome: &mut Outcome) {
        let Action::AppendMessage(new) = &write.action else { return };
        let mut seen = self.0.lock().unwrap();
        let others = |old: &AppendMessage| {
            new.client_id.is_some() && old.client_id == new.client_id && old.sender.user != new.sender.user
        };
        if seen.iter().any(others) {
            *outcome = Outcome::Refused(Refusal::ClientIdReused);
        }
        seen.push(new.clone());
    }
}

#[derive(Default)]
struct FenceFirst;

impl FenceFirst {
    async fn one(store: &MemoryStore, write: Write) -> Result<Vec<Outcome>, StoreError> {
        if let Action::AppendMessage(append) = &write.action
            && let Some(Expect::Fence { of: Party::Peer, tag }) = write.expects.first()
            && let Some(state) = store.conversation(append.conversation).await?
            && let Some(peer) = state.conversation.participants.peer_of(append.sender.user)
        {
            let fence = store.records(vec![RecordKey::fence(Owner::User(peer))]).await?.remove(0);
            if fence.as_ref().map(|fence| fence.tag) != Some(*tag) {
                let current = fence.map(Into::into);
                return Ok(vec![Outcome::Refused(Refusal::Unmet { which: 0, current })]);
            }
        }
        store.commit(vec![write]).await
    }
}

#[async_trait]
impl Defect for FenceFirst {
    async fn commit(&self, store: &MemoryStore, batch: Vec<Write>) -> Result<Vec<Outcome>, StoreError> {
        let mut outcomes = Vec::new();
        for write in batch {
            outcomes.extend(Self::one(store, write).await?);
        }
        Ok(outcomes)
    }
}

#[derive(Default)]
struct AllDevices;

#[async_trait]
impl Defect for AllDevices {
    async fn commit(&self, store: &MemoryStore, batch: Vec<Write>) -> Result<Vec<Outcome>, StoreError> {
        let outcomes = store.commit(batch.clone()).await?;
        for (write, outcome) in batch.into_iter().zip(&outcomes) {
            let (Action::Acknowledge(Acknowledge { who, target }), Outcome::Done(_)) =
                (write.action, outcome)
            else {
                continue;
            };
            for other in store.devices(who.user).await? {
                let (who, target) = (Principal::new(who.user, other.device), target.clone());
                store.commit(vec![Acknowledge { who, target }.into()]).await?;
            }
        }
        Ok(outcomes)
    }
}

#[derive(Default)]
struct BeyondHead;

impl Defect for BeyondHead {
    fn outcome(&self, _write: &Write, outcome: &mut Outcome) {
        if let Outcome::Refused(Refusal::BeyondHead { head }) = outcome {
            let done = Acknowledged { cursor: *head, acknowledged: 1, unknown: 0 };
            *outcome = Outcome::Done(Done { answer: Answer::Acknowledged(done), ..Done::default() });
        }
    }
}

#[derive(Default)]
struct Anyones;

impl Defect for Anyones {
    fn outcome(&self, _write: &Write, outcome: &mut Outcome) {
        if let Outcome::Done(Done { answer: Answer::Acknowledged(done), .. }) = outcome {
            done.acknowledged += std::mem::take(&mut done.unknown);
        }
    }
}

#[derive(Default)]
struct Timeless;

impl Defect for Timeless {
    fn write(&self, write: &mut Write) {
        if let Action::Expire(write) = &mut write.action {
            write.before = Timestamp::from_millis(u64::MAX);
        }
    }
}

#[derive(Default)]
struct Remembers;

impl Defect for Remembers {
    fn write(&self, write: &mut Write) {
        if let Action::ForgetDevice(ForgetDevice { who }) = &mut write.action {
            who.device = "another".parse().unwrap();
        }
    }

    fn outcome(&self, _write: &Write, outcome: &mut Outcome) {
        if let Outcome::Done(done @ Done { answer: Answer::DeviceForgotten, .. }) = outcome {
            done.is_found = false;
        }
    }
}

#[derive(Default)]
struct StartsOver;

#[async_trait]
impl Defect for StartsOver {
    async fn commit(&self, store: &MemoryStore, batch: Vec<Write>) -> Result<Vec<Outcome>, StoreError> {
        let mut outcomes = Vec::new();
        for write in batch {
            if let Action::RegisterDevice(register) = &write.action {
                let who = register.who.clone();
                store.commit(vec![ForgetDevice { who }.into()]).await?;
            }
            outcomes.extend(store.commit(vec![write]).await?);
        }
        Ok(outcomes)
    }
}

#[derive(Default)]
struct OneMore;

impl Defect for OneMore {
    fn write(&self, write: &mut Write) {
        if let Action::RegisterDevice(write) = &mut write.action {
            write.limit += 1;
        }
    }
}
