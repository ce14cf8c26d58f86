//! Tests of [`Write::apply`] that no store can make, because they see the calls of the rows. What
//! the rows are afterwards is tested for every store by the conformance suite.

use bytes::Bytes;

use super::*;
use crate::device::DeviceId;
use crate::inbox::{Notice, Notification, OtherNotice};
use crate::message::Ciphertext;
use crate::numbers::Registration;
use crate::participants::Participants;
use crate::record::{Kind, Name, Prefix, Tag};
use crate::store::gate::{Gate, GateChange, UserGate, UserGateChange};
use crate::store::write::AppendMessage;
use crate::testing::user;
use crate::time::Timestamp;

/// Rows that note which methods are called. Every record is there, with [`TAG`] and an empty value.
#[derive(Default)]
struct Rows {
    calls: Vec<&'static str>,
    /// The number of the call that fails, from 0; `None` if none does.
    fails_at: Option<usize>,
    /// Whether the action was done before.
    is_found: bool,
    /// The number of records under each prefix.
    names: usize,
}

const TAG: Tag = Tag::from_bytes([1; 16]);
const OTHER: Tag = Tag::from_bytes([2; 16]);

/// The methods that change rows.
const CHANGES: [&str; 7] =
    ["perform", "put", "remove", "set_revisions", "set_gate", "set_user_gate", "append_entry"];

impl Rows {
    fn call<T>(&mut self, name: &'static str, answer: T) -> Result<T, &'static str> {
        let is_failing = self.fails_at == Some(self.calls.len());
        self.calls.push(name);
        if is_failing { Err(name) } else { Ok(answer) }
    }

    fn has_changed(&self) -> bool {
        self.calls.iter().any(|call| CHANGES.contains(call))
    }
}

impl BatchRows for Rows {
    type Error = &'static str;
    type Plan = ();

    fn prepare(&mut self, _: Action) -> Result<Prepared<()>, Stop<Self::Error>> {
        let prepared = if self.is_found { Prepared::Found(Answer::None) } else { Prepared::Ready(()) };
        self.call("prepare", prepared).map_err(Stop::Failed)
    }

    fn perform(&mut self, (): (), _: &mut Vec<Notification>) -> Result<Answer, Self::Error> {
        self.call("perform", Answer::None)
    }

    fn peer(&self, (): &()) -> Option<UserId> {
        Some(user(2))
    }

    fn fence(&mut self, _: Owner) -> Result<Option<Tag>, Self::Error> {
        self.call("fence", Some(TAG))
    }

    fn record(&mut self, key: &RecordKey) -> Result<Option<Record>, Self::Error> {
        let key = key.clone();
        let record = Record { key, value: Bytes::new(), tag: TAG, due: None, revision: Revision::ZERO };
        self.call("record", Some(record))
    }

    fn names(&mut self, _: &Prefix, limit: usize) -> Result<Vec<Name>, Self::Error> {
        self.call("names", vec![Name::EMPTY; limit.min(self.names)])
    }

    fn put(&mut self, _: Record, _: Option<&Record>) -> Result<(), Self::Error> {
        self.call("put", ())
    }

    fn remove(&mut self, _: &Record) -> Result<(), Self::Error> {
        self.call("remove", ())
    }

    fn revisions(&mut self, _: UserId) -> Result<Revisions, Self::Error> {
        self.call("revisions", Revisions::default())
    }

    fn set_revisions(&mut self, _: UserId, _: Revisions) -> Result<(), Self::Error> {
        self.call("set_revisions", ())
    }

    fn gate(&mut self, _: Participants) -> Result<Gate, Self::Error> {
        self.call("gate", Gate::default())
    }

    fn set_gate(&mut self, _: Participants, _: Gate) -> Result<(), Self::Error> {
        self.call("set_gate", ())
    }

    fn user_gate(&mut self, _: UserId) -> Result<UserGate, Self::Error> {
        self.call("user_gate", UserGate::default())
    }

    fn set_user_gate(&mut self, _: UserId, _: UserGate) -> Result<(), Self::Error> {
        self.call("set_user_gate", ())
    }

    fn is_registered(&mut self, _: UserId, registration: Registration) -> Result<bool, Self::Error> {
        self.call("is_registered", registration == Registration::new(1))
    }

