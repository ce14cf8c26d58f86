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
    suite::{self, Context, NONCE_LEN, OpenError, Opened, SameParty},
};

/// Messages remembered by default.
const REMEMBERED: NonZeroUsize = NonZeroUsize::new(65_536).unwrap();

/// Opens the messages of one user.
///
/// What has opened is authentic: written by the sender, for the recipient and, under suite 1, for this conversation.
/// The encryption alone does not tell whether a server presents the same message twice. A reader does, for as long
/// as it remembers: the newest 65,536 messages it has opened, of all conversations, about 10 MiB when full. A
/// message is known by what the sender put inside (suite 1: its client message id; suite 0: the nonce) and belongs
/// to the place where it was first seen. At the same place it opens as often as one likes, so that history can be
/// read again; at another, it is refused. A program that keeps messages over a restart tells a new reader of them with
/// [`remember`](Self::remember).
pub struct Reader {
    identity: Arc<Identity>,
    seen: Mutex<LruCache<Content, Place>>,
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
        Self { identity, seen: Mutex::new(LruCache::new(messages)) }
    }

    /// Takes note of a message that was opened earlier, under suite 1, and kept: `id` is what its
    /// [header](suite::Header) named it.
    pub fn remember(&self, sender: &PublicKey, id: ClientMessageId, at: MessageId, sequence: u64) {
        let content = Content::Named { sender: *sender.as_bytes(), id };
        self.seen().put(content, Place { id: at, sequence });
    }

    /// Opens a message of the conversation with `peer`, received or sent from another device.
    ///
    /// # Errors
    ///
    /// [`ReadError`]; nothing is remembered then.
    pub fn open(&self, message: &Message, peer: &PeerKey) -> Result<Opened, ReadError> {
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
        match seen.get(&content) {
            Some(first) if *first != place => Err(ReadError::Repeated { first: first.id }),
            Some(_) => Ok(opened),
            None => {
                seen.put(content, place);
                Ok(opened)
            }
        }
    }

    fn seen(&self) -> MutexGuard<'_, LruCache<Content, Place>> {
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
    /// The same message, as its sender made it, was seen elsewhere: somebody repeats it.
    #[error("the message repeats an earlier one")]
    Repeated {
        /// Where it was first seen.
        first: MessageId,
    },
}
