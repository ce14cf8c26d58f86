//! One task of a run: it makes random calls, as a client does.

use std::collections::BTreeMap;
use std::sync::Arc;

use dm_core::store::{
    AckTarget, Acknowledge, AppendMessage, Change, ConversationId, DeviceStart, Expect, InboxSeq, MessageId,
    Outcome, OwnEntries, Owner, Party, Post, Principal, Put, RecordKey, Store, Tag, Timestamp, UserId, Write,
};

use super::recorder::{Recorder, fence, inbox};
use super::{History, Moment, Reply};
use crate::build;
use crate::chance::Chance;
use crate::outcome::opened;

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
    /// The fences as it last read them.
    fences: BTreeMap<Owner, Tag>,
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
        let (fences, history) = (BTreeMap::new(), History::default());
        Self { task, plan, user, who, chance, opened, fences, made: 0, recorder, history }
    }

    pub(super) async fn act(mut self) -> History {
        self.commit(vec![build::register_from(self.who.clone(), DeviceStart::Oldest, 64)]).await;
        for _ in 0..self.plan.ops {
            match self.chance.below(100) {
                0..50 => self.send().await,
                50..68 => self.acknowledge().await,
                68..74 => self.open().await,
                74..80 => self.move_own_fence().await,
                80..84 => self.move_fence_of_a_conversation().await,
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
        let Some((one, other, conversation)) = self.own_conversation() else { return self.open().await };
        let peer = if one == self.user { other } else { one };
        let several = self.chance.below(5) == 0;
        let mut sends: Vec<_> =
            (0..if several { 3 } else { 1 }).map(|_| self.message(conversation)).collect();
        let expects = self.named_fences(peer, conversation).await;
        for _ in 0..ATTEMPTS {
            let with_fences = |send| Write { expects: expects.clone(), ..Write::from(send) };
            let writes = sends.iter().cloned().map(with_fences).collect();
            let patience = (self.chance.below(4) == 0).then(|| 1 + self.chance.below(4));
            let call = self.recorder.commit(writes, patience).await;
            let answered = matches!(call.reply, Reply::Done(_));
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

    /// One of the conversations that the user is in.
    fn own_conversation(&mut self) -> Option<(u64, u64, ConversationId)> {
        let own = |(one, other, _): &&(u64, u64, ConversationId)| [*one, *other].contains(&self.user);
        let own: Vec<_> = self.opened.iter().filter(own).copied().collect();
        self.chance.pick(&own)
    }

    /// Conditions of a send, in a third of the cases: one fence or all three. In half of the cases
    /// they are as the task knows them from earlier, as a client does, and may have moved since.
    async fn named_fences(&mut self, peer: u64, conversation: ConversationId) -> Vec<Expect> {
        let parties = [
            (Party::Sender, Owner::User(self.who.user)),
            (Party::Peer, Owner::User(build::user(peer))),
            (Party::Conversation, Owner::Conversation(conversation)),
        ];
        let named = match self.chance.below(15) {
            0 => &parties[..],
            1 => &parties[..1],
            2 | 3 => &parties[1..2],
            4 => &parties[2..],
            _ => &[],
        };
        let mut expects = Vec::new();
        for (of, owner) in named {
            if self.chance.below(2) == 0 || !self.fences.contains_key(owner) {
                let now = fence(&*self.recorder.store, *owner).await;
                self.fences.extend(now.map(|tag| (*owner, tag)));
            }
            expects.extend(self.fences.get(owner).map(|tag| Expect::Fence { of: *of, tag: *tag }));
        }
        expects
    }

    fn message(&mut self, conversation: ConversationId) -> AppendMessage {
        let id = self.id();
        AppendMessage {
            id,
            conversation,
            sender: self.who.clone(),
            client_id: Some(build::client_id(self.task * 1_000_000 + self.made)),
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
        self.commit(vec![Acknowledge { who: self.who.clone(), target }.into()]).await;
    }

    async fn open(&mut self) {
        let other = (self.user + 1 + self.chance.below(self.plan.users - 1)) % self.plan.users;
        self.made += 1;
        let proposed = 1_000 + self.task * 1_000_000 + self.made;
        let open = build::open_from(proposed, self.who.clone(), other, self.now());
        let outcomes = self.commit(vec![open]).await;
        if let Some(Outcome::Done(done)) = outcomes.first() {
            let (conversation, _) = opened(done);
            let known = (self.user, other, conversation.id);
            if self.opened.iter().all(|(.., id)| *id != conversation.id) {
                self.opened.push(known);
            }
        }
    }

    async fn move_own_fence(&mut self) {
        let inboxes = [self.who.user];
        self.move_fence(Owner::User(self.who.user), &inboxes).await;
    }

    async fn move_fence_of_a_conversation(&mut self) {
        let Some((one, other, id)) = self.own_conversation() else { return };
        let inboxes = [build::user(one), build::user(other)];
        self.move_fence(Owner::Conversation(id), &inboxes).await;
    }

    /// Puts a fence with a tag of its own. A notice with that tag goes to the inboxes that get the
    /// messages of the sends that can name it, so that its number tells which of them came before.
    async fn move_fence(&mut self, owner: Owner, inboxes: &[UserId]) {
        self.made += 1;
        let (number, at) = (self.task * 1_000_000 + self.made, self.now());
        let key = RecordKey::fence(owner);
        let put = Put::new(key.clone(), number.to_be_bytes().to_vec().into(), build::tag(number));
        let mut write = Write::default().change(Change::Put(put));
        if self.chance.below(2) == 0 {
            let current = fence(&*self.recorder.store, owner).await;
            write = write.expect(current.map_or(Expect::Absent(key.clone()), |tag| Expect::Tagged(key, tag)));
        }
        for to in inboxes {
            let notice = build::notice(number);
            write = write.post(Post { to: *to, addressee: None, origin: None, at, notice });
        }
        let patience = (self.chance.below(4) == 0).then(|| 1 + self.chance.below(4));
        let call = self.recorder.commit(vec![write], patience).await;
        self.history.calls.push(call);
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
        let outcomes = match &call.reply {
            Reply::Done(outcomes) => outcomes.clone(),
            Reply::Unknown | Reply::Failed => Vec::new(),
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
