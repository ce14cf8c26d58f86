//! Users, their conversations, and the messages that they send.

use std::sync::Arc;

use curve25519_dalek::{EdwardsPoint, Scalar};
use dm_core::store::{Ceiling, Change, GateChange, Participants, Put, Record, SenderSequence, Update, Write};
use dm_core::{
    Ciphertext, ClientMessageId, ConversationId, KeyBinding, KeyRecord, KeyVersion, Principal, SendMessage,
    Service, Timestamp, UserId, X25519Key,
};
use tokio::task::JoinSet;
use uuid::Uuid;

/// The number of concurrent calls during preparation.
const AT_ONCE: usize = 512;

/// A conversation, with one of its users as the sender.
pub(crate) struct Chat {
    pub(crate) id: ConversationId,
    pub(crate) sender: Principal,
    /// The version of the recipient's key that sends name; `None` if they name none.
    pub(crate) key_version: Option<KeyVersion>,
}

/// The *n*-th user.
pub(crate) fn user(n: usize) -> UserId {
    let point = EdwardsPoint::mul_base(&Scalar::from(n as u64 + 1)).compress();
    UserId::from_bytes(point.to_bytes()).expect("a multiple of the base point")
}

/// Opens conversations among users, each with as many others as necessary.
pub(crate) async fn open_chats(
    service: &Service,
    conversations: usize,
    users: usize,
) -> anyhow::Result<Vec<Chat>> {
    open_chats_among(service, user, conversations, users).await
}

/// As [`open_chats`], among other users.
pub(crate) async fn open_chats_among(
    service: &Service,
    user: impl Fn(usize) -> UserId,
    conversations: usize,
    users: usize,
) -> anyhow::Result<Vec<Chat>> {
    anyhow::ensure!(users > conversations / users, "too few users for so many conversations");
    let people: Vec<UserId> = (0..users).map(user).collect();
    let pairs = pairs(conversations, users).map(|(one, other)| (people[one], people[other]));
    open_pairs(service, pairs).await
}

/// The users of each conversation, by their numbers.
fn pairs(conversations: usize, users: usize) -> impl Iterator<Item = (usize, usize)> {
    (0..conversations).map(move |n| (n % users, (n % users + 1 + n / users) % users))
}

/// Writes that give each user a key of version 1, and the pair of each conversation of
/// [`open_chats`] a gate that lets every message of a measurement through.
pub(crate) fn conditions(conversations: usize, users: usize) -> Vec<Write> {
    let people: Vec<UserId> = (0..users).map(user).collect();
    let keys = people.iter().map(|user| {
        let record = KeyRecord {
            user: *user,
            key: X25519Key::from_stored([9; 32]),
            version: KeyVersion::FIRST,
            published_at: Timestamp::from_millis(1),
            binding: KeyBinding::Unproven,
        };
        let Record { key, value, tag, due, .. } = record.to_record();
        Change::Put(Put { key, value, tag, due })
    });
    let ceiling = Update::Set(Ceiling { messages: SenderSequence::new(1 << 40), bytes: 1 << 50 });
    let gates = pairs(conversations, users).map(|(one, other)| {
        let pair = Participants::new(people[one], people[other]).expect("two users");
        Change::Gate(GateChange { pair, close: 0, open: 0, ceiling_a: ceiling, ceiling_b: ceiling })
    });
    keys.chain(gates).map(|change| Write::default().change(change)).collect()
}

/// Opens conversations between pairs of users, in their order.
pub(crate) async fn open_pairs(
    service: &Service,
    pairs: impl Iterator<Item = (UserId, UserId)>,
) -> anyhow::Result<Vec<Chat>> {
    let mut tasks = JoinSet::new();
    let mut chats = Vec::new();
    for (n, (one, other)) in pairs.enumerate() {
        if tasks.len() == AT_ONCE {
            chats.extend(tasks.join_next().await.transpose()?);
        }
        let (service, sender) = (service.clone(), Principal::from(one));
        tasks.spawn(async move {
            let opened = service.open_conversation(&sender, other).await.expect("it opens");
            (n, Chat { id: opened.conversation.id, sender, key_version: None })
        });
    }
    chats.extend(tasks.join_all().await);
    chats.sort_by_key(|(n, _)| *n);
    Ok(chats.into_iter().map(|(_, chat)| chat).collect())
}

/// The index of the conversation that the *n*-th message goes to. It is a stride, so that
/// consecutive messages go to distant conversations.
pub(crate) const fn pick(n: usize, of: usize) -> usize {
    n.wrapping_mul(7_919) % of
}

/// Sends the *n*-th message with a client message id, as a client does.
pub(crate) async fn send(service: &Service, chat: &Chat, n: usize, payload: usize) {
    let payload = vec![n as u8; payload];
    let ciphertext = Ciphertext::new(payload.into(), &[7; 24], None, None).expect("24 bytes");
    let mut message = SendMessage::new(chat.id, ciphertext, Timestamp::from_millis(n as u64));
    message.client_id = Some(ClientMessageId::from(uuid_v7()));
    message.recipient_key_version = chat.key_version;
    service.send(&chat.sender, message).await.expect("it is stored");
}

/// A number of conversations of which a store has only a part in memory.
const MANY: usize = 100_000;
/// The number of messages that are spread over many conversations like the measured ones.
const LAST: usize = 300_000;

/// Stores messages before a measurement, and shows the progress.
pub(crate) async fn preload(service: &Service, chats: &Arc<Vec<Chat>>, messages: usize, payload: usize) {
    let bar = crate::report::progress(messages, "messages stored");
    let mut tasks = JoinSet::new();
    for n in 0..messages {
        if tasks.len() == AT_ONCE {
            tasks.join_next().await.transpose().expect("it is stored");
        }
        let (service, chats) = (service.clone(), Arc::clone(chats));
        let chat = stored_in(n, messages, chats.len());
        tasks.spawn(async move { send(&service, &chats[chat], n, payload).await });
        if n % 1_000 == 0 {
            bar.set_position(n as u64);
        }
    }
    tasks.join_all().await;
    bar.finish_and_clear();
}

/// The index of the conversation that the *n*-th message before a measurement goes to. If there are
/// many conversations, most messages are stored one conversation after the other, which takes a
/// third of the time. The last messages, which a store has in memory and in rows that it moves
/// later, are spread like the measured ones.
fn stored_in(n: usize, messages: usize, conversations: usize) -> usize {
    let in_order = messages.saturating_sub(LAST);
    if conversations < MANY || n >= in_order { pick(n, conversations) } else { n * conversations / in_order }
}

/// An id in time order, as clients make it.
pub(crate) fn uuid_v7() -> Uuid {
    use std::sync::atomic::{AtomicU64, Ordering};
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("after 1970");
    // The bits are spread like random ones, without a random source in the measured path.
    let spread = COUNT.fetch_add(1, Ordering::Relaxed).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let mut random = [0; 10];
    random[..8].copy_from_slice(&spread.to_be_bytes());
    uuid::Builder::from_unix_timestamp_millis(now.as_millis() as u64, &random).into_uuid()
}
