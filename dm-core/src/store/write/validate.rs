//! [`Write::validate`], which finds writes that no store may accept.

use super::{Action, Change, Expect, Party, Write};
use crate::invalid::Invalid;
use crate::record::{Kind, Owner, Prefix, Record, RecordKey};

impl Write {
    /// Checks what can be checked without the store: the numbers and sizes of conditions and
    /// effects, and that no key is in two changes. [`apply`](Self::apply) calls this.
    ///
    /// # Errors
    /// [`Invalid`] with the first field that is not acceptable.
    pub fn validate(&self) -> Result<(), Invalid> {
        if self.expects.is_empty() && self.changes.is_empty() && self.posts.is_empty() {
            return Ok(());
        }
        if self.expects.len() > Self::MAX_EXPECTS {
            return Err(Invalid::new("expects", "too many conditions"));
        }
        if self.changes.len() > Self::MAX_CHANGES {
            return Err(Invalid::new("changes", "too many changes"));
        }
        if self.posts.len() > Self::MAX_POSTS {
            return Err(Invalid::new("posts", "too many posts"));
        }
        self.expects.iter().try_for_each(|expect| expect.validate(&self.action))?;
        self.changes.iter().try_for_each(Change::validate)?;
        let values = self.changes.iter().map(Change::value_len).sum::<usize>();
        if values > Self::MAX_VALUES {
            return Err(Invalid::new("changes", "the values are too long together"));
        }
        let overlaps = |(i, change): (usize, &Change)| {
            self.changes.iter().take(i).any(|earlier| earlier.overlaps(change))
        };
        if self.changes.iter().enumerate().any(overlaps) {
            return Err(Invalid::new("changes", "a key is in two changes"));
        }
        Ok(())
    }
}

impl Expect {
    fn validate(&self, action: &Action) -> Result<(), Invalid> {
        match self {
            Self::Absent(key) | Self::Tagged(key, _) => check_kind(key.kind, key.owner),
            Self::Fewer { than, .. } if *than > Self::MAX_COUNT => {
                Err(Invalid::new("expects", "a condition counts too many records"))
            }
            Self::Fewer { under, .. } => check_kind(under.kind, under.owner),
            Self::Fence { of, .. } => match action {
                Action::AppendMessage(_) => Ok(()),
                Action::OpenConversation(_) if *of != Party::Conversation => Ok(()),
                _ => Err(Invalid::new("expects", "the action has no such party")),
            },
        }
    }
}

impl Change {
    fn validate(&self) -> Result<(), Invalid> {
        match self {
            Self::Put(put) | Self::Raise(put) if put.value.len() > Record::MAX_VALUE => {
                Err(Invalid::new("changes", "a value is longer than 128 KiB"))
            }
            Self::Put(put) | Self::Raise(put) => check_kind(put.key.kind, put.key.owner),
            Self::Delete(key) => check_kind(key.kind, key.owner),
            Self::Clear(under) => check_kind(under.kind, under.owner),
            Self::TakeFirst { under, or } => {
                check_kind(under.kind, under.owner)?;
                or.as_ref().map_or(Ok(()), |key| check_kind(key.kind, key.owner))
            }
            Self::Gate(_) | Self::UserGate(_) => Ok(()),
        }
    }

    /// The length of the value that the change stores, in bytes.
    pub(crate) fn value_len(&self) -> usize {
        match self {
            Self::Put(put) | Self::Raise(put) => put.value.len(),
            _ => 0,
        }
    }

    /// The owner of the records that the change is about; of a gate the user, or the smaller one of
    /// the pair.
    pub(crate) fn owner(&self) -> Option<Owner> {
        match self {
            Self::Gate(change) => Some(Owner::User(change.pair.a())),
            Self::UserGate(change) => Some(Owner::User(change.user)),
            _ => {
                let (key, under) = self.targets();
                key.map(|key| key.owner).or(under.map(|under| under.owner))
            }
        }
    }

    /// The key and the prefix that the change is about.
    fn targets(&self) -> (Option<&RecordKey>, Option<&Prefix>) {
        match self {
            Self::Put(put) | Self::Raise(put) => (Some(&put.key), None),
            Self::Delete(key) => (Some(key), None),
            Self::Clear(under) => (None, Some(under)),
            Self::TakeFirst { under, or } => (or.as_ref(), Some(under)),
            Self::Gate(_) | Self::UserGate(_) => (None, None),
        }
    }

