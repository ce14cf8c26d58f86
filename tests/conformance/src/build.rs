//! Builders of users, devices, ids, times and writes from small numbers.

use curve25519_dalek::{EdwardsPoint, Scalar};
use dm_core::store::{
    AckTarget, Acknowledge, AnnounceKeys, AppendMessage, Ciphertext, ClientMessageId, ConversationId,
    DeviceId, DeviceStart, Expire, ForgetDevice, InboxSeq, KeyBinding, KeyVersion, MessageId,
    OpenConversation, Participants, Principal, PublishKey, RegisterDevice, Timestamp, UserId, Write,
    X25519Key,
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
    Write::OpenConversation(OpenConversation { id: conversation(n), participants, opener, at })
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
        recipient_key_version: None,
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
    Write::AppendMessage(AppendMessage { sent_at: at(when), at: at(when), ..append(n, from, id) })
}

/// Publishes key `number` of the *n*-th user at time `when`.
#[must_use]
pub fn publish(n: u64, number: u8, when: u64) -> Write {
    let (user, key, binding) = (user(n), key(number), KeyBinding::Unproven);
    Write::PublishKey(PublishKey { user, key, binding, at: at(when) })
}

/// Announces published keys to up to `limit` peers.
#[must_use]
pub fn announce(limit: usize, when: u64) -> Write {
    Write::AnnounceKeys(AnnounceKeys { limit, at: at(when) })
}

/// Registers a device at the oldest held entry, with a limit of eight devices.
#[must_use]
pub fn register(who: Principal) -> Write {
    register_from(who, DeviceStart::Oldest, 8)
}

/// Registers a device with a start and a limit of devices of the user.
#[must_use]
pub fn register_from(who: Principal, start: DeviceStart, limit: usize) -> Write {
    Write::RegisterDevice(RegisterDevice { who, start, limit, at: at(1) })
}

/// Forgets a device.
#[must_use]
pub fn forget(who: Principal) -> Write {
    Write::ForgetDevice(ForgetDevice { who })
}

/// Acknowledges all entries up to number `seq`.
#[must_use]
pub fn ack_up_to(who: Principal, seq: u64) -> Write {
    Write::Acknowledge(Acknowledge { who, target: AckTarget::UpTo(InboxSeq::new(seq)) })
}

/// Acknowledges the entries with these numbers.
#[must_use]
pub fn ack_entries(who: Principal, seqs: impl IntoIterator<Item = u64>) -> Write {
    let target = AckTarget::Entries(seqs.into_iter().map(InboxSeq::new).collect());
    Write::Acknowledge(Acknowledge { who, target })
}

/// Acknowledges the messages with these ids.
#[must_use]
pub fn ack_messages(who: Principal, ids: impl IntoIterator<Item = u64>) -> Write {
    let target = AckTarget::Messages(ids.into_iter().map(message).collect());
    Write::Acknowledge(Acknowledge { who, target })
}

/// Removes up to `limit` entries that were queued before a time.
#[must_use]
pub fn expire(before: u64, limit: usize) -> Write {
    Write::Expire(Expire { before: at(before), limit })
}

/// Version `n` of a key.
///
/// # Panics
/// Panics for version 0, which does not exist.
#[must_use]
pub fn version(n: u32) -> KeyVersion {
    KeyVersion::new(n).expect("versions start at 1")
}
