//! Defects of posts, and of the bounds of writes.

use std::collections::{HashMap, HashSet};
use std::sync::Mutex;

use async_trait::async_trait;
use dm_core::store::{
    Action, Answer, Change, Done, Expect, InboxPage, InboxQuery, Invalid, Kind, MemoryStore, Notice,
    OtherNotice, Outcome, Owner, Post, Principal, Record, Refusal, Registration, Store as _, StoreError,
    UserId, Write,
};

use super::defect::{Defect, defects};
use super::one_write::{changed_writes, commit, single_writes, under};

defects! {
    "posts": "posts are lost" => NoPosts,
    "posts": "an addressed entry is for all devices" => ForAll,
    "posts": "addressed entries are kept without their addressee" => ForgetsAddressee,
    "posts": "posts to unknown registrations are dropped" => DropsUnknown,
    "posts": "what was for a device is for one with its name" => ForItsName,
    "posts": "a post has no origin" => NoOrigin,
    "posts": "posts are appended backwards" => Backwards,
    "posts": "notices are cut after 256 bytes" => CutsNotices,
    "posts": "a post has the time zero" => NoTime,
    "posts": "an addressed entry is not in the inbox of a device that is not its first" => FirstDeviceOnly,
    "bounds": "conditions beyond 64 are left out" => CutsExpects,
    "bounds": "changes beyond 64 are left out" => CutsChanges,
    "bounds": "posts beyond 1,024 are left out" => CutsPosts,
    "bounds": "values beyond their limit are cut" => CutsValues,
    "bounds": "values that are too long together are left out" => LeavesOutValues,
    "bounds": "conditions count to 1,024 at most" => CountsFewer,
    "bounds": "of two changes of a key the last one is made" => LastChange,
    "bounds": "synced records may belong to the store" => SyncedOfStore,
    "bounds": "kind zero is a kind" => ZeroIsKind,
    "bounds": "fences of no party are met" => NoParty,
    "bounds": "more than 1,024 records are cleared" => ClearsAll,
    "bounds": "kinds of a newer version are refused" => KnownKindsOnly,
    "bounds": "a thousand records are too many to clear" => ClearsThousand,
    "bounds": "an invalid write stops its batch" => StopsAtInvalid,
}

/// Changes the keys of changes and conditions.
fn keys(write: &mut Write, change: impl Fn(Owner, &mut Kind)) {
    for expect in &mut write.expects {
        match expect {
            Expect::Absent(key) | Expect::Tagged(key, _) => change(key.owner, &mut key.kind),
            Expect::Fewer { under, .. } => change(under.owner, &mut under.kind),
            _ => {}
        }
    }
    for effect in &mut write.changes {
        match effect {
            Change::Put(put) | Change::Raise(put) => change(put.key.owner, &mut put.key.kind),
            Change::Delete(key) => change(key.owner, &mut key.kind),
            Change::Clear(under) => change(under.owner, &mut under.kind),
            Change::TakeFirst { under, or } => {
                change(under.owner, &mut under.kind);
                or.iter_mut().for_each(|key| change(key.owner, &mut key.kind));
            }
            _ => {}
        }
    }
}

changed_writes! {
    NoPosts: |write| if write.validate().is_ok() { write.posts.clear() };
    ForAll: |write| for post in &mut write.posts {
        post.addressee = None;
    };
    NoOrigin: |write| for post in &mut write.posts {
        post.origin = None;
    };
    NoTime: |write| for post in &mut write.posts {
        post.at = dm_core::Timestamp::from_millis(0);
    };
    CutsNotices: |write| for post in &mut write.posts {
        if let Notice::Other(other) = &mut post.notice {
            let bytes = other.bytes().slice(..other.bytes().len().min(256));
            *other = OtherNotice::new(bytes).unwrap();
        }
    };
    CutsExpects: |write| write.expects.truncate(Write::MAX_EXPECTS);
    CutsChanges: |write| write.changes.truncate(Write::MAX_CHANGES);
    CutsPosts: |write| write.posts.truncate(Write::MAX_POSTS);
    CutsValues: |write| for change in &mut write.changes {
        if let Change::Put(put) | Change::Raise(put) = change {
            put.value.truncate(Record::MAX_VALUE);
        }
    };
    LeavesOutValues: |write| {
        let mut bytes = 0;
        write.changes.retain(|change| match change {
            Change::Put(put) | Change::Raise(put) => {
                bytes += put.value.len();
                put.value.len() > Record::MAX_VALUE || bytes <= Write::MAX_VALUES
            }
            _ => true,
        });
    };
    CountsFewer: |write| for expect in &mut write.expects {
        if let Expect::Fewer { than, .. } = expect {
            *than = (*than).min(Expect::MAX_COUNT);
        }
    };
    LastChange: |write| if write.changes.len() == 2 && write.validate().is_err() {
        write.changes.remove(0);
    };
    SyncedOfStore: |write| keys(write, |owner, kind| if !matches!(owner, Owner::User(_)) {
        *kind = Kind::from_stored(kind.get() & !(1 << 15));
    });
    ZeroIsKind: |write| keys(write, |_, kind| if kind.get() & !(1 << 15) == 0 {
        *kind = Kind::from_stored(kind.get() | 0x7000);
    });
    NoParty: |write| if !matches!(write.action, Action::AppendMessage(_)) && write.validate().is_err() {
        write.expects.retain(|expect| !matches!(expect, Expect::Fence { .. }));
    };
}

