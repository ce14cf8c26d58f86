//! Random conditions and effects, of so few keys and tags that they often meet. About half of them
//! concern a record that is there.

use dm_core::store::{Party, Update};
use proptest::prelude::*;

use super::effect::{Condition, Effect, Key, KindOf, NAMES, NameOf, OwnerOf, PutOf};
use super::ids::{CONVERSATIONS, DEVICES, USERS};

pub(super) fn kind() -> impl Strategy<Value = KindOf> + Clone {
    prop::sample::select(&KindOf::ALL[..])
}

/// A key. Keys of few owners and names come often. A synced record need not belong to a user, so
/// that some writes are invalid.
pub(super) fn key() -> impl Strategy<Value = Key> + Clone {
    let owner = prop_oneof![
        6 => (0..USERS).prop_map(OwnerOf::User),
        2 => (0..CONVERSATIONS).prop_map(OwnerOf::Conversation),
        1 => Just(OwnerOf::Store),
    ];
    let name = prop_oneof![
        6 => (0..4_usize).prop_map(NameOf::Text),
        2 => (4..NAMES.len()).prop_map(NameOf::Text),
        1 => (0..CONVERSATIONS).prop_map(NameOf::Conversation),
    ];
    let kind = prop_oneof![2 => Just(KindOf::Fence), 2 => Just(KindOf::Plain), 3 => Just(KindOf::Synced)];
    (owner, kind, name, any::<u8>()).prop_map(|(owner, kind, name, chance)| match (owner, kind) {
        // Most keys of fences are those of the fences themselves.
        (OwnerOf::User(_) | OwnerOf::Conversation(_), KindOf::Fence) if chance > 40 => {
            Key { owner, kind, name: NameOf::Text(0) }
        }
        (OwnerOf::Conversation(_) | OwnerOf::Store, KindOf::Synced) if chance > 20 => {
            Key { owner, kind: KindOf::Plain, name }
        }
        _ => Key { owner, kind, name },
    })
}

/// The records that a script has put so far and that are still there, with their tags.
#[derive(Clone, Debug, Default)]
pub(super) struct Present(pub(super) Vec<(Key, u64)>);

impl Present {
    fn tagged(&self) -> BoxedStrategy<(Key, u64)> {
        match self.0.as_slice() {
            [] => (key(), tag()).boxed(),
            present => {
                let present = prop::sample::select(present.to_vec());
                prop_oneof![3 => present, 1 => (key(), tag())].boxed()
            }
        }
    }

    fn key(&self) -> BoxedStrategy<Key> {
        prop_oneof![1 => self.tagged().prop_map(|(key, _)| key), 1 => key()].boxed()
    }

    /// The empty prefix of an owner and kind that has records, or the prefix of one of them.
    fn prefix(&self) -> BoxedStrategy<Key> {
        let whole = |key| Key { name: NameOf::Text(0), ..key };
        prop_oneof![1 => self.key(), 2 => self.key().prop_map(whole)].boxed()
    }

    /// The fences of the parties of a send.
    pub(super) fn fences(&self, sender: u64, peer: u64, conversation: u64) -> Vec<(Party, u64)> {
        let parties = [
            (Party::Sender, OwnerOf::User(sender)),
            (Party::Peer, OwnerOf::User(peer)),
            (Party::Conversation, OwnerOf::Conversation(conversation)),
        ];
        let fence = |(of, owner)| {
            let key = Key { owner, kind: KindOf::Fence, name: NameOf::Text(0) };
            self.0.iter().find(|(present, _)| *present == key).map(|(_, tag)| (of, *tag))
        };
        parties.into_iter().filter_map(fence).collect()
    }

    /// The tag of a fence.
    fn fence_tag(&self) -> BoxedStrategy<u64> {
        let fences: Vec<_> =
            self.0.iter().filter(|(key, _)| key.key().is_fence()).map(|(_, tag)| *tag).collect();
        if fences.is_empty() { tag().boxed() } else { prop::sample::select(fences).boxed() }
    }
}

