//! Random scripts, with so few users, conversations and devices that operations often concern the
//! same.

use std::marker::PhantomData;

use dm_core::store::{DeviceStart, HistoryRange, OwnEntries, ServerSequence};
use proptest::prelude::*;
use proptest_state_machine::ReferenceStateMachine;

use super::effect::{Effect, NameOf};
use super::generate_effects::{Present, condition, effect, key, kind};
use super::ids::{CONVERSATIONS, DEVICES, PAIRS, USERS, Who, after_start, nth_user as user};
use super::op::{Act, Content, Handle, Op, Step, Target};
use super::query::{Order, Read, Records};
use super::state::Model;
use crate::{Harness, build};

/// The number of message numbers that one batch may use.
const PER_STEP: u64 = 100;

const DAY: i64 = 86_400_000;

/// The earlier steps of a script, as far as the next step depends on them.
#[derive(Clone, Debug, Default)]
pub(super) struct Draft {
    model: Model,
    now: i64,
    steps: u64,
    /// The sends, and the writes without an action, for repeats.
    sends: Vec<Op>,
    present: Present,
}

/// A source of scripts for the stores of a harness.
#[derive(Debug)]
pub(super) struct Scripts<H>(PhantomData<H>);

impl<H: Harness> ReferenceStateMachine for Scripts<H> {
    type State = Draft;
    type Transition = Step;

    fn init_state() -> BoxedStrategy<Draft> {
        Just(Draft::default()).boxed()
    }

    fn transitions(draft: &Draft) -> BoxedStrategy<Step> {
        let base = draft.steps * PER_STEP;
        let through = prop_oneof![3 => Just(Handle::First), 1 => Just(Handle::Other)];
        let batch = (through, prop::collection::vec(draft.op(), 1..8)).prop_map(move |(through, mut ops)| {
            for (number, op) in (base..).zip(&mut ops) {
                if let Act::Append { message, .. } = &mut op.act {
                    *message = number;
                }
            }
            Step::Batch { through, ops }
        });
        let clock = prop_oneof![2 => -3..=3_i64, 1 => Just(DAY), 1 => Just(-DAY)].prop_map(Step::Clock);
        let reopen = if H::REOPENS { 2 } else { 0 };
        prop_oneof![
            16 => batch,
            1 => clock,
            5 => draft.read().prop_map(Step::Read),
            reopen => Just(Step::Reopen),
        ]
        .boxed()
    }

    fn apply(mut draft: Draft, step: &Step) -> Draft {
        draft.steps += 1;
        match step {
            Step::Batch { ops, .. } => {
                draft.now += 1;
                for op in ops {
                    draft.model.apply(&op.write(draft.now));
                    if matches!(op.act, Act::Append { .. } | Act::None) {
                        draft.sends.push(op.clone());
                    }
                    for effect in &op.effects {
                        if let Effect::Put(put) | Effect::Raise(put) = effect {
                            draft.present.0.push((put.key, put.tag));
                        }
                    }
                }
                let Self::State { model, present, .. } = &mut draft;
                present.0.retain(|(key, tag)| {
                    model.record(&key.key()).is_some_and(|record| record.tag == build::tag(*tag))
                });
            }
            Step::Clock(jump) => draft.now += jump,
            Step::Reopen | Step::Read(_) => {}
        }
        draft
    }
}

impl Draft {
    fn op(&self) -> BoxedStrategy<Op> {
        let opened = self.open_conversations();
        // Other operations have little effect before there are conversations and devices.
        let to_open = if opened.len() < 3 { 12 } else { 3 };
        let to_append = if opened.is_empty() { 2 } else { 24 };
        let to_repeat = if self.sends.is_empty() { 0 } else { 6 };
        let registered = self.registered();
        let to_ack = if registered.is_empty() { 1 } else { 10 };
        let open = (0..CONVERSATIONS, any::<bool>(), device()).prop_map(|(conversation, swapped, device)| {
            let (one, other) = pair(conversation, swapped);
            Act::Open { conversation, opener: Who { user: one, device }, other }
        });
        let register = (who(), any::<bool>(), prop_oneof![3 => Just(8_usize), 1 => 0..4_usize]).prop_map(
            |(who, now, limit)| Act::Register {
                who,
                start: if now { DeviceStart::Now } else { DeviceStart::Oldest },
                limit,
            },
        );
        let some_limit = prop_oneof![2 => 0..5_usize, 1 => Just(1_000)];
        let expire = (self.time(), some_limit).prop_map(|(before, limit)| Act::Expire { before, limit });
        let forget = somebody(registered.clone()).prop_map(|who| Act::Forget { who });
        prop_oneof![
            14 => self.records(),
            to_open => self.with_effects(open),
            to_append => self.with_effects(self.append(opened)),
            to_repeat => self.repeat(),
            to_ack => self.with_effects(self.ack(registered)),
            7 => self.with_effects(register),
            1 => self.with_effects(forget),
            2 => expire.prop_map(Op::from),
        ]
        .boxed()
    }

