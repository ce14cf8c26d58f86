//! Plays a script on a store and on the model at the same time.

use std::collections::BTreeSet;
use std::fmt;

use dm_core::store::{
    ConversationOrder, ConversationsQuery, HistoryQuery, HistoryRange, InboxQuery, InboxSeq, Outcome,
    OwnEntries, Principal, RecordKey, Revision, Scan, ScanQuery, ServerSequence, Store, StoreErrorKind,
    Timestamp, Write,
};

use super::effect::{Key, KindOf, OwnerOf};
use super::ids::{CONVERSATIONS, DEVICES, USERS, nth_user as user};
use super::op::{Act, Handle, Op, Step};
use super::query::Query;
use super::state::Model;
use super::{Script, reading};
use crate::{Harness, World, build};

/// The first difference between a store and the model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// The step of the script, from 1. Reads after the last step count as one more.
    pub step: usize,
    /// The difference, in words.
    pub what: String,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "at step {}: {}", self.step, self.what)
    }
}

/// Plays a script on a store at a fresh storage location.
///
/// After each batch, another handle reads the data that the batch concerns. At the end, all data is
/// read.
///
/// # Errors
/// Fails if the store differs from the model.
pub async fn play<H: Harness>(script: &Script) -> Result<(), Difference> {
    play_counted::<H>(&script.0, || {}).await
}

/// As [`play`], with a callback before each step.
pub(super) async fn play_counted<H: Harness>(
    steps: &[Step],
    mut before: impl FnMut(),
) -> Result<(), Difference> {
    let mut stage = StoreAndModel::<H>::new().await;
    for (n, step) in steps.iter().enumerate() {
        before();
        stage.step(step).await.map_err(|what| Difference { step: n + 1, what })?;
    }
    stage.read_all().await.map_err(|what| Difference { step: steps.len() + 1, what })
}

/// A store and its model.
struct StoreAndModel<H: Harness> {
    world: World<H>,
    /// A second handle, if the store allows one.
    other: Option<H::Store>,
    model: Model,
    now: i64,
}

impl<H: Harness> StoreAndModel<H> {
    async fn new() -> Self {
        let mut stage = Self { world: World::new().await, other: None, model: Model::default(), now: 0 };
        stage.open_other().await;
        stage
    }

    async fn open_other(&mut self) {
        self.other = match self.world.harness().open().await {
            Ok(store) => Some(store),
            Err(error) if error.kind() == StoreErrorKind::Locked => None,
            Err(error) => panic!("a second handle is neither opened nor refused as locked: {error:?}"),
        };
    }

    async fn step(&mut self, step: &Step) -> Result<(), String> {
        match step {
            Step::Batch { through, ops } => {
                self.now += 1;
                self.batch(*through, ops).await?;
                self.read_touched(*through, ops).await
            }
            Step::Reopen => {
                self.other = None;
                self.world.reopen().await;
                self.open_other().await;
                Ok(())
            }
            Step::Clock(jump) => {
                self.now += jump;
                Ok(())
            }
            Step::Read(read) => match read.query() {
                Query::Inbox(query) => reading::inbox(&self.model, &*self.world.store(), query).await,
                Query::History(query) => reading::history(&self.model, &*self.world.store(), query).await,
                Query::List(query) => reading::list(&self.model, &*self.world.store(), query).await,
                Query::Scan(query) => reading::scan(&self.model, &*self.world.store(), query).await,
            },
        }
    }

    /// Commits operations. A batch ends after a write that leaves a choice, so that the model can
    /// learn the choice.
    async fn batch(&mut self, through: Handle, ops: &[Op]) -> Result<(), String> {
        let now = self.now;
        let mut writes = ops.iter().map(|op| (op, op.write(now))).peekable();
        while writes.peek().is_some() {
            // The earlier writes of the batch decide whether there is a choice, so they are tried
            // on a copy of the model.
            let mut ahead = self.model.clone();
            let mut batch = Vec::new();
            for (op, write) in writes.by_ref() {
                let chosen = ahead.leaves_choice(&write);
                ahead.apply(&write);
                batch.push((op, write));
                if chosen {
                    break;
                }
            }
            self.commit(through, &batch).await?;
        }
        Ok(())
    }

