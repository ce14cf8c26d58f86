//! One task of a run: it makes random calls, as a client does.

use std::sync::Arc;

use dm_core::store::{
    AckTarget, Acknowledge, AppendMessage, ConversationId, DeviceStart, InboxSeq, KeyVersion, MessageId,
    Outcome, OwnEntries, Principal, Store, Timestamp, Write,
};

use super::recorder::{Recorder, inbox};
use super::{Answer, History, Moment};
use crate::build;
use crate::chance::Chance;

/// The most attempts at one send. A task waits for the answer of three attempts in four, so only a
/// store that answers none reaches this limit.
const ATTEMPTS: usize = 100;

/// The parameters of a run.
#[derive(Clone, Copy, Debug)]
pub(super) struct Plan {
    /// The number of users that the tasks act for.
    pub(super) users: u64,
    /// The number of calls of each task.
    pub(super) ops: u64,
    /// Whether all conversations are opened before the tasks start.
    pub(super) opened: bool,
    /// Whether tasks expire entries.
    pub(super) expires: bool,
}

/// A task, which acts as one device of a user.
pub(super) struct Actor<S> {
    task: u64,
    plan: Plan,
    user: u64,
    who: Principal,
    chance: Chance,
    /// The conversations that it knows, each with its two users.
    opened: Vec<(u64, u64, ConversationId)>,
    made: u64,
    recorder: Arc<Recorder<S>>,
    history: History,
}

impl<S: Store> Actor<S> {
    pub(super) fn new(
        task: u64,
        plan: Plan,
        seed: u64,
        opened: Vec<(u64, u64, ConversationId)>,
        recorder: Arc<Recorder<S>>,
    ) -> Self {
        let user = task % plan.users;
        let who = build::on(user, &format!("task{task}"));
        let chance = Chance::new(seed.wrapping_mul(1_000_003).wrapping_add(task), 0);
        Self { task, plan, user, who, chance, opened, made: 0, recorder, history: History::default() }
    }

    pub(super) async fn act(mut self) -> History {
        self.commit(vec![build::register_from(self.who.clone(), DeviceStart::Oldest, 64)]).await;
        for _ in 0..self.plan.ops {
            match self.chance.below(100) {
                0..50 => self.send().await,
                50..68 => self.acknowledge().await,
                68..74 => self.open().await,
                74..80 => self.publish().await,
                80..84 => {
                    let announce = build::announce(2, self.recorder.moment().0);
                    self.commit(vec![announce]).await;
                }
                84..88 => self.other_device().await,
                88..92 if self.plan.expires => self.expire().await,
                _ => self.look().await,
            }
        }
        self.history
    }

    /// Sends one message or three. Some answers are not waited for; the same is then sent again, as
    /// a client does.
    async fn send(&mut self) {
        let mine: Vec<_> = self
            .opened
            .iter()
            .filter(|(one, other, _)| [*one, *other].contains(&self.user))
            .copied()
            .collect();
        let Some((one, other, conversation)) = self.chance.pick(&mine) else { return self.open().await };
        let peer = if one == self.user { other } else { one };
        let several = self.chance.below(5) == 0;
        let mut sends: Vec<_> =
            (0..if several { 3 } else { 1 }).map(|_| self.message(conversation)).collect();
        if let [single] = sends.as_mut_slice()
            && self.chance.below(4) == 0
        {
            let key = self.recorder.store.key(build::user(peer)).await.expect("a key is read");
            single.recipient_key_version = key.map_or(Some(KeyVersion::FIRST), |key| Some(key.version));
        }
        for _ in 0..ATTEMPTS {
            let writes = sends.iter().cloned().map(Write::from).collect();
            let patience = (self.chance.below(4) == 0).then(|| 1 + self.chance.below(4));
            let call = self.recorder.commit(writes, patience).await;
            let answered = matches!(call.answer, Answer::Done(_));
            self.history.calls.push(call);
            if answered {
                return;
            }
            for send in &mut sends {
                (send.id, send.at) = (self.id(), self.now());
            }
        }
        panic!("none of {ATTEMPTS} attempts at one send was answered: {sends:?}");
    }