    /// Whether both changes are about the same record, or may be.
    fn overlaps(&self, other: &Self) -> bool {
        if let (Self::Gate(one), Self::Gate(other)) = (self, other) {
            return one.pair == other.pair;
        }
        if let (Self::UserGate(one), Self::UserGate(other)) = (self, other) {
            return one.user == other.user;
        }
        let ((key, under), (other_key, other_under)) = (self.targets(), other.targets());
        let is_under = |key: Option<&RecordKey>, under: Option<&Prefix>| {
            key.zip(under).is_some_and(|(key, under)| under.contains(key))
        };
        let nested = under
            .zip(other_under)
            .is_some_and(|(one, other)| one.contains(&other.first_key()) || other.contains(&one.first_key()));
        (key.is_some() && key == other_key)
            || is_under(key, other_under)
            || is_under(other_key, under)
            || nested
    }
}

/// Synced records belong to users, because their devices are what is kept in sync.
fn check_kind(kind: Kind, owner: Owner) -> Result<(), Invalid> {
    if kind.is_synced() && !matches!(owner, Owner::User(_)) {
        return Err(Invalid::new("kind", "a synced record that is not a user's"));
    }
    if kind.get() & !(1 << 15) == 0 {
        return Err(Invalid::new("kind", "zero is no kind"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::record::{Name, Tag};
    use crate::store::write::Put;
    use crate::store::{GateChange, UserGateChange};
    use crate::testing::user;

    fn key(name: &'static str) -> RecordKey {
        RecordKey::new(Owner::User(user(1)), Kind::custom(1, true).unwrap(), Name::new(name).unwrap())
    }

    fn under(name: &'static str) -> Prefix {
        let RecordKey { owner, kind, name } = key(name);
        Prefix { owner, kind, name }
    }

    fn put(name: &'static str, len: usize) -> Change {
        Change::Put(Put::new(key(name), Bytes::from(vec![1; len]), Tag::from_bytes([1; 16])))
    }

    fn changes(changes: Vec<Change>) -> Result<(), Invalid> {
        Write { changes, ..Write::default() }.validate()
    }

    #[test]
    fn a_key_in_two_changes_is_invalid_also_under_prefixes() {
        let take = |name, or| Change::TakeFirst { under: under(name), or };
        for pair in [
            vec![put("a", 1), put("a", 2)],
            vec![put("a", 1), Change::Delete(key("a"))],
            vec![put("ab", 1), Change::Clear(under("a"))],
            vec![Change::Clear(under("ab")), Change::Clear(under("a"))],
            vec![take("a", None), Change::Clear(under("ab"))],
            vec![take("b", Some(key("a"))), put("a", 1)],
        ] {
            assert!(changes(pair.clone()).is_err(), "{pair:?}");
            assert!(changes(pair.into_iter().rev().collect()).is_err());
        }
        assert!(changes(vec![put("a", 1), Change::Clear(under("ab")), take("b", Some(key("c")))]).is_ok());
        let pair = crate::Participants::new(user(1), user(2)).unwrap();
        let gate = || Change::Gate(GateChange::new(pair));
        let user_gate = |n| Change::UserGate(UserGateChange::new(user(n)));
        assert!(changes(vec![gate(), user_gate(1), user_gate(2)]).is_ok());
        assert!(changes(vec![gate(), gate()]).is_err());
        assert!(changes(vec![user_gate(1), user_gate(1)]).is_err());
    }

    #[test]
    fn sizes_at_the_limit_are_accepted_and_one_more_is_refused() {
        assert!(changes(vec![put("a", 128 * 1024)]).is_ok());
        assert!(changes(vec![put("a", 128 * 1024 + 1)]).is_err());
        let eight: Vec<_> =
            ["a", "b", "c", "d", "e", "f", "g", "h"].into_iter().map(|name| put(name, 128 * 1024)).collect();
        assert!(changes(eight.clone()).is_ok());
        assert!(changes([eight, vec![put("i", 1)]].concat()).is_err());
        let expects = |count| Write { expects: vec![Expect::Absent(key("a")); count], ..Write::default() };
        assert!(expects(64).validate().is_ok());
        assert_eq!(expects(65).validate().unwrap_err().field(), "expects");
        let fewer = |than| Write::default().expect(Expect::Fewer { under: under("a"), than }).validate();
        assert!(fewer(1024).is_ok());
        assert!(fewer(1025).is_err());
    }

    #[test]
    fn fences_need_an_action_with_the_party_and_synced_records_a_user() {
        let fence = |of| Expect::Fence { of, tag: Tag::from_bytes([1; 16]) };
        assert!(Write::default().expect(fence(Party::Sender)).validate().is_err());
        let store = RecordKey { owner: Owner::Store, ..key("a") };
        assert_eq!(changes(vec![Change::Delete(store)]).unwrap_err().field(), "kind");
        let none = RecordKey { kind: Kind::from_stored(0), ..key("a") };
        assert!(changes(vec![Change::Delete(none)]).is_err());
    }
}
