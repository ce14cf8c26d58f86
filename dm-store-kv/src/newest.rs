//! Looking up users and conversations, with their newest numbers, and noting those numbers.
//!
//! A note of a lost session is a lower bound: what expires never takes a number back. Mostly it is
//! still right, so a look-up then asks first whether the next number is there.

use dm_core::store::{ConversationId, InboxSeq, Participants, ServerSequence, UserId};

use crate::codec::{Fields, FloorRow, NamedThread, Note, People, ThreadRow, numbered, participants};
use crate::failure::Failure;
use crate::heads::{Thread, User};
use crate::rows::{Changes, Look as _, Rows};
use crate::session::Session;
use crate::tables::Tables;

impl<T: Rows> Tables<T> {
    pub(crate) fn user_ref(&self, user: UserId) -> Result<Option<u32>, Failure> {
        self.user_ids.find(user.as_bytes(), |value| value.last(Fields::u32))
    }

    /// A user, as appending needs to know them.
    pub(crate) fn user(&self, user_ref: u32, session: Option<Session>) -> Result<User, Failure> {
        let FloorRow { floor, note } = self.floor_row(user_ref)?;
        let newest = newest(&self.inbox, user_ref, floor.get(), (note, session))?;
        let is_noted = note.is_some_and(|note| note.number == newest);
        Ok(User { user_ref, head: InboxSeq::new(newest), floor, is_noted })
    }

    /// A conversation, as appending needs to know it.
    pub(crate) fn thread(
        &self,
        id: ConversationId,
        session: Option<Session>,
    ) -> Result<Option<Thread>, Failure> {
        let Some(NamedThread { thread_ref, people }) = self.named_thread(id)? else { return Ok(None) };
        let People { refs, participants, note } = match people {
            Some(people) => people,
            None => self.people(thread_ref)?,
        };
        let newest = newest(&self.sequence, thread_ref, 0, (note, session))?;
        let is_noted = note.is_some_and(|note| note.number == newest);
        Ok(Some(Thread { thread_ref, refs, participants, head: ServerSequence::new(newest), is_noted }))
    }

    pub(crate) fn user_of(&self, user_ref: u32) -> Result<UserId, Failure> {
        self.users
            .find(&user_ref.to_be_bytes(), |value| value.last(Fields::user))?
            .ok_or(Failure::Damaged("a ref of no user"))
    }

    pub(crate) fn thread_ref(&self, id: ConversationId) -> Result<Option<u32>, Failure> {
        Ok(self.named_thread(id)?.map(|named| named.thread_ref))
    }

    pub(crate) fn named_thread(&self, id: ConversationId) -> Result<Option<NamedThread>, Failure> {
        self.conversation_ids.find(id.as_bytes(), NamedThread::decode)
    }

    pub(crate) fn thread_row(&self, thread_ref: u32) -> Result<ThreadRow, Failure> {
        self.conversations
            .find(&thread_ref.to_be_bytes(), ThreadRow::decode)?
            .ok_or(Failure::Damaged("a ref of no conversation"))
    }

    pub(crate) fn participants(&self, row: ThreadRow) -> Result<Participants, Failure> {
        participants([self.user_of(row.a)?, self.user_of(row.b)?])
    }

    /// The users of a conversation whose id's row is of an older version.
    fn people(&self, thread_ref: u32) -> Result<People, Failure> {
        let row = self.thread_row(thread_ref)?;
        Ok(People { refs: [row.a, row.b], participants: self.participants(row)?, note: None })
    }

    /// The newest entry of a user's inbox that expired.
    pub(crate) fn floor(&self, user_ref: u32) -> Result<InboxSeq, Failure> {
        Ok(self.floor_row(user_ref)?.floor)
    }

    pub(crate) fn floor_row(&self, user_ref: u32) -> Result<FloorRow, Failure> {
        Ok(self.floors.find(&user_ref.to_be_bytes(), FloorRow::decode)?.unwrap_or_default())
    }
}

impl<T: Changes> Tables<T> {
    /// Notes the newest number of a user's inbox.
    pub(crate) fn note_user(&mut self, user: User, session: Session) -> Result<(), Failure> {
        let row = FloorRow { floor: user.floor, note: Some(session.note(user.head.get())) };
        self.floors.insert(&user.user_ref.to_be_bytes(), &row.encode())
    }

    /// Notes the newest number of a conversation.
    pub(crate) fn note_thread(
        &mut self,
        id: ConversationId,
        thread: Thread,
        session: Session,
    ) -> Result<(), Failure> {
        let Thread { thread_ref, refs, participants, head, .. } = thread;
        let note = Some(session.note(head.get()));
        self.insert_named_thread(id, thread_ref, People { refs, participants, note })
    }

    pub(crate) fn insert_named_thread(
        &mut self,
        id: ConversationId,
        thread_ref: u32,
        people: People,
    ) -> Result<(), Failure> {
        let row = NamedThread { thread_ref, people: Some(people) };
        self.conversation_ids.insert(id.as_bytes(), &row.encode())
    }
}

/// The newest number of a log's owner, above a floor below which there may be no rows any more;
/// that floor when nothing is above it.
fn newest(
    log: &impl Rows,
    owner: u32,
    floor: u64,
    (note, session): (Option<Note>, Option<Session>),
) -> Result<u64, Failure> {
    if let Some(note) = note {
        let number = note.number.max(floor);
        if session.is_some_and(|session| session.trusts(note)) {
            return Ok(number);
        }
        for number in number..=number.saturating_add(1) {
            if log.get(&numbered(owner, number.saturating_add(1)))?.is_none() {
                return Ok(number);
            }
        }
    }
    Ok(log.last_number(owner, floor)?.unwrap_or(floor))
}
