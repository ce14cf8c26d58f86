//! Defects of conditions, fences and the order of checks.

use std::collections::HashMap;
use std::sync::Mutex;

use async_trait::async_trait;
use dm_core::store::{
    Action, Change, Done, Expect, Kind, MemoryStore, Name, Outcome, Owner, Party, Prefix, RecordKey, Refusal,
    Store as _, StoreError, Tag, Write,
};
use tokio::task::yield_now;

use super::defect::{Defect, defects};
use super::one_write::{changed_writes, commit, owner, record, single_writes, under};

defects! {
    "conditions": "conditions are not checked" => AllMet,
    "conditions": "only the first condition is checked" => FirstOnly,
    "conditions": "any tag is the required one" => AnyTag,
    "conditions": "the required number of records may be reached" => MayBeReached,
    "conditions": "the present record is not named" => NamesNoRecord,
    "conditions": "present values of every length are named" => NamesLongValues,
    "conditions": "the last condition that is not met is named" => NamesTheLast,
    "conditions": "conditions see the state before the batch" => SeesNoBatch,
    "conditions": "conditions are checked some time before the change" => ChecksEarly,
    "conditions": "tags are compared in their first eight bytes" => HalfTags,
    "fences": "fences are not checked" => NoFences,
    "fences": "the fences of sender and peer are taken for each other" => OtherParty,
    "fences": "who has no fence has every tag" => AnyWithout,
    "fences": "a removed fence keeps its tag" => KeepsTag,
    "fences": "every record of the kind is a fence" => AnyName,
    "order_of_checks": "conditions are checked before everything else" => ConditionsFirst,
    "order_of_checks": "a missing conversation is noticed before an invalid write" => MissingFirst,
    "order_of_checks": "posts are appended before the action" => PostsFirst,
    "order_of_checks": "posts are checked after the action" => PostsChecksLast,
    "order_of_checks": "changes are made backwards" => ChangesBackwards,
    "order_of_checks": "addressees are checked before the conditions" => AddresseesFirst,
}

changed_writes! {
    AllMet: |write| write.expects.clear();
    FirstOnly: |write| if write.expects.len() <= Write::MAX_EXPECTS { write.expects.truncate(1) };
    NoFences: |write| write.expects.retain(|expect| !matches!(expect, Expect::Fence { .. }));
    MayBeReached: |write| for expect in &mut write.expects {
        if let Expect::Fewer { than, .. } = expect && *than < Expect::MAX_COUNT {
            *than += 1;
        }
    };
    OtherParty: |write| for expect in &mut write.expects {
        if let Expect::Fence { of, .. } = expect {
            *of = match *of {
                Party::Sender => Party::Peer,
                Party::Peer => Party::Sender,
                Party::Conversation => Party::Conversation,
            };
        }
    };
}

