//! The type [`Reader`], which decrypts the messages of one user.

use std::fmt;
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::error::ReadError;
use super::peer_suites::PeerSuites;
use super::replays::{AssignedIds, Replay, ReplayCache, ReplayKey};
use crate::identity::Identity;
use crate::ids::{ClientMessageId, MessageId};
use crate::keys::UserId;
use crate::message::Message;
use crate::numbers::ServerSequence;
use crate::record::PeerKey;
use crate::suite::{self, Context, Opened, SameParty, Suite};

/// Default number of messages that a reader remembers. They take about 10 MiB.
const DEFAULT_MESSAGES: NonZeroUsize = NonZeroUsize::new(65_536).unwrap();

/// Decrypts the messages of one user, and refuses replays and downgrades.
///
/// A message that opens under suite 1 is authentic: the sender encrypted it to the recipient in
/// this conversation. A message that opens under suite 0 ([`header`](Opened::header) is `None`) was
/// encrypted by one of the two parties to the other. Its direction, conversation and time are not
/// authenticated.
///
/// # Downgrades
///
/// A reader accepts suite 0 from a peer until a message of the peer has opened under suite 1. After
/// that, the reader refuses messages under suite 0 in both directions with
/// [`ReadError::Downgraded`], because the server may have forged them from old messages.
/// [`open_downgraded`](Self::open_downgraded) opens such a message.
/// [`reply_suite`](Self::reply_suite) is the suite for messages to a peer.
///
/// After a restart, a program passes the suites of its peers to the new reader with
/// [`remember_suite`](Self::remember_suite). A reader remembers up to 65,536 peers and forgets
/// none. When it remembers that many, it does not accept suite 0 from other peers.
///
/// # Replays
///
/// Decryption alone does not detect that the server presents a message twice. A reader detects this
/// for the last 65,536 messages that it has opened, over all conversations. They take about 10 MiB.
///
/// A reader recognizes a message by bytes that the sender chose: the client message id in suite 1,
/// and the nonce in suite 0. A program can open a message again and again, for instance to read
/// history repeatedly, as long as the server gives the message the same message id and the same
/// sequence number as the first time. With another message id or sequence number, the message is
/// [`ReadError::Repeated`].
///
/// After a restart, a program passes the messages that it has kept to the new reader with
/// [`remember`](Self::remember).
pub struct Reader {
    identity: Arc<Identity>,
    state: Mutex<State>,
}

/// The messages that the reader has opened, and the suites of its peers.
#[derive(Debug)]
struct State {
    messages: ReplayCache,
    peers: PeerSuites,
}

/// The treatment of a message in a weaker suite than the peer has used before.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Downgrade {
    Refuse,
    Open,
}

impl Reader {
    /// A reader of `identity`'s messages that remembers 65,536 messages.
    pub fn new(identity: Arc<Identity>) -> Self {
        Self::remembering(identity, DEFAULT_MESSAGES)
    }

    /// A reader of `identity`'s messages that remembers `messages` messages.
    pub fn remembering(identity: Arc<Identity>, messages: NonZeroUsize) -> Self {
        let state = State { messages: ReplayCache::new(messages), peers: PeerSuites::new() };
        Self { identity, state: Mutex::new(state) }
    }

    /// Remembers a message that an earlier reader has opened under suite 1.
    ///
    /// `client_id` is the id in the message's [header](suite::Header). The server has assigned `id`
    /// and `sequence` to the message.
    pub fn remember(
        &self,
        sender: &UserId,
        client_id: ClientMessageId,
        id: MessageId,
        sequence: ServerSequence,
    ) {
        let key = ReplayKey::ClientId { sender: *sender.as_bytes(), id: client_id };
        self.lock().messages.insert(key, AssignedIds { id, sequence });
    }

    /// Remembers the strongest suite of a peer, which an earlier reader has returned from
    /// [`strongest_suite`](Self::strongest_suite). A weaker suite than the known one has no effect.
    pub fn remember_suite(&self, peer: &UserId, suite: Suite) {
        self.lock().peers.record(peer, suite);
    }

    /// The strongest suite in which a message of a peer has opened; `None` if no message of the
    /// peer has opened. A program keeps this suite over a restart for
    /// [`remember_suite`](Self::remember_suite).
    pub fn strongest_suite(&self, peer: &UserId) -> Option<Suite> {
        self.lock().peers.strongest(peer)
    }

    /// The suite for messages to a peer: the [strongest suite](Self::strongest_suite) that the peer
    /// has used, or the default suite before the peer's first message. A client that encrypts in
    /// suite 0 cannot read another suite.
    pub fn reply_suite(&self, peer: &UserId) -> Suite {
        self.strongest_suite(peer).unwrap_or_default()
    }

    /// Opens a message of the conversation with `peer`. The user has received the message, or one
    /// of the user's devices has sent it.
    ///
    /// # Errors
    ///
    /// [`ReadError`] if the message does not decrypt or is refused. The reader does not remember a
    /// message that it refuses. A message that the reader remembers is never
    /// [`ReadError::Downgraded`].
    pub fn open(&self, message: &Message, peer: &PeerKey) -> Result<Opened, ReadError> {
        self.open_with(message, peer, Downgrade::Refuse)
    }

    /// Opens a message as [`open`](Self::open) does, even if its suite is weaker than one that the
    /// peer has used. The server may have reversed the direction of such a message, moved it from
    /// another conversation, or withheld it since before the peer used the stronger suite.
    ///
    /// # Errors
    ///
    /// [`ReadError`] as from [`open`](Self::open), but never [`ReadError::Downgraded`].
    pub fn open_downgraded(&self, message: &Message, peer: &PeerKey) -> Result<Opened, ReadError> {
        self.open_with(message, peer, Downgrade::Open)
    }

    fn open_with(
        &self,
        message: &Message,
        peer: &PeerKey,
        downgrade: Downgrade,
    ) -> Result<Opened, ReadError> {
        let me = self.identity.user_id();
        let recipient = if message.sender == me {
            peer.user()
        } else if message.sender == peer.user() {
            me
        } else {
            return Err(ReadError::NotAParty);
        };
        let context = Context::new(message.conversation, message.sender, recipient)
            .map_err(|SameParty| ReadError::NotAParty)?;
        let opened = suite::open(
            message.suite,
            &self.identity,
            peer.key(),
            &context,
            &message.nonce,
            &message.payload,
        )?;

        let key = match opened.header {
            Some(header) => {
                if message.client_id.is_some_and(|reported_id| reported_id != header.message_id) {
                    return Err(ReadError::Renamed);
                }
                ReplayKey::ClientId { sender: *message.sender.as_bytes(), id: header.message_id }
            }
            None => ReplayKey::Nonce { peer: *peer.user().as_bytes(), nonce: message.nonce },
        };
        let assigned = AssignedIds { id: message.id, sequence: message.sequence };
        let mut state = self.lock();
        match state.messages.check(&key, assigned) {
            Replay::Repeated { first } => return Err(ReadError::Repeated { first }),
            Replay::Known => return Ok(opened),
            Replay::New => {}
        }
        let suite = if opened.header.is_some() { Suite::One } else { Suite::Zero };
        if downgrade == Downgrade::Refuse && suite < state.peers.weakest_accepted(&peer.user()) {
            return Err(ReadError::Downgraded);
        }
        state.messages.insert(key, assigned);
        if message.sender == peer.user() {
            state.peers.record(&peer.user(), suite);
        }
        Ok(opened)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // No panic can leave a change of the state incomplete, so a poisoned lock is no problem.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Reader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reader").field("identity", &self.identity).finish_non_exhaustive()
    }
}