    fn append_entry(&mut self, to: UserId, entry: InboxEntry) -> Result<Notification, Self::Error> {
        self.call("append_entry", Notification { user: to, entry })
    }
}

fn key(name: &'static str) -> RecordKey {
    RecordKey::new(Owner::User(user(1)), Kind::custom(1, true).unwrap(), Name::new(name).unwrap())
}

fn under(name: &'static str) -> Prefix {
    let RecordKey { owner, kind, name } = key(name);
    Prefix { owner, kind, name }
}

fn send() -> Write {
    AppendMessage {
        id: crate::ids::MessageId::from_bytes([1; 16]),
        conversation: ConversationId::from_bytes([2; 16]),
        sender: user(1).into(),
        client_id: None,
        sent_at: Timestamp::from_millis(1),
        at: Timestamp::from_millis(1),
        ciphertext: Ciphertext::new(Bytes::from_static(b"x"), &[0; 24], None, None).unwrap(),
    }
    .into()
}

fn post(addressee: Option<u64>) -> Post {
    Post {
        to: user(3),
        addressee: addressee.map(Registration::new),
        origin: Some(DeviceId::default()),
        at: Timestamp::from_millis(1),
        notice: Notice::Other(OtherNotice::new(vec![200]).unwrap()),
    }
}

/// A send with every kind of condition and effect, which [`Rows`] let through.
fn with_everything() -> Write {
    let put = |name| Put::new(key(name), Bytes::from_static(b"v"), TAG);
    let pair = Participants::new(user(1), user(2)).unwrap();
    let changes = vec![
        Change::Put(put("a")),
        Change::Raise(put("b")),
        Change::Delete(key("c")),
        Change::Clear(under("d")),
        Change::TakeFirst { under: under("e"), or: Some(key("f")) },
        Change::Gate(GateChange::new(pair)),
        Change::UserGate(UserGateChange::new(user(1))),
    ];
    let expects = vec![
        Expect::Tagged(key("a"), TAG),
        Expect::Fewer { under: under("d"), than: 2 },
        Expect::Fence { of: Party::Sender, tag: TAG },
        Expect::Fence { of: Party::Peer, tag: TAG },
        Expect::Fence { of: Party::Conversation, tag: TAG },
    ];
    Write { expects, changes, posts: vec![post(None), post(Some(1))], ..send() }
}

#[test]
fn a_plain_send_reads_nothing_beside_its_action() {
    let mut rows = Rows::default();
    assert!(matches!(send().apply(&mut rows), Ok(Outcome::Done(_))));
    assert_eq!(rows.calls, ["prepare", "perform"]);
    // A send that names the key of its recipient reads one fence, and no record while it has it.
    let mut rows = Rows::default();
    let fenced = send().expect(Expect::Fence { of: Party::Peer, tag: TAG });
    assert!(matches!(fenced.apply(&mut rows), Ok(Outcome::Done(_))));
    assert_eq!(rows.calls, ["prepare", "fence", "perform"]);
}

#[test]
fn the_first_change_comes_after_the_last_check() {
    let mut rows = Rows { names: 1, ..Rows::default() };
    let Ok(Outcome::Done(done)) = with_everything().apply(&mut rows) else { panic!("refused") };
    let first = rows.calls.iter().position(|call| CHANGES.contains(call)).unwrap();
    let (checks, changes) = rows.calls.split_at(first);
    assert_eq!(checks, ["prepare", "record", "names", "fence", "fence", "fence", "names", "is_registered"],);
    assert_eq!(changes.first(), Some(&"perform"));
    assert_eq!(changes.iter().rev().take(2).collect::<Vec<_>>(), [&"append_entry"; 2]);
    assert_eq!((done.taken.len(), done.appended.len()), (1, 2));
    assert_eq!(done.revisions, [(user(1), Revision::new(1))], "these rows forget each revision");
}

#[test]
fn an_error_of_the_engine_at_any_call_is_the_error_of_the_write() {
    let mut rows = Rows { names: 1, ..Rows::default() };
    with_everything().apply(&mut rows).unwrap();
    for (n, call) in rows.calls.into_iter().enumerate() {
        let mut rows = Rows { names: 1, fails_at: Some(n), ..Rows::default() };
        assert_eq!(with_everything().apply(&mut rows).unwrap_err(), call);
        assert_eq!(rows.calls.len(), n + 1, "the write goes on after call {n} failed");
    }
}

#[test]
fn a_write_that_is_found_or_refused_at_any_check_changes_nothing() {
    let mut found = Rows { is_found: true, names: 1, ..Rows::default() };
    assert!(matches!(with_everything().apply(&mut found), Ok(Outcome::Done(Done { is_found: true, .. }))));
    assert_eq!(found.calls, ["prepare"]);
    let unmet = [
        Expect::Absent(key("a")),
        Expect::Tagged(key("a"), OTHER),
        Expect::Fewer { under: under("d"), than: 1 },
        Expect::Fence { of: Party::Sender, tag: OTHER },
        Expect::Fence { of: Party::Peer, tag: OTHER },
        Expect::Fence { of: Party::Conversation, tag: OTHER },
    ];
    let refused = unmet.into_iter().map(|expect| with_everything().expect(expect));
    let refused = refused.chain([with_everything().post(post(Some(2)))]).map(|write| (write, 1));
    let clearing = Write { expects: Vec::new(), ..with_everything() };
    for (write, names) in refused.chain([(clearing, Change::MAX_CLEARED + 1)]) {
        let mut rows = Rows { names, ..Rows::default() };
        assert!(matches!(write.clone().apply(&mut rows), Ok(Outcome::Refused(_))), "{write:?}");
        assert!(!rows.has_changed(), "{write:?}: {:?}", rows.calls);
    }
}