    /// An action, in half of the cases with conditions, effects or both.
    fn with_effects(&self, act: impl Strategy<Value = Act> + 'static) -> BoxedStrategy<Op> {
        let (now, present) = (self.now, self.present.clone());
        (act, 0..6_u8)
            .prop_flat_map(move |(act, part)| {
                let fences = match act {
                    Act::Append { conversation, sender, .. } => {
                        let (one, other) = pair(conversation, false);
                        let peer = if sender.user == one { other } else { one };
                        Some(present.fences(sender.user, peer, conversation))
                    }
                    _ => None,
                };
                let condition = condition(fences.is_some(), fences.as_deref().unwrap_or_default(), &present);
                let conditions = if part < 2 { 1..3 } else { 0..1 };
                let effects = if part == 1 || part == 2 { 1..3 } else { 0..1 };
                let conditions = prop::collection::vec(condition, conditions);
                (Just(act), conditions, prop::collection::vec(effect(now, &present), effects))
            })
            .prop_map(|(act, conditions, effects)| Op { act, conditions, effects })
            .boxed()
    }

    /// Conditions and effects without an action.
    fn records(&self) -> BoxedStrategy<Op> {
        let conditions = prop::collection::vec(condition(false, &[], &self.present), 0..3);
        (conditions, prop::collection::vec(effect(self.now, &self.present), 0..5))
            .prop_map(|(conditions, effects)| Op { act: Act::None, conditions, effects })
            .boxed()
    }

    /// A send to an open conversation, in most cases from one of its users.
    fn append(&self, opened: Vec<u64>) -> BoxedStrategy<Act> {
        let anywhere = 0..CONVERSATIONS;
        let conversation = if opened.is_empty() {
            anywhere.boxed()
        } else {
            prop_oneof![9 => prop::sample::select(opened), 1 => anywhere].boxed()
        };
        let stranger = prop::option::weighted(0.05, 0..USERS);
        let size = prop_oneof![6 => 1..4_usize, 1 => Just(3_000)];
        let content = (0..3_u8, size).prop_map(|(kind, size)| Content { kind, size });
        let client = prop::option::weighted(0.7, 0..4_u64);
        (conversation, any::<bool>(), stranger, device(), client, content)
            .prop_map(|(conversation, swapped, stranger, device, client, content)| {
                let sender = Who { user: stranger.unwrap_or(pair(conversation, swapped).0), device };
                Act::Append { message: 0, conversation, sender, client, content }
            })
            .boxed()
    }

    /// A retry of an earlier send, sometimes from another device, with a change, or with other
    /// conditions.
    fn repeat(&self) -> BoxedStrategy<Op> {
        let mut sends = self.sends.clone();
        if sends.is_empty() {
            sends.push(Act::None.into());
        }
        let conditions =
            prop::option::weighted(0.3, prop::collection::vec(condition(true, &[], &self.present), 0..2));
        (prop::sample::select(sends), device(), prop::option::weighted(0.2, 0..3_u8), conditions)
            .prop_map(|(mut op, to, changed, conditions)| {
                if let Act::Append { sender, content, .. } = &mut op.act {
                    sender.device = to;
                    content.kind = changed.unwrap_or(content.kind);
                    if let Some(conditions) = conditions {
                        op.conditions = conditions;
                    }
                }
                op
            })
            .boxed()
    }

    /// In most cases by a registered device, of entries and messages that exist or almost exist.
    fn ack(&self, registered: Vec<Who>) -> BoxedStrategy<Act> {
        let by = somebody(registered);
        let heads: Vec<u64> = (0..USERS).map(|n| self.model.head(user(n))).collect();
        let first = (self.steps * PER_STEP).saturating_sub(5 * PER_STEP);
        let message = (first / PER_STEP..=self.steps, 0..8_u64).prop_map(|(step, n)| step * PER_STEP + n);
        // Hundredths of the inbox, one step beyond it, and the largest number.
        let part = || prop_oneof![20 => 0..=100_u64, 1 => Just(101), 1 => Just(u64::MAX)];
        let target = prop_oneof![
            2 => part().prop_map(Target::UpTo),
            4 => prop::collection::vec(part(), 0..5).prop_map(Target::Entries),
            4 => prop::collection::vec(message, 0..6).prop_map(Target::Messages),
        ];
        (by, target)
            .prop_map(move |(who, mut target)| {
                let head = usize::try_from(who.user).ok().and_then(|n| heads.get(n)).copied().unwrap_or(0);
                match &mut target {
                    Target::UpTo(part) => *part = of(*part, head),
                    Target::Entries(parts) => {
                        parts.iter_mut().for_each(|part| *part = of(*part, head));
                    }
                    Target::Messages(_) => {}
                }
                Act::Ack { who, target }
            })
            .boxed()
    }