single_writes! {
    Backwards: |store, write| {
        let mut write = write;
        write.posts.reverse();
        commit(store, write).await?
    };
    DropsUnknown: |store, write| {
        let mut write = write;
        loop {
            match commit(store, write.clone()).await? {
                Outcome::Refused(Refusal::UnknownRegistration { which }) => _ = write.posts.remove(which),
                other => break other,
            }
        }
    };
    ClearsAll: |store, write| match commit(store, write.clone()).await? {
        Outcome::Refused(Refusal::TooManyRecords) => {
            for change in &write.changes {
                if let Change::Clear(prefix) = change {
                    for record in under(store, prefix).await? {
                        commit(store, Write::default().change(Change::Delete(record.key))).await?;
                    }
                }
            }
            commit(store, write).await?
        }
        other => other,
    };
    ClearsThousand: |store, write| {
        let mut count = 0;
        for change in &write.changes {
            if let Change::Clear(prefix) = change {
                count = under(store, prefix).await?.len().max(count);
            }
        }
        if count > 1_000 { Outcome::Refused(Refusal::TooManyRecords) } else { commit(store, write).await? }
    };
    KnownKindsOnly: |store, write| {
        let is_new = |change: &Change| match change {
            Change::Put(put) => Kind::new(put.key.kind.get()).is_err(),
            _ => false,
        };
        if write.changes.iter().any(is_new) {
            Outcome::Refused(Refusal::Invalid(Invalid::new("kind", "not known")))
        } else {
            commit(store, write).await?
        }
    };
}

#[derive(Default)]
struct StopsAtInvalid;

#[async_trait]
impl Defect for StopsAtInvalid {
    async fn commit(&self, store: &MemoryStore, batch: Vec<Write>) -> Result<Vec<Outcome>, StoreError> {
        match batch.iter().find_map(|write| write.validate().err()) {
            Some(invalid) => Ok(batch.iter().map(|_| Outcome::Refused(Refusal::Invalid(invalid))).collect()),
            None => store.commit(batch).await,
        }
    }
}

#[derive(Default)]
struct ForgetsAddressee;

impl Defect for ForgetsAddressee {
    fn inbox_page(&self, _query: &InboxQuery, page: &mut InboxPage) {
        for entry in &mut page.entries {
            entry.addressee = None;
        }
    }
}

/// Addressed entries are found by the first registration of each device's name.
#[derive(Default)]
struct FirstDeviceOnly(Mutex<HashSet<Principal>>);

impl Defect for FirstDeviceOnly {
    fn outcome(&self, write: &Write, outcome: &mut Outcome) {
        if let (
            Action::RegisterDevice(write),
            Outcome::Done(Done { answer: Answer::DeviceRegistered(done), .. }),
        ) = (&write.action, outcome)
            && done.registration.get() > 1
        {
            self.0.lock().unwrap().insert(write.who.clone());
        }
    }

    fn inbox_page(&self, query: &InboxQuery, page: &mut InboxPage) {
        if self.0.lock().unwrap().contains(&query.who) {
            page.entries.retain(|entry| entry.addressee.is_none());
        }
    }
}

/// Posts again what was addressed to a device, when a device is registered under its name.
#[derive(Default)]
struct ForItsName {
    names: Mutex<HashMap<Principal, Registration>>,
    posts: Mutex<HashMap<(UserId, Registration), Vec<Post>>>,
}

#[async_trait]
impl Defect for ForItsName {
    async fn commit(&self, store: &MemoryStore, batch: Vec<Write>) -> Result<Vec<Outcome>, StoreError> {
        let mut outcomes = Vec::new();
        for write in batch {
            let outcome = commit(store, write.clone()).await?;
            if matches!(outcome, Outcome::Done(_)) {
                for post in &write.posts {
                    let Some(registration) = post.addressee else { continue };
                    let mut posts = self.posts.lock().unwrap();
                    posts.entry((post.to, registration)).or_default().push(post.clone());
                }
            }
            if let (Action::RegisterDevice(write), Outcome::Done(done)) = (&write.action, &outcome)
                && let Answer::DeviceRegistered(registered) = done.answer
            {
                let addressee = Some(registered.registration);
                let before = self.names.lock().unwrap().insert(write.who.clone(), registered.registration);
                let before = before.filter(|before| *before != registered.registration);
                let key = before.map(|before| (write.who.user, before));
                let posts = key.and_then(|key| self.posts.lock().unwrap().remove(&key)).unwrap_or_default();
                let posts = posts.into_iter().map(|post| Post { addressee, ..post }).collect();
                commit(store, Write { posts, ..Write::default() }).await?;
            }
            outcomes.push(outcome);
        }
        Ok(outcomes)
    }
}
