//! Operations as data: the steps of a script.

use dm_core::store::{
    AckTarget, Acknowledge, Action, AppendMessage, Ciphertext, DeviceStart, Expire, ForgetDevice, InboxSeq,
    OpenConversation, Participants, RegisterDevice, Suite, Timestamp, Write,
};

use super::effect::{Condition, Effect};
use super::ids::{Who, nth_user, time};
use super::query::Read;
use crate::build;

/// One write, with small numbers as ids. Times are in milliseconds after the start of the script.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Op {
    /// The action.
    pub act: Act,
    /// The conditions.
    pub conditions: Vec<Condition>,
    /// The changes and posts.
    pub effects: Vec<Effect>,
}

/// The action of a write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Act {
    /// No action.
    None,
    /// A conversation is opened.
    Open {
        /// Its number, if it is new.
        conversation: u64,
        /// The user and device that open it.
        opener: Who,
        /// The other user.
        other: u64,
    },
    /// A message is sent.
    Append {
        /// Its number, if it is new. No two operations of a script have the same.
        message: u64,
        /// The conversation's number.
        conversation: u64,
        /// The user and device that send it.
        sender: Who,
        /// The number of its client id.
        client: Option<u64>,
        /// Its ciphertext.
        content: Content,
    },
    /// Entries are acknowledged.
    Ack {
        /// The device that acknowledges.
        who: Who,
        /// The acknowledged entries.
        target: Target,
    },
    /// A device is registered.
    Register {
        /// The device.
        who: Who,
        /// The position of its first cursor.
        start: DeviceStart,
        /// The most devices of the user.
        limit: usize,
    },
    /// A device is forgotten.
    Forget {
        /// The device.
        who: Who,
    },
    /// Entries queued before a time are removed.
    Expire {
        /// The time.
        before: i64,
        /// The most entries to remove.
        limit: usize,
    },
}

/// A ciphertext, given by its kind and the size of its payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Content {
    /// Its kind: 1 has a suite and 2 an ephemeral key. Each kind has its own nonce and client time.
    pub kind: u8,
    /// The size of the payload, in bytes, at least 1.
    pub size: usize,
}

/// The entries of an acknowledgement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// All entries up to this number.
    UpTo(u64),
    /// The entries with these numbers.
    Entries(Vec<u64>),
    /// The messages with these numbers.
    Messages(Vec<u64>),
}

/// One of the handles to the storage location.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Handle {
    /// The handle that was opened first.
    First,
    /// A second handle, if the store allows one.
    Other,
}

/// One step of a script.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Writes are committed in one batch. A millisecond passes before it.
    Batch {
        /// The handle that commits.
        through: Handle,
        /// The writes of the batch.
        ops: Vec<Op>,
    },
    /// All handles are dropped, and the store is opened again.
    Reopen,
    /// The clock jumps by so many milliseconds.
    Clock(i64),
    /// One read.
    Read(Read),
}

impl Content {
    fn ciphertext(self) -> Ciphertext {
        let suite = (self.kind == 1).then_some(Suite(u32::MAX));
        let ephemeral = (self.kind == 2).then_some([9; 32]);
        let payload = vec![self.kind; self.size];
        Ciphertext::new(payload.into(), &[self.kind; 24], ephemeral.as_ref().map(<[u8; 32]>::as_slice), suite)
            .expect("a script's messages have a byte of payload")
    }
}

impl Op {
    /// The write of this operation at a time.
    #[must_use]
    pub fn write(&self, now: i64) -> Write {
        Write {
            action: self.act.action(now),
            expects: self.conditions.iter().map(|condition| condition.expect()).collect(),
            changes: self.effects.iter().filter_map(|effect| effect.change()).collect(),
            posts: self.effects.iter().filter_map(|effect| effect.post(now)).collect(),
        }
    }
}

/// An action without conditions and effects.
impl From<Act> for Op {
    fn from(act: Act) -> Self {
        Self { act, conditions: Vec::new(), effects: Vec::new() }
    }
}

impl Act {
    fn action(&self, now: i64) -> Action {
        let at = time(now);
        match self {
            Self::None => Action::None,
            Self::Open { conversation, opener, other } => Action::OpenConversation(OpenConversation {
                id: build::conversation(*conversation),
                participants: Participants::new(nth_user(opener.user), nth_user(*other))
                    .expect("a script's conversations have two users"),
                opener: opener.principal(),
                at,
            }),
            Self::Append { message, conversation, sender, client, content } => {
                Action::AppendMessage(AppendMessage {
                    id: build::message(*message),
                    conversation: build::conversation(*conversation),
                    sender: sender.principal(),
                    client_id: client.map(build::client_id),
                    // A value that uses all 64 bits; stores do not interpret it.
                    sent_at: Timestamp::from_millis(u64::MAX - u64::from(content.kind)),
                    at,
                    ciphertext: content.ciphertext(),
                })
            }
            Self::Ack { who, target } => {
                Action::Acknowledge(Acknowledge { who: who.principal(), target: target.target() })
            }
            Self::Register { who, start, limit } => Action::RegisterDevice(RegisterDevice {
                who: who.principal(),
                start: *start,
                limit: *limit,
                at,
            }),
            Self::Forget { who } => Action::ForgetDevice(ForgetDevice { who: who.principal() }),
            Self::Expire { before, limit } => Action::Expire(Expire { before: time(*before), limit: *limit }),
        }
    }
}

impl Target {
    fn target(&self) -> AckTarget {
        match self {
            Self::UpTo(seq) => AckTarget::UpTo(InboxSeq::new(*seq)),
            Self::Entries(seqs) => AckTarget::Entries(seqs.iter().copied().map(InboxSeq::new).collect()),
            Self::Messages(ids) => AckTarget::Messages(ids.iter().copied().map(build::message).collect()),
        }
    }
}
