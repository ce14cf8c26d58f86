//! Defects of records, and of writes that were done before.

use async_trait::async_trait;
use dm_core::store::{
    Action, Change, Done, MemoryStore, Name, Outcome, Prefix, Put, Record, RecordKey, Store as _, StoreError,
    Timestamp, Write,
};

use super::defect::{Defect, defects};
use super::one_write::{changed_writes, commit, record, single_writes, under};

defects! {
    "records": "records are not stored" => NoRecords,
    "records": "a record keeps its first value" => KeepsFirst,
    "records": "names are cut after 95 bytes" => CutsNames,
    "records": "names are compared without their zeros at the end" => CutsZeros,
    "records": "a due time of zero is none" => NoZero,
    "records": "times have 63 bits" => SmallTimes,
    "records": "an empty value is no record" => EmptyIsNone,
    "records": "values are cut after 64 KiB" => CutsValues,
    "records": "records are returned in the order of their keys" => SortsRecords,
    "records": "a raised record is always replaced" => AlwaysRaises,
    "records": "a record is raised to a value that is longer" => RaisesByLength,
    "records": "deleting a record deletes those that start with its name" => DeletesAlike,
    "records": "clearing keeps the record with the name of the prefix" => KeepsPrefix,
    "records": "clearing removes 256 records at most" => ClearsFew,
    "records": "clearing goes on with the following names" => ClearsOn,
    "records": "a taken record is not removed" => KeepsTaken,
    "records": "the record that is to be kept is taken" => TakesOther,
    "records": "what a batch takes is missing in its answers after the first" => TakesOnce,
    "found": "the effects of a repeated write are made again" => EffectsAgain,
    "found": "a record that is there is put again" => PutsAgain,
    "found": "a record is found by its tag" => ByTag,
    "found": "a record is found by its value" => ByValue,
    "found": "any put record decides whether a write is found" => AnyPut,
    "found": "a write with an action is found by its record" => FoundBesideAction,
}

/// Changes the records that are put or raised.
fn puts(write: &mut Write, put: impl Fn(&mut Put)) {
    for change in &mut write.changes {
        if let Change::Put(one) | Change::Raise(one) = change {
            put(one);
        }
    }
}

/// A name of the first bytes of another one.
fn cut(name: &Name, len: usize) -> Name {
    Name::new(name.as_bytes()[..len.min(name.as_bytes().len())].to_vec()).unwrap()
}

fn put_again(record: Record) -> Change {
    let Record { key, value, tag, due, .. } = record;
    Change::Put(Put { key, value, tag, due })
}

fn first_put(write: &Write) -> Option<&Put> {
    write.changes.iter().find_map(|change| match change {
        Change::Put(put) | Change::Raise(put) => Some(put),
        _ => None,
    })
}

changed_writes! {
    NoRecords: |write| if write.validate().is_ok() {
        write.changes.retain(|change| !matches!(change, Change::Put(_) | Change::Raise(_)));
    };
    CutsNames: |write| puts(write, |put| put.key.name = cut(&put.key.name, 95));
    CutsZeros: |write| puts(write, |put| {
        let bytes = put.key.name.as_bytes();
        put.key.name = cut(&put.key.name, bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1));
    });
    NoZero: |write| puts(write, |put| put.due = put.due.filter(|due| due.as_millis() > 0));
    SmallTimes: |write| puts(write, |put| {
        put.due = put.due.map(|due| Timestamp::from_millis(due.as_millis() & (u64::MAX >> 1)));
    });
    CutsValues: |write| puts(write, |put| if put.value.len() <= Record::MAX_VALUE {
        put.value.truncate(64 * 1024);
    });
    AlwaysRaises: |write| for change in &mut write.changes {
        if let Change::Raise(put) = change {
            *change = Change::Put(put.clone());
        }
    };
    DeletesAlike: |write| for change in &mut write.changes {
        if let Change::Delete(RecordKey { owner, kind, name }) = change {
            *change = Change::Clear(Prefix { owner: *owner, kind: *kind, name: name.clone() });
        }
    };
    ClearsOn: |write| for change in &mut write.changes {
        if let Change::Clear(prefix) = change {
            prefix.name = cut(&prefix.name, prefix.name.as_bytes().len().saturating_sub(1));
        }
    };
}

