//! The records of jobs: work that a record stands for until it is done.

use bytes::{BufMut, Bytes, BytesMut};

use crate::ids::ConversationId;
use crate::numbers::Revision;
use crate::record::{Kind, Name, Owner, Record, RecordKey, Tag};
use crate::time::Timestamp;
use crate::user::UserId;

/// The value of a job's record: a byte with the form, 1, then the number of attempts in a byte, then
/// the progress of the job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct JobState {
    /// The number of times that a node began to work on the job since its last progress.
    pub(crate) attempts: u8,
    /// How far the job is, in a form of its kind.
    pub(crate) progress: Bytes,
}

impl JobState {
    const FORM: u8 = 1;

    /// A job that nobody has worked on since its last progress.
    pub(crate) const fn new(progress: Bytes) -> Self {
        Self { attempts: 0, progress }
    }

    pub(crate) fn encode(&self) -> Bytes {
        let mut value = BytesMut::with_capacity(2 + self.progress.len());
        value.put_u8(Self::FORM);
        value.put_u8(self.attempts);
        value.put_slice(&self.progress);
        value.freeze()
    }

    /// Decodes a value from [`encode`](Self::encode); `None` for other bytes.
    pub(crate) fn decode(value: &Bytes) -> Option<Self> {
        match value.first_chunk::<2>()? {
            [Self::FORM, attempts] => Some(Self { attempts: *attempts, progress: value.slice(2..) }),
            _ => None,
        }
    }
}

/// The record of the job that announces a user's published key to the peers in the user's
/// conversations, in the order of the conversations' ids. Due at once. `after` is the conversation
/// after which the job goes on; `None` for one that begins. For migrations of stores.
#[must_use]
pub fn key_announcement(user: UserId, after: Option<ConversationId>, tag: Tag) -> Record {
    let progress = after.map_or_else(Bytes::new, |id| Bytes::copy_from_slice(id.as_bytes()));
    Record {
        key: RecordKey::new(Owner::User(user), Kind::KEY_ANNOUNCEMENT, Name::EMPTY),
        value: JobState::new(progress).encode(),
        tag,
        due: Some(Timestamp::from_millis(0)),
        revision: Revision::ZERO,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_is_decoded_from_its_value_and_from_no_other_form() {
        let state = JobState { attempts: 7, progress: Bytes::from_static(b"after") };
        assert_eq!(JobState::decode(&state.encode()), Some(state));
        for other in [&b""[..], b"\x01", b"\x02\x00"] {
            assert_eq!(JobState::decode(&Bytes::from_static(other)), None);
        }
    }
}
