//! Builders of users, devices, ids, times and writes from small numbers.

use curve25519_dalek::{EdwardsPoint, Scalar};
use dm_core::store::{
    AckTarget, Acknowledge, AppendMessage, Change, Ciphertext, ClientMessageId, ConversationId, DeviceId,
    DeviceStart, Expect, Expire, ForgetDevice, InboxSeq, KeyBinding, KeyRecord, KeyVersion, Kind, MessageId,
    Name, Notice, OpenConversation, OtherNotice, Participants, Party, Post, Principal, Put, Record,
    RecordKey, RegisterDevice, Revision, Tag, Timestamp, UserId, Write, X25519Key,
};

/// The *n*-th user.
#[must_use]
pub fn user(n: u64) -> UserId {
    let point = EdwardsPoint::mul_base(&Scalar::from(n + 1)).compress();
    UserId::from_bytes(point.to_bytes()).expect("a multiple of the base point is an identity")
}

/// The *n*-th user, on the default device.
#[must_use]
pub fn who(n: u64) -> Principal {
    user(n).into()
}

/// The *n*-th user, on the device with this name.
///
/// # Panics
/// Panics if this is no valid name of a device.
#[must_use]
pub fn on(n: u64, device: &str) -> Principal {
    let device: DeviceId = device.parse().expect("a device's name");
    Principal::new(user(n), device)
}

/// The time so many milliseconds after the epoch.
#[must_use]
pub const fn at(millis: u64) -> Timestamp {
    Timestamp::from_millis(millis)
}

/// The id of the *n*-th conversation.
#[must_use]
pub fn conversation(n: u64) -> ConversationId {
    ConversationId::from_bytes((u128::from(n) << 64 | 0xc).to_be_bytes())
}

/// The id of the *n*-th message.
#[must_use]
pub fn message(n: u64) -> MessageId {
    MessageId::from_bytes((u128::from(n) << 64 | 7).to_be_bytes())
}

/// The *n*-th client message id.
#[must_use]
pub fn client_id(n: u64) -> ClientMessageId {
    ClientMessageId::from_bytes((u128::from(n) << 64 | 0xd).to_be_bytes())
}

/// A ciphertext with this payload.
///
/// # Panics
/// Never: the nonce has the length it must have.
#[must_use]
pub fn ciphertext(payload: impl AsRef<[u8]>) -> Ciphertext {
    Ciphertext::new(payload.as_ref().to_vec().into(), &[7; 24], None, None).expect("a nonce of 24 bytes")
}

/// The *n*-th key. Nobody knows its secret key; a store does not check that.
#[must_use]
pub fn key(n: u8) -> X25519Key {
    X25519Key::from_stored([n; 32])
}

/// Opens conversation `n` of two users at time 1. The opener is the first user, on the default
/// device.
///
/// # Panics
/// Panics if the two users are equal.
#[must_use]
pub fn open(n: u64, one: u64, other: u64) -> Write {
    open_from(n, who(one), other, at(1))
}

/// Opens conversation `n` between a user, on a device, and another user.
///
/// # Panics
/// Panics if the two users are equal.
#[must_use]
pub fn open_from(n: u64, opener: Principal, other: u64, at: Timestamp) -> Write {
    let participants = Participants::new(opener.user, user(other)).expect("two users");
    OpenConversation { id: conversation(n), participants, opener, at }.into()
}

/// Appends message `id` to conversation `n`, from a user's default device, at time `id`. The
/// payload is `id` in decimal digits. A case changes other fields with the struct update syntax,
/// and makes a [`Write`] of it with `into`.
#[must_use]
pub fn append(n: u64, from: u64, id: u64) -> AppendMessage {
    AppendMessage {
        id: message(id),
        conversation: conversation(n),
        sender: who(from),
        client_id: None,
        sent_at: at(id),
        at: at(id),
        ciphertext: ciphertext(id.to_string()),
    }
}

/// As [`append`], with client message id `client`.
#[must_use]
pub fn append_as(n: u64, from: u64, id: u64, client: u64) -> AppendMessage {
    AppendMessage { client_id: Some(client_id(client)), ..append(n, from, id) }
}

/// As [`append`], sent and received at time `when`.
#[must_use]
pub fn append_at(n: u64, from: u64, id: u64, when: u64) -> Write {
    AppendMessage { sent_at: at(when), at: at(when), ..append(n, from, id) }.into()
}

/// Publishes a key of the *n*-th user at time `when`, with `number` as its version and its bytes:
/// puts the user's fence, whose tag is that of the version. A store does not check that versions
/// rise.
///
/// # Panics
/// Panics for version 0, which does not exist.
#[must_use]
pub fn publish(n: u64, number: u8, when: u64) -> Write {
    put(published(n, number, when).to_record())
}