    async fn commit(&mut self, through: Handle, batch: &[(&Op, Write)]) -> Result<(), String> {
        let writes = batch.iter().map(|(_, write)| write.clone()).collect();
        let first = self.world.store();
        let outcomes = match (&self.other, through) {
            (Some(other), Handle::Other) => other.commit(writes).await,
            _ => first.commit(writes).await,
        };
        let outcomes = outcomes.map_err(|error| format!("the commit failed: {error:?}"))?;
        if outcomes.len() != batch.len() {
            return Err(format!("{} outcomes of {} writes", outcomes.len(), batch.len()));
        }
        for ((op, write), outcome) in batch.iter().zip(&outcomes) {
            let chosen = self.model.leaves_choice(write);
            let checked = self.model.check(write, outcome);
            checked.map_err(|expected| format!("{op}\nanswered {outcome:?}\n{expected}"))?;
            if chosen {
                self.learn(write, outcome, &*first).await.map_err(|what| format!("{op}\n{what}"))?;
            }
        }
        Ok(())
    }

    async fn learn(&mut self, write: &Write, answer: &Outcome, store: &H::Store) -> Result<(), String> {
        let mut floors = Vec::new();
        for n in 0..USERS {
            let query = InboxQuery {
                who: user(n).into(),
                after: InboxSeq::ZERO,
                own: OwnEntries::Include,
                limit: 1,
                max_bytes: 1,
            };
            let page = store.inbox(query).await.map_err(|error| format!("not read: {error:?}"))?;
            floors.push((user(n), page.floor.get()));
        }
        self.model.learn(write, answer, &floors)
    }

    /// Reads the data that these operations concern, through the handle that did not write.
    async fn read_touched(&self, through: Handle, ops: &[Op]) -> Result<(), String> {
        let first = self.world.store();
        let store = match (&self.other, through) {
            (Some(other), Handle::First) => other,
            _ => &*first,
        };
        let (mut users, mut conversations) = (BTreeSet::new(), BTreeSet::new());
        let mut keys = Vec::new();
        for op in ops {
            match &op.act {
                Act::None => {}
                Act::Open { conversation, opener, other } => {
                    users.extend([opener.user, *other]);
                    conversations.insert(*conversation);
                }
                Act::Append { conversation, sender, .. } => {
                    users.insert(sender.user);
                    conversations.insert(*conversation);
                }
                Act::Ack { who, .. } | Act::Register { who, .. } | Act::Forget { who } => {
                    users.insert(who.user);
                }
                Act::Expire { .. } => users.extend(0..USERS),
            }
            users.extend(op.effects.iter().filter_map(|effect| effect.user()));
            keys.extend(op.effects.iter().flat_map(|effect| effect.keys()).flatten());
        }
        self.read_records(store, &keys).await?;
        for n in users {
            self.read_user(store, n).await?;
        }
        for n in conversations {
            let (id, reader) = (build::conversation(n), 0);
            reading::conversation(&self.model, store, id).await?;
            let range = HistoryRange::Newest;
            for reader in [reader, 1, 2] {
                let query = HistoryQuery {
                    reader: user(reader),
                    conversation: id,
                    range,
                    limit: 1_000,
                    max_bytes: usize::MAX,
                };
                reading::history(&self.model, store, query).await?;
            }
        }
        Ok(())
    }

    /// Reads the records with some keys, those under them, and those that are due.
    async fn read_records(&self, store: &H::Store, keys: &[Key]) -> Result<(), String> {
        if keys.is_empty() {
            return Ok(());
        }
        let limit = 1_000;
        reading::records(&self.model, store, keys.iter().map(|key| key.key()).collect()).await?;
        for key in keys {
            let scan = Scan::Under { prefix: key.prefix(), after: None };
            reading::scan(&self.model, store, ScanQuery { scan, limit, max_bytes: usize::MAX }).await?;
        }
        for kind in KindOf::ALL.map(KindOf::kind) {
            let scan = Scan::Due { kind, until: Timestamp::from_millis(u64::MAX), after: None };
            reading::scan(&self.model, store, ScanQuery { scan, limit, max_bytes: usize::MAX }).await?;
        }
        Ok(())
    }