/// The number of a tag.
fn tag() -> impl Strategy<Value = u64> + Clone {
    0..3_u64
}

/// A condition. Of an action with parties, it is most often about a fence. `fences` are the fences of
/// its parties that are there.
pub(super) fn condition(
    has_parties: bool,
    fences: &[(Party, u64)],
    present: &Present,
) -> BoxedStrategy<Condition> {
    let of = prop::sample::select(vec![Party::Sender, Party::Peer, Party::Peer, Party::Conversation]);
    let (any_fence, met_fence) = match (has_parties, fences) {
        (false, _) => (0, 0),
        (true, []) => (3, 0),
        (true, _) => (3, 12),
    };
    let met = if fences.is_empty() { vec![(Party::Sender, 0)] } else { fences.to_vec() };
    prop_oneof![
        met_fence => prop::sample::select(met).prop_map(|(of, tag)| Condition::Fence(of, tag)),
        any_fence => (of, present.fence_tag()).prop_map(|(of, tag)| Condition::Fence(of, tag)),
        2 => key().prop_map(Condition::Absent),
        3 => present.tagged().prop_map(|(key, tag)| Condition::Tagged(key, tag)),
        1 => (present.prefix(), 0..4_u16).prop_map(|(under, than)| Condition::Fewer(under, than)),
    ]
    .boxed()
}

/// A change or a post, around a time.
pub(super) fn effect(now: i64, present: &Present) -> BoxedStrategy<Effect> {
    let value = prop_oneof![2 => Just(0_u8), 6 => 1..4_u8, 1 => Just(200)];
    let due = prop::option::weighted(0.4, now - 5..now + 50);
    let put =
        (present.key(), value, tag(), due).prop_map(|(key, value, tag, due)| PutOf { key, value, tag, due });
    let messages = (0..4_u64, prop_oneof![3 => Just(1_000_000), 1 => 0..5_000_u64]);
    let bits = |none: u32| prop_oneof![none => Just(0_u8), 1 => Just(1), 1 => Just(2)];
    // Gates are opened more often than closed, so that most sends pass.
    let gate = (
        0..USERS,
        1..USERS,
        bits(6),
        prop_oneof![bits(1), Just(3)],
        update(messages.clone()),
        update(messages),
    );
    let gate = gate.prop_map(|(one, more, close, open, a, b)| {
        let other = (one + more) % USERS;
        Effect::Gate { one, other, close, open, a, b }
    });
    let close = prop_oneof![2 => Just(None), 1 => Just(Some(true)), 4 => Just(Some(false))];
    let user_gate = (0..USERS, close, update(0..30_u64))
        .prop_map(|(user, close, ceiling)| Effect::UserGate { user, close, ceiling });
    let post = (
        0..USERS,
        0..5_u64,
        prop::option::weighted(0.5, 1..4_u64),
        prop::option::weighted(0.2, 0..DEVICES.len()),
    );
    let post =
        post.prop_map(|(to, says, registration, origin)| Effect::Post { to, says, registration, origin });
    prop_oneof![
        8 => put.clone().prop_map(Effect::Put),
        3 => put.prop_map(Effect::Raise),
        2 => present.key().prop_map(Effect::Delete),
        1 => present.prefix().prop_map(Effect::Clear),
        2 => (present.prefix(), prop::option::of(present.key())).prop_map(|(under, or)| Effect::Take(under, or)),
        2 => gate,
        1 => user_gate,
        4 => post,
    ]
    .boxed()
}

fn update<T: std::fmt::Debug + Clone + 'static>(
    value: impl Strategy<Value = T> + 'static,
) -> BoxedStrategy<Update<T>> {
    prop_oneof![3 => Just(Update::Keep), 1 => value.prop_map(Update::Set), 2 => Just(Update::Remove)].boxed()
}
