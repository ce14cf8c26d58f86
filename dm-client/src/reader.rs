//! Reading messages, and noticing those that come twice.

use std::{
    fmt,
    num::NonZeroUsize,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use lru::LruCache;

use crate::{
    identity::Identity,
    ids::{ClientMessageId, MessageId},
    keys::PublicKey,
    message::Message,
    record::PeerKey,
    suite::{self, Context, NONCE_LEN, OpenError, Opened, SameParty, Suite},
};

mod heard;

use heard::Heard;

/// Messages remembered by default.
const REMEMBERED: NonZeroUsize = NonZeroUsize::new(65_536).unwrap();

/// Opens the messages of one user.
///
/// What has opened under suite 1 is authentic: written by the sender, for the recipient and for
/// this conversation. What has opened under suite 0 ([`header`](Opened::header) is `None`) was
/// written by one of the two to the other, in some conversation, at some time; which is only the
/// server's word.
///
/// So suite 0 opens for as long as a peer writes in nothing better. Once a message of theirs under
/// suite 1 has opened, one under suite 0 with them, in either direction, is
/// [`ReadError::Downgraded`], because a server may have made it out of old ones;
/// [`open_downgraded`](Self::open_downgraded) is for a program that wants it all the same.
/// [`answer_in`](Self::answer_in) is the suite to answer a peer in. A program that is started again
/// tells a new reader with [`remember_suite`](Self::remember_suite). Up to 65,536 peers are
/// remembered and none is forgotten; with as many, suite 0 opens for no new one.
///
/// The encryption alone does not tell whether a server presents the same message twice. A reader does, for as long
/// as it remembers: the newest 65,536 messages it has opened, of all conversations, about 10 MiB when full. A
/// message is known by what the sender put inside (suite 1: its client message id; suite 0: the nonce) and belongs
/// to the place where it was first seen. At the same place it opens as often as one likes, so that history can be
/// read again; at another, it is refused. A program that keeps messages over a restart tells a new reader of them with
/// [`remember`](Self::remember).
pub struct Reader {
    identity: Arc<Identity>,
    seen: Mutex<Seen>,
}

/// What was opened so far.
#[derive(Debug)]
struct Seen {
    messages: LruCache<Content, Place>,
    peers: Heard,
}

/// What to do with a message in a weaker suite than the peer has used.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Weaker {
    Refuse,
    Open,
}

/// What a message is, by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Content {
    /// Suite 1: the sender's id for it.
    Named { sender: [u8; 32], id: ClientMessageId },
    /// Suite 0, which vouches for neither direction nor id: a nonce used between the two.
    Unnamed { peer: [u8; 32], nonce: [u8; NONCE_LEN] },
}

/// Where the server says that a message stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Place {
    id: MessageId,
    sequence: u64,
}

impl Reader {
    /// A reader of `identity`'s messages.
    pub fn new(identity: Arc<Identity>) -> Self {
        Self::remembering(identity, REMEMBERED)
    }

    /// A reader that remembers this many messages.
    pub fn remembering(identity: Arc<Identity>, messages: NonZeroUsize) -> Self {
        let seen = Seen { messages: LruCache::new(messages), peers: Heard::new() };
        Self { identity, seen: Mutex::new(seen) }
    }

    /// Takes note of a message that was opened earlier, under suite 1, and kept: `id` is what its
    /// [header](suite::Header) named it.
    pub fn remember(&self, sender: &PublicKey, id: ClientMessageId, at: MessageId, sequence: u64) {
        let content = Content::Named { sender: *sender.as_bytes(), id };
        self.seen().messages.put(content, Place { id: at, sequence });
    }

    /// Takes note of a suite that a peer wrote in, as [`heard_in`](Self::heard_in) told before the
    /// program was started again. A weaker suite than is known changes nothing.
    pub fn remember_suite(&self, peer: &PublicKey, suite: Suite) {
        self.seen().peers.note(peer, suite);
    }

    /// The strongest suite in which a message of a peer has opened: what is worth keeping. `None`
    /// before the first.
    pub fn heard_in(&self, peer: &PublicKey) -> Option<Suite> {
        self.seen().peers.strongest(peer)
    }

    /// The suite to write to a peer in: the one they have written in, because clients that write in
    /// suite 0 read no other, or the default for one who has not written yet.
    pub fn answer_in(&self, peer: &PublicKey) -> Suite {
        self.heard_in(peer).unwrap_or_default()
    }

    /// Opens a message of the conversation with `peer`, received or sent from another device.
    ///
    /// # Errors
    ///
    /// [`ReadError`]; nothing is remembered then. [`ReadError::Downgraded`] for a weaker suite than
    /// the peer has written in, unless the very message has opened before.
    pub fn open(&self, message: &Message, peer: &PeerKey) -> Result<Opened, ReadError> {
        self.open_with(message, peer, Weaker::Refuse)
    }

    /// As [`open`](Self::open), also in a weaker suite than the peer has written in. The server may
    /// have turned such a message around, moved it from another conversation, or kept it back since
    /// before the peer used the stronger one.
    ///
    /// # Errors
    ///
    /// [`ReadError`], never [`ReadError::Downgraded`].
    pub fn open_downgraded(&self, message: &Message, peer: &PeerKey) -> Result<Opened, ReadError> {
        self.open_with(message, peer, Weaker::Open)
    }

    fn open_with(&self, message: &Message, peer: &PeerKey, weaker: Weaker) -> Result<Opened, ReadError> {
        let me = self.identity.public_key();
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

        let content = match opened.header {
            Some(header) => {
                if message.client_id.is_some_and(|outside| outside != header.message_id) {
                    return Err(ReadError::Renamed);
                }
                Content::Named { sender: *message.sender.as_bytes(), id: header.message_id }
            }
            None => Content::Unnamed { peer: *peer.user().as_bytes(), nonce: message.nonce },
        };
        let place = Place { id: message.id, sequence: message.sequence };
        let mut seen = self.seen();
        match seen.messages.get(&content) {
            Some(first) if *first != place => return Err(ReadError::Repeated { first: first.id }),
            Some(_) => return Ok(opened),
            None => {}
        }
        let suite = if opened.header.is_some() { Suite::One } else { Suite::Zero };
        if weaker == Weaker::Refuse && suite < seen.peers.weakest_opened(&peer.user()) {
            return Err(ReadError::Downgraded);
        }
        seen.messages.put(content, place);
        if message.sender == peer.user() {
            seen.peers.note(&peer.user(), suite);
        }
        Ok(opened)
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        // Whatever was in it when somebody panicked is still true.
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Reader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reader").field("identity", &self.identity).finish_non_exhaustive()
    }
}

/// Why a message cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
    /// The message is said to be from somebody who is not in the conversation.
    #[error("the sender is not a party of the conversation")]
    NotAParty,
    /// It does not open.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The server says another client message id than the sender wrote inside.
    #[error("the message carries another id inside than outside")]
    Renamed,
    /// It is in a weaker suite than the peer has written in; what that suite does not bind is only
    /// the server's word. [`Reader::open_downgraded`] opens it.
    #[error("the message comes in a weaker encryption than its sender has used")]
    Downgraded,
    /// The same message, as its sender made it, was seen elsewhere: somebody repeats it.
    #[error("the message repeats an earlier one")]
    Repeated {
        /// Where it was first seen.
        first: MessageId,
    },
}