    async fn read_user(&self, store: &H::Store, n: u64) -> Result<(), String> {
        let scan = Scan::Since { user: user(n), revision: Revision::ZERO };
        let since = ScanQuery { scan, limit: 1_000, max_bytes: usize::MAX };
        reading::scan(&self.model, store, since).await?;
        reading::devices(&self.model, store, user(n)).await?;
        let order = ConversationOrder::Active { after: None };
        let kinds = KindOf::ALL.map(KindOf::kind).to_vec();
        let list = ConversationsQuery { user: user(n), order, kinds, limit: 1_000 };
        reading::list(&self.model, store, list).await?;
        for device in DEVICES {
            let who = Principal::new(user(n), device.parse().expect("a device's name"));
            reading::depth(&self.model, store, who.clone()).await?;
            let (after, own) = (InboxSeq::ZERO, OwnEntries::Include);
            let query = InboxQuery { who, after, own, limit: 1_000, max_bytes: usize::MAX };
            reading::inbox(&self.model, store, query).await?;
        }
        Ok(())
    }

    /// Reads all data, in pages of several sizes.
    async fn read_all(&self) -> Result<(), String> {
        let first = self.world.store();
        let store = self.other.as_ref().unwrap_or(&*first);
        let kinds = KindOf::ALL.map(KindOf::kind);
        let owners = (0..USERS).map(OwnerOf::User).chain((0..CONVERSATIONS).map(OwnerOf::Conversation));
        let owners: Vec<_> = owners.chain([OwnerOf::Store]).map(OwnerOf::owner).collect();
        reading::all_records(&self.model, store, &owners, &kinds, 2).await?;
        reading::records(&self.model, store, owners.iter().copied().map(RecordKey::fence).collect()).await?;
        reading::heads(&self.model, store, (0..USERS).rev().map(user).collect()).await?;
        for n in 0..USERS {
            self.read_user(&first, n).await?;
            reading::list_by_pages(&self.model, store, user(n), &kinds, 2).await?;
            for device in DEVICES {
                let who = Principal::new(user(n), device.parse().expect("a device's name"));
                self.read_inbox(store, &who).await?;
            }
        }
        for n in 0..CONVERSATIONS {
            let id = build::conversation(n);
            reading::conversation(&self.model, store, id).await?;
            for reader in 0..USERS {
                self.read_history(store, user(reader), id).await?;
            }
        }
        Ok(())
    }

    async fn read_inbox(&self, store: &H::Store, who: &Principal) -> Result<(), String> {
        let pages = [(0, 1_000, usize::MAX), (3, 2, usize::MAX), (1, 5, 1_000), (u64::MAX, 1, 1)];
        for own in [OwnEntries::Skip, OwnEntries::Include, OwnEntries::ReceivedOnly] {
            for (after, limit, max_bytes) in pages {
                let query =
                    InboxQuery { who: who.clone(), after: InboxSeq::new(after), own, limit, max_bytes };
                reading::inbox(&self.model, store, query).await?;
            }
        }
        Ok(())
    }

    async fn read_history(
        &self,
        store: &H::Store,
        reader: dm_core::UserId,
        conversation: dm_core::ConversationId,
    ) -> Result<(), String> {
        let at = ServerSequence::new;
        let mut ranges = vec![HistoryRange::Newest];
        // A conversation that does not exist for the reader has no ranges.
        if self.model.conversation(conversation).is_some() {
            ranges.extend([1, 3, u64::MAX].map(|bound| HistoryRange::Before(at(bound))));
            ranges.extend([0, 2, u64::MAX].map(|bound| HistoryRange::After(at(bound))));
        }
        for range in ranges {
            for (limit, max_bytes) in [(1_000, usize::MAX), (2, usize::MAX), (10, 1_000)] {
                let query = HistoryQuery { reader, conversation, range, limit, max_bytes };
                reading::history(&self.model, store, query).await?;
            }
        }
        Ok(())
    }
}
