//! What a store said of a batch, in one line.

use std::fmt;

use dm_core::{Appended, Notification, Outcome, Refusal};

/// What a store said of a batch: every number that the contract settles, in one line of text, so that it can go
/// through a pipe before its process is killed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answers(String);

impl Answers {
    /// The outcomes of a batch.
    #[must_use]
    pub fn of(outcomes: &[Outcome]) -> Self {
        let words: Vec<String> = outcomes.iter().map(word).collect();
        Self(words.join(" "))
    }

    /// Takes a line back that [`Display`](fmt::Display) made.
    #[must_use]
    pub fn from_line(line: &str) -> Self {
        Self(line.to_owned())
    }
}

impl fmt::Display for Answers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// An outcome without what a store may choose: the order of entries that go to different inboxes, whether there *may*
/// be more to expire, and how far a cursor settles over entries acknowledged one by one.
fn word(outcome: &Outcome) -> String {
    match outcome {
        Outcome::KeyPublished { record, changed } => format!("key:{}:{changed}", record.version.get()),
        Outcome::KeysAnnounced { appended, more } => format!("announced:{}:{more}", seqs(appended)),
        Outcome::ConversationOpened { conversation, created, appended } => {
            format!("opened:{}:{created}:{}", conversation.id, seqs(appended))
        }
        Outcome::MessageAppended(Appended { message, sender_seq, repeated, appended }) => {
            format!("message:{}:{}:{sender_seq}:{repeated}:{}", message.id, message.sequence, seqs(appended))
        }
        Outcome::Acknowledged(done) => format!("acknowledged:{}:{}", done.acknowledged, done.unknown),
        Outcome::DeviceRegistered { .. } => "registered".to_owned(),
        Outcome::DeviceForgotten { existed } => format!("forgotten:{existed}"),
        Outcome::Expired { entries, .. } => format!("expired:{entries}"),
        Outcome::Refused(refusal) => format!("refused:{}", reason(refusal)),
        _ => "unknown".to_owned(),
    }
}

fn seqs(appended: &[Notification]) -> String {
    let mut sorted: Vec<_> = appended.iter().map(|told| (told.user, told.entry.seq)).collect();
    sorted.sort_unstable();
    let numbers: Vec<String> = sorted.iter().map(|(_, seq)| seq.to_string()).collect();
    numbers.join(",")
}

fn reason(refusal: &Refusal) -> String {
    match refusal {
        Refusal::StaleKey { current } => {
            format!("stale_key:{}", current.map_or(0, |record| record.version.get()))
        }
        Refusal::BeyondHead { head } => format!("beyond_head:{head}"),
        other => format!("{other:?}"),
    }
}