single_writes! {
    KeepsFirst: |store, write| {
        let mut write = write;
        for index in (0..write.changes.len()).rev() {
            if let Change::Put(put) = &write.changes[index] && record(store, &put.key).await?.is_some() {
                write.changes.remove(index);
            }
        }
        commit(store, write).await?
    };
    RaisesByLength: |store, write| {
        let mut write = write;
        for index in (0..write.changes.len()).rev() {
            if let Change::Raise(put) = &write.changes[index]
                && let Some(old) = record(store, &put.key).await?
                && put.value.len() <= old.value.len()
            {
                write.changes.remove(index);
            }
        }
        commit(store, write).await?
    };
    KeepsPrefix: |store, write| {
        let mut kept = Vec::new();
        for change in &write.changes {
            if let Change::Clear(prefix) = change && !prefix.name.as_bytes().is_empty() {
                kept.extend(record(store, &prefix.first_key()).await?.map(put_again));
            }
        }
        let outcome = commit(store, write).await?;
        commit(store, Write { changes: kept, ..Write::default() }).await?;
        outcome
    };
    ClearsFew: |store, write| {
        let mut kept = Vec::new();
        for change in &write.changes {
            if let Change::Clear(prefix) = change {
                kept.extend(under(store, prefix).await?.into_iter().skip(256).map(put_again));
            }
        }
        let outcome = commit(store, write).await?;
        for put in kept {
            commit(store, Write::default().change(put)).await?;
        }
        outcome
    };
    KeepsTaken: |store, write| {
        let outcome = commit(store, write).await?;
        if let Outcome::Done(Done { taken, .. }) = &outcome {
            let changes = taken.iter().flatten().cloned().map(put_again).collect();
            commit(store, Write { changes, ..Write::default() }).await?;
        }
        outcome
    };
    TakesOther: |store, write| {
        let other = write.changes.iter().find_map(|change| match change {
            Change::TakeFirst { or, .. } => or.clone(),
            _ => None,
        });
        let outcome = commit(store, write).await?;
        if let (Outcome::Done(Done { taken, .. }), Some(other)) = (&outcome, other)
            && taken.iter().flatten().any(|record| record.key == other)
        {
            commit(store, Write::default().change(Change::Delete(other))).await?;
        }
        outcome
    };
    EffectsAgain: |store, write| {
        let again = Write { action: Action::None, expects: Vec::new(), ..write.clone() };
        let outcome = commit(store, write).await?;
        if matches!(&outcome, Outcome::Done(done) if done.is_found) {
            commit(store, again).await?;
        }
        outcome
    };
    PutsAgain: |store, write| {
        if matches!(write.action, Action::None)
            && write.validate().is_ok()
            && let Some(put) = first_put(&write)
            && record(store, &put.key).await?.is_some_and(|there| (&there.tag, &there.value) == (&put.tag, &put.value))
        {
            commit(store, Write::default().change(Change::Delete(put.key.clone()))).await?;
        }
        commit(store, write).await?
    };
    ByTag: |store, write| match first_put(&write) {
        Some(put)
            if matches!(write.action, Action::None)
                && record(store, &put.key).await?.is_some_and(|there| there.tag == put.tag) =>
        {
            Outcome::Done(Done::found(Default::default()))
        }
        _ => commit(store, write).await?,
    };
    ByValue: |store, write| match first_put(&write) {
        Some(put)
            if matches!(write.action, Action::None)
                && record(store, &put.key).await?.is_some_and(|there| there.value == put.value) =>
        {
            Outcome::Done(Done::found(Default::default()))
        }
        _ => commit(store, write).await?,
    };
    AnyPut: |store, write| {
        let mut is_there = false;
        for change in write.changes.iter().filter(|_| matches!(write.action, Action::None)) {
            if let Change::Put(put) = change
                && let Some(there) = record(store, &put.key).await?
            {
                is_there |= (there.tag, &there.value) == (put.tag, &put.value);
            }
        }
        if is_there { Outcome::Done(Done::found(Default::default())) } else { commit(store, write).await? }
    };
    FoundBesideAction: |store, write| {
        let mut write = write;
        if !matches!(write.action, Action::None)
            && let Some(put) = first_put(&write)
            && record(store, &put.key).await?.is_some_and(|there| there.tag == put.tag)
        {
            write.changes.clear();
            write.posts.clear();
        }
        commit(store, write).await?
    };
}

#[derive(Default)]
struct TakesOnce;

#[async_trait]
impl Defect for TakesOnce {
    async fn commit(&self, store: &MemoryStore, batch: Vec<Write>) -> Result<Vec<Outcome>, StoreError> {
        let mut outcomes = store.commit(batch).await?;
        for outcome in outcomes.iter_mut().skip(1) {
            if let Outcome::Done(done) = outcome {
                done.taken.fill(None);
            }
        }
        Ok(outcomes)
    }
}

#[derive(Default)]
struct EmptyIsNone;

#[async_trait]
impl Defect for EmptyIsNone {
    async fn records(
        &self,
        store: &MemoryStore,
        keys: Vec<RecordKey>,
    ) -> Result<Vec<Option<Record>>, StoreError> {
        let records = store.records(keys).await?.into_iter();
        Ok(records.map(|record| record.filter(|record| !record.value.is_empty())).collect())
    }
}

#[derive(Default)]
struct SortsRecords;

#[async_trait]
impl Defect for SortsRecords {
    async fn records(
        &self,
        store: &MemoryStore,
        mut keys: Vec<RecordKey>,
    ) -> Result<Vec<Option<Record>>, StoreError> {
        keys.sort_unstable();
        store.records(keys).await
    }
}