/// The key that [`publish`] publishes.
///
/// # Panics
/// Panics for version 0, which does not exist.
#[must_use]
pub fn published(n: u64, number: u8, when: u64) -> KeyRecord {
    let (user, key, version, binding) = (user(n), key(number), version(number.into()), KeyBinding::Unproven);
    KeyRecord { user, key, version, published_at: at(when), binding }
}

/// A send that is done only if the recipient's key has this version.
///
/// # Panics
/// Panics for version 0, which does not exist.
#[must_use]
pub fn naming(append: AppendMessage, number: u32) -> Write {
    let tag = version(number).tag();
    Write::from(append).expect(Expect::Fence { of: Party::Peer, tag })
}

/// A kind of records that are not synced.
///
/// # Panics
/// Never: the number is below the largest.
#[must_use]
pub fn kind() -> Kind {
    Kind::custom(1, false).expect("a number of a kind")
}

/// A kind of synced records.
///
/// # Panics
/// Never: the number is below the largest.
#[must_use]
pub fn synced() -> Kind {
    Kind::custom(1, true).expect("a number of a kind")
}

/// The name with these bytes.
///
/// # Panics
/// Panics for more than [`Name::MAX_LEN`] bytes.
#[must_use]
pub fn name(bytes: impl AsRef<[u8]>) -> Name {
    Name::new(bytes.as_ref().to_vec()).expect("a name")
}

/// The *n*-th tag.
#[must_use]
pub const fn tag(n: u64) -> Tag {
    Tag::from_bytes(((n as u128) << 64 | 5).to_be_bytes())
}

/// A record whose value is the bytes of `value`, with tag `n`, which is never due.
#[must_use]
pub fn record(key: RecordKey, value: impl AsRef<[u8]>, n: u64) -> Record {
    let value = value.as_ref().to_vec().into();
    Record { key, value, tag: tag(n), due: None, revision: Revision::ZERO }
}

/// Puts a record. Its revision is ignored.
#[must_use]
pub fn put(record: Record) -> Write {
    let Record { key, value, tag, due, revision: _ } = record;
    Write::default().change(Change::Put(Put { key, value, tag, due }))
}

/// Appends a notice to the inbox of the *n*-th user at time `when`, for all devices.
#[must_use]
pub fn post(n: u64, when: u64) -> Write {
    let (notice, at) = (notice(when), at(when));
    Write::default().post(Post { to: user(n), addressee: None, origin: None, at, notice })
}

/// A notice of a host's own that says a number.
///
/// # Panics
/// Never: nine bytes are a notice.
#[must_use]
pub fn notice(number: u64) -> Notice {
    let bytes = [[OtherNotice::FIRST_CUSTOM].as_slice(), &number.to_be_bytes()].concat();
    Notice::Other(OtherNotice::new(bytes).expect("of a kind for hosts"))
}

/// Registers a device at the oldest held entry, with a limit of eight devices.
#[must_use]
pub fn register(who: Principal) -> Write {
    register_from(who, DeviceStart::Oldest, 8)
}

/// Registers a device with a start and a limit of devices of the user.
#[must_use]
pub fn register_from(who: Principal, start: DeviceStart, limit: usize) -> Write {
    RegisterDevice { who, start, limit, at: at(1) }.into()
}

/// Forgets a device.
#[must_use]
pub fn forget(who: Principal) -> Write {
    ForgetDevice { who }.into()
}

/// Acknowledges all entries up to number `seq`.
#[must_use]
pub fn ack_up_to(who: Principal, seq: u64) -> Write {
    Acknowledge { who, target: AckTarget::UpTo(InboxSeq::new(seq)) }.into()
}

/// Acknowledges the entries with these numbers.
#[must_use]
pub fn ack_entries(who: Principal, seqs: impl IntoIterator<Item = u64>) -> Write {
    let target = AckTarget::Entries(seqs.into_iter().map(InboxSeq::new).collect());
    Acknowledge { who, target }.into()
}

/// Acknowledges the messages with these ids.
#[must_use]
pub fn ack_messages(who: Principal, ids: impl IntoIterator<Item = u64>) -> Write {
    let target = AckTarget::Messages(ids.into_iter().map(message).collect());
    Acknowledge { who, target }.into()
}

/// Removes up to `limit` entries that were queued before a time.
#[must_use]
pub fn expire(before: u64, limit: usize) -> Write {
    Expire { before: at(before), limit }.into()
}

/// Version `n` of a key.
///
/// # Panics
/// Panics for version 0, which does not exist.
#[must_use]
pub fn version(n: u32) -> KeyVersion {
    KeyVersion::new(n).expect("versions start at 1")
}