    fn message(&mut self, conversation: ConversationId) -> AppendMessage {
        let id = self.id();
        AppendMessage {
            id,
            conversation,
            sender: self.who.clone(),
            client_id: Some(build::client_id(self.task * 1_000_000 + self.made)),
            recipient_key_version: None,
            sent_at: Timestamp::from_millis(self.made),
            at: self.now(),
            ciphertext: build::ciphertext(format!("{} from {}", self.made, self.task)),
        }
    }

    async fn acknowledge(&mut self) {
        let page = inbox(&*self.recorder.store, self.who.clone(), InboxSeq::ZERO, OwnEntries::Skip).await;
        let some: Vec<_> = page.entries.iter().filter(|_| self.chance.below(3) == 0).collect();
        let target = match self.chance.below(5) {
            0 => {
                // A quarter of the page, so that later entries stay pending.
                let to = page.entries.get(page.entries.len() / 4).map_or(page.floor, |entry| entry.seq);
                AckTarget::UpTo(to)
            }
            1 | 2 => AckTarget::Entries(some.iter().map(|entry| entry.seq).collect()),
            _ => {
                let messages = some.iter().filter_map(|entry| entry.message());
                AckTarget::Messages(messages.map(|message| message.id).collect())
            }
        };
        self.commit(vec![Write::Acknowledge(Acknowledge { who: self.who.clone(), target })]).await;
    }

    async fn open(&mut self) {
        let other = (self.user + 1 + self.chance.below(self.plan.users - 1)) % self.plan.users;
        self.made += 1;
        let proposed = 1_000 + self.task * 1_000_000 + self.made;
        let open = build::open_from(proposed, self.who.clone(), other, self.now());
        let outcomes = self.commit(vec![open]).await;
        if let Some(Outcome::ConversationOpened { conversation, .. }) = outcomes.first() {
            let known = (self.user, other, conversation.id);
            if self.opened.iter().all(|(.., id)| *id != conversation.id) {
                self.opened.push(known);
            }
        }
    }

    async fn publish(&mut self) {
        let key = u8::try_from(1 + self.chance.below(200)).expect("small");
        let now = self.now().as_millis();
        self.commit(vec![build::publish(self.user, key, now)]).await;
    }

    /// Registers or forgets a device that the user's other tasks register and forget as well.
    async fn other_device(&mut self) {
        let who = build::on(self.user, "borrowed");
        let write = match self.chance.below(2) {
            0 => build::register_from(who, DeviceStart::Now, 64),
            _ => build::forget(who),
        };
        self.commit(vec![write]).await;
    }

    async fn expire(&mut self) {
        let before = self.now().as_millis().saturating_sub(300 + self.chance.below(300));
        let limit = usize::try_from(1 + self.chance.below(20)).expect("small");
        self.commit(vec![build::expire(before, limit)]).await;
    }

    async fn look(&mut self) {
        let user = build::user(self.chance.below(self.plan.users));
        let after = InboxSeq::new(self.chance.below(40));
        let read = self.recorder.read(user, after).await;
        // A cursor beyond the head shows no entries to check.
        if after <= read.page.head {
            self.history.reads.push(read);
        }
    }

    /// Commits and waits for the answer.
    async fn commit(&mut self, writes: Vec<Write>) -> Vec<Outcome> {
        let call = self.recorder.commit(writes, None).await;
        let outcomes = match &call.answer {
            Answer::Done(outcomes) => outcomes.clone(),
            Answer::Unknown | Answer::Failed => Vec::new(),
        };
        self.history.calls.push(call);
        outcomes
    }

    fn id(&mut self) -> MessageId {
        self.made += 1;
        build::message(self.task * 1_000_000 + self.made)
    }

    fn now(&self) -> Timestamp {
        let Moment(now) = self.recorder.moment();
        Timestamp::from_millis(now)
    }
}