single_writes! {
    AnyTag: |store, write| {
        let mut write = write;
        for expect in &mut write.expects {
            if let Expect::Tagged(key, tag) = expect && let Some(record) = record(store, key).await? {
                *tag = record.tag;
            }
        }
        commit(store, write).await?
    };
    HalfTags: |store, write| {
        let mut write = write;
        for expect in &mut write.expects {
            if let Expect::Tagged(key, tag) = expect
                && let Some(record) = record(store, key).await?
                && tag.as_bytes()[..8] == record.tag.as_bytes()[..8]
            {
                *tag = record.tag;
            }
        }
        commit(store, write).await?
    };
    NamesTheLast: |store, write| {
        let mut write = write;
        let last = write.expects.len();
        write.expects.reverse();
        match commit(store, write).await? {
            Outcome::Refused(Refusal::Unmet { which, current }) => {
                Outcome::Refused(Refusal::Unmet { which: last - 1 - which, current })
            }
            other => other,
        }
    };
    NamesLongValues: |store, write| {
        let mut outcome = commit(store, write.clone()).await?;
        if let Outcome::Refused(Refusal::Unmet { which, current: Some(current) }) = &mut outcome
            && current.value.is_none()
        {
            let key = match &write.expects[*which] {
                Expect::Absent(key) | Expect::Tagged(key, _) => Some(key.clone()),
                Expect::Fence { of, .. } => owner(store, &write.action, *of).await?.map(RecordKey::fence),
                _ => None,
            };
            if let Some(key) = key {
                current.value = record(store, &key).await?.map(|record| record.value);
            }
        }
        outcome
    };
    AnyWithout: |store, write| {
        let mut write = write;
        for index in (0..write.expects.len()).rev() {
            if let Expect::Fence { of, .. } = write.expects[index]
                && let Some(owner) = owner(store, &write.action, of).await?
                && record(store, &RecordKey::fence(owner)).await?.is_none()
            {
                write.expects.remove(index);
            }
        }
        commit(store, write).await?
    };
    AnyName: |store, write| {
        let mut write = write;
        for index in (0..write.expects.len()).rev() {
            if let Expect::Fence { of, tag } = write.expects[index]
                && let Some(owner) = owner(store, &write.action, of).await?
            {
                let prefix = Prefix { owner, kind: Kind::FENCE, name: Name::EMPTY };
                if under(store, &prefix).await?.iter().any(|record| record.tag == tag) {
                    write.expects.remove(index);
                }
            }
        }
        commit(store, write).await?
    };
    ConditionsFirst: |store, write| {
        let is_fence = |expect: &&Expect| !matches!(expect, Expect::Fence { .. });
        let expects = write.expects.iter().filter(is_fence).cloned().collect();
        match commit(store, Write { expects, ..Write::default() }).await? {
            Outcome::Refused(refusal @ Refusal::Unmet { .. }) => Outcome::Refused(refusal),
            _ => commit(store, write).await?,
        }
    };
    AddresseesFirst: |store, write| {
        let posts = write.posts.clone();
        let addressed = posts.iter().position(|post| post.addressee.is_some());
        let mut unknown = None;
        for (which, post) in posts.into_iter().enumerate().skip(addressed.unwrap_or(usize::MAX)) {
            let devices = store.devices(post.to).await?;
            let is_known = |registration| devices.iter().any(|device| device.registration == registration);
            if post.addressee.is_some_and(|registration| !is_known(registration)) {
                unknown = unknown.or(Some(which));
            }
        }
        match unknown {
            Some(which) => Outcome::Refused(Refusal::UnknownRegistration { which }),
            None => commit(store, write).await?,
        }
    };
    MissingFirst: |store, write| match (&write.action, write.validate()) {
        (Action::AppendMessage(append), Err(_))
            if store.conversation(append.conversation).await?.is_none() =>
        {
            Outcome::Refused(Refusal::NotFound)
        }
        _ => commit(store, write).await?,
    };
    PostsFirst: |store, write| {
        let mut write = write;
        if write.posts.is_empty() || matches!(write.action, Action::None) {
            commit(store, write).await?
        } else {
            let posts = std::mem::take(&mut write.posts);
            let posted = commit(store, Write { posts, ..Write::default() }).await?;
            match (posted, commit(store, write).await?) {
                (Outcome::Done(posted), Outcome::Done(done)) => {
                    let appended = [posted.appended, done.appended].concat();
                    Outcome::Done(Done { appended, ..done })
                }
                (_, other) => other,
            }
        }
    };
    PostsChecksLast: |store, write| {
        let mut write = write;
        let posts = std::mem::take(&mut write.posts);
        match commit(store, write).await? {
            Outcome::Done(done) if !posts.is_empty() && !done.is_found => {
                match commit(store, Write { posts, ..Write::default() }).await? {
                    Outcome::Done(posted) => {
                        let appended = [done.appended, posted.appended].concat();
                        Outcome::Done(Done { appended, ..done })
                    }
                    refused @ Outcome::Refused(_) => refused,
                }
            }
            other => other,
        }
    };
    ChangesBackwards: |store, write| {
        let mut write = write;
        write.changes.reverse();
        let mut outcome = commit(store, write).await?;
        if let Outcome::Done(done) = &mut outcome {
            done.taken.reverse();
        }
        outcome
    };
}

#[derive(Default)]
struct NamesNoRecord;

impl Defect for NamesNoRecord {
    fn outcome(&self, _write: &Write, outcome: &mut Outcome) {
        if let Outcome::Refused(Refusal::Unmet { current, .. }) = outcome {
            *current = None;
        }
    }
}

/// The conditions of a write without an action, if they are met now.
async fn are_met(store: &MemoryStore, write: &Write) -> Result<bool, StoreError> {
    let expects = write.expects.clone();
    let outcome = commit(store, Write { expects, ..Write::default() }).await?;
    Ok(!matches!(outcome, Outcome::Refused(Refusal::Unmet { .. })))
}

#[derive(Default)]
struct SeesNoBatch;

#[async_trait]
impl Defect for SeesNoBatch {
    async fn commit(&self, store: &MemoryStore, mut batch: Vec<Write>) -> Result<Vec<Outcome>, StoreError> {
        for write in &mut batch {
            if matches!(write.action, Action::None) && are_met(store, write).await? {
                write.expects.clear();
            }
        }
        store.commit(batch).await
    }
}

#[derive(Default)]
struct ChecksEarly;

#[async_trait]
impl Defect for ChecksEarly {
    async fn commit(&self, store: &MemoryStore, mut batch: Vec<Write>) -> Result<Vec<Outcome>, StoreError> {
        // Batches of several writes see each other.
        if let [write] = batch.as_mut_slice()
            && matches!(write.action, Action::None)
            && write.expects.len() <= Write::MAX_EXPECTS
            && are_met(store, write).await?
        {
            write.expects.clear();
            yield_now().await;
        }
        store.commit(batch).await
    }
}

#[derive(Default)]
struct KeepsTag(Mutex<HashMap<Owner, Tag>>);

#[async_trait]
impl Defect for KeepsTag {
    async fn commit(&self, store: &MemoryStore, batch: Vec<Write>) -> Result<Vec<Outcome>, StoreError> {
        let mut outcomes = Vec::new();
        for mut write in batch {
            for index in (0..write.expects.len()).rev() {
                if let Expect::Fence { of, tag } = write.expects[index]
                    && let Some(owner) = owner(store, &write.action, of).await?
                    && record(store, &RecordKey::fence(owner)).await?.is_none()
                    && self.0.lock().unwrap().get(&owner) == Some(&tag)
                {
                    write.expects.remove(index);
                }
            }
            for change in &write.changes {
                if let Change::Put(put) = change
                    && put.key.is_fence()
                {
                    self.0.lock().unwrap().insert(put.key.owner, put.tag);
                }
            }
            outcomes.push(commit(store, write).await?);
        }
        Ok(outcomes)
    }
}
