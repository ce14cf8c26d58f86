//! Defects of single kinds of writes.

use std::sync::Mutex;

use async_trait::async_trait;
use dm_core::store::{
    Acknowledge, Acknowledged, AppendMessage, ForgetDevice, MemoryStore, Outcome, Principal, Refusal, Store,
    StoreError, Timestamp, Write,
};

use super::defect::{Defect, defects};

defects! {
    "one_conversation": "each user who opens a conversation gets a separate one" => OnePerOpener,
    "idempotent": "a retry is recognized by its content alone" => ByContent,
    "idempotent": "a retry is recognized by its id alone" => ById,
    "idempotent": "a client id is taken for all senders" => OneForAll,
    "idempotent": "the key version is checked before the client id" => VersionFirst,
    "stale_key": "the key version is not checked" => AnyVersion,
    "acknowledging": "an acknowledgement reaches the user's other devices" => AllDevices,
    "acknowledging": "an entry beyond the head can be acknowledged" => BeyondHead,
    "acknowledging": "a message of other users can be acknowledged" => Anyones,
    "expiry": "expiry ignores the time" => Timeless,
    "keys": "the same key again is a new version" => AlwaysNew,
    "announcements": "peers are told of a key twice" => Twice,
    "devices": "a forgotten device keeps its cursor" => Remembers,
    "devices": "registering again starts over" => StartsOver,
    "devices": "one device more than allowed" => OneMore,
}

#[derive(Default)]
struct OnePerOpener;

impl Defect for OnePerOpener {
    fn outcome(&self, write: &Write, outcome: &mut Outcome) {
        if let (Write::OpenConversation(write), Outcome::ConversationOpened { conversation, created, .. }) =
            (write, outcome)
        {
            (conversation.id, *created) = (write.id, true);
        }
    }
}

#[derive(Default)]
struct ByContent(Mutex<Vec<AppendMessage>>);

impl Defect for ByContent {
    fn write(&self, write: &mut Write) {
        let Write::AppendMessage(new) = write else { return };
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
        let Write::AppendMessage(new) = write else { return };
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
        let Write::AppendMessage(new) = write else { return };
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
struct VersionFirst;

impl VersionFirst {
    async fn one(store: &MemoryStore, write: Write) -> Result<Vec<Outcome>, StoreError> {
        if let Write::AppendMessage(AppendMessage { conversation, sender, recipient_key_version, .. }) =
            &write
            && let Some(state) = store.conversation(*conversation).await?
            && let Some(recipient) = state.conversation.participants.peer_of(sender.user)
        {
            let current = store.key(recipient).await?;
            if recipient_key_version.is_some() && current.map(|key| key.version) != *recipient_key_version {
                return Ok(vec![Outcome::Refused(Refusal::StaleKey { current })]);
            }
        }
        store.commit(vec![write]).await
    }
}

#[async_trait]
impl Defect for VersionFirst {
    async fn commit(&self, store: &MemoryStore, batch: Vec<Write>) -> Result<Vec<Outcome>, StoreError> {
        let mut outcomes = Vec::new();
        for write in batch {
            outcomes.extend(Self::one(store, write).await?);
        }
        Ok(outcomes)
    }
}

#[derive(Default)]
struct AnyVersion;

impl Defect for AnyVersion {
    fn write(&self, write: &mut Write) {
        if let Write::AppendMessage(write) = write {
            write.recipient_key_version = None;
        }
    }
}

#[derive(Default)]
struct AllDevices;

#[async_trait]
impl Defect for AllDevices {
    async fn commit(&self, store: &MemoryStore, batch: Vec<Write>) -> Result<Vec<Outcome>, StoreError> {
        let outcomes = store.commit(batch.clone()).await?;
        for (write, outcome) in batch.into_iter().zip(&outcomes) {
            let (Write::Acknowledge(Acknowledge { who, target }), Outcome::Acknowledged(_)) =
                (write, outcome)
            else {
                continue;
            };
            for other in store.devices(who.user).await? {
                let (who, target) = (Principal::new(who.user, other.device), target.clone());
                store.commit(vec![Write::Acknowledge(Acknowledge { who, target })]).await?;
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
            *outcome = Outcome::Acknowledged(done);
        }
    }
}

#[derive(Default)]
struct Anyones;

impl Defect for Anyones {
    fn outcome(&self, _write: &Write, outcome: &mut Outcome) {
        if let Outcome::Acknowledged(done) = outcome {
            done.acknowledged += std::mem::take(&mut done.unknown);
        }
    }
}

#[derive(Default)]
struct Timeless;

impl Defect for Timeless {
    fn write(&self, write: &mut Write) {
        if let Write::Expire(write) = write {
            write.before = Timestamp::from_millis(u64::MAX);
        }
    }
}

#[derive(Default)]
struct AlwaysNew;

impl Defect for AlwaysNew {
    fn outcome(&self, _write: &Write, outcome: &mut Outcome) {
        if let Outcome::KeyPublished { record, changed: changed @ false } = outcome {
            (record.version, *changed) = (record.version.next(), true);
        }
    }
}

#[derive(Default)]
struct Twice;

impl Defect for Twice {
    fn outcome(&self, _write: &Write, outcome: &mut Outcome) {
        if let Outcome::KeysAnnounced { appended, .. } = outcome {
            appended.extend(appended.clone());
        }
    }
}

#[derive(Default)]
struct Remembers;

impl Defect for Remembers {
    fn write(&self, write: &mut Write) {
        if let Write::ForgetDevice(ForgetDevice { who }) = write {
            who.device = "another".parse().unwrap();
        }
    }

    fn outcome(&self, _write: &Write, outcome: &mut Outcome) {
        if let Outcome::DeviceForgotten { existed } = outcome {
            *existed = true;
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
            if let Write::RegisterDevice(register) = &write {
                let who = register.who.clone();
                store.commit(vec![Write::ForgetDevice(ForgetDevice { who })]).await?;
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
        if let Write::RegisterDevice(write) = write {
            write.limit += 1;
        }
    }
}