    fn read(&self) -> BoxedStrategy<Read> {
        let limit = || prop_oneof![2 => 1..5_usize, 1 => Just(1_000)];
        let bytes = || prop_oneof![Just(usize::MAX), 1..2_000_usize, Just(1), Just(4_000)];
        let number = || prop_oneof![8 => 0..12_u64, 1 => Just(u64::MAX)];
        let own = prop_oneof![
            2 => Just(OwnEntries::Skip),
            2 => Just(OwnEntries::Include),
            1 => Just(OwnEntries::ReceivedOnly),
        ];
        let inbox = (who(), number(), own, limit(), bytes())
            .prop_map(|(who, after, own, limit, bytes)| Read::Inbox { who, after, own, limit, bytes });
        let range = prop_oneof![
            Just(HistoryRange::Newest),
            number().prop_map(|n| HistoryRange::Before(ServerSequence::new(n))),
            number().prop_map(|n| HistoryRange::After(ServerSequence::new(n))),
        ];
        let history = (0..USERS, 0..CONVERSATIONS, range, limit(), bytes()).prop_map(
            |(reader, conversation, range, limit, bytes)| Read::History {
                reader,
                conversation,
                range,
                limit,
                bytes,
            },
        );
        let cursor = (prop::option::of(self.time()), 0..CONVERSATIONS);
        let order = prop_oneof![
            prop::option::of(cursor).prop_map(Order::Active),
            prop::option::of(0..CONVERSATIONS).prop_map(Order::Opened),
        ];
        let list = (0..USERS, order, prop::collection::vec(kind(), 0..4), limit())
            .prop_map(|(user, order, kinds, limit)| Read::List { user, order, kinds, limit });
        let due = || -20..60_i64;
        let now = self.now;
        let records = prop_oneof![
            3 => (key(), prop::option::of(0..8_usize))
                .prop_map(|(key, after)| Records::Under(key, after.map(NameOf::Text))),
            3 => (0..USERS, number()).prop_map(|(user, revision)| Records::Since(user, revision)),
            2 => (kind(), due(), prop::option::of((due(), key()))).prop_map(move |(kind, until, after)| {
                Records::Due(kind, now + until, after.map(|(at, key)| (now + at, key)))
            }),
        ];
        let scan = (records, limit(), bytes()).prop_map(|(records, limit, bytes)| Read::Scan {
            records,
            limit,
            bytes,
        });
        prop_oneof![3 => inbox, 3 => history, 2 => list, 3 => scan].boxed()
    }

    /// A time at or near which an entry was queued.
    fn time(&self) -> BoxedStrategy<i64> {
        let mut times: Vec<_> = self.model.queued().map(after_start).collect();
        times.push(self.now);
        (prop::sample::select(times), 0..3_i64).prop_map(|(time, more)| time + more).boxed()
    }

    fn registered(&self) -> Vec<Who> {
        (0..USERS)
            .flat_map(|n| {
                let names = self.model.device_names(user(n));
                let numbers = names.filter_map(|name| DEVICES.iter().position(|d| *d == name.as_str()));
                numbers.map(move |device| Who { user: n, device }).collect::<Vec<_>>()
            })
            .collect()
    }

    fn open_conversations(&self) -> Vec<u64> {
        let open = |n: &u64| self.model.conversation(build::conversation(*n)).is_some();
        (0..CONVERSATIONS).filter(open).collect()
    }
}

fn device() -> impl Strategy<Value = usize> + Clone {
    0..DEVICES.len()
}

fn who() -> impl Strategy<Value = Who> + Clone {
    (0..USERS, device()).prop_map(|(user, device)| Who { user, device })
}

/// In most cases one of these devices.
fn somebody(devices: Vec<Who>) -> BoxedStrategy<Who> {
    if devices.is_empty() {
        return who().boxed();
    }
    prop_oneof![8 => prop::sample::select(devices), 1 => who()].boxed()
}

/// The pair of a conversation's number, in either order.
fn pair(conversation: u64, swapped: bool) -> (u64, u64) {
    let index = usize::try_from(conversation / 2).expect("small");
    let (one, other) = PAIRS[index];
    if swapped { (other, one) } else { (one, other) }
}

/// A number at so many hundredths of an inbox. A part above a hundred is beyond its head.
fn of(part: u64, head: u64) -> u64 {
    match part {
        0..=100 => (part * head).div_ceil(100),
        101 => head + 1,
        beyond => beyond,
    }
}
