//! Comparison of a store's outcomes with those that the model allows.

use dm_core::store::{Action, Answer, Done, Expire, Notification, Outcome, UserId, Write};

use super::state::Model;

impl Model {
    /// Applies a write with the outcome that a store answered.
    ///
    /// An expiry that [leaves a choice](Self::leaves_choice) is applied by [`learn`](Self::learn),
    /// because its outcome does not tell the choice.
    ///
    /// # Errors
    /// Fails with the expected outcomes if the store's is not allowed.
    pub fn check(&mut self, write: &Write, found: &Outcome) -> Result<(), String> {
        match &write.action {
            Action::Expire(limited) if self.leaves_choice(write) => Self::check_expired(limited, found),
            _ => {
                let allowed = self.apply(write);
                if allowed.iter().any(|allowed| same(allowed, found)) {
                    return Ok(());
                }
                let hint = if allowed.iter().any(|allowed| format!("{allowed:?}") == format!("{found:?}")) {
                    " (they differ in bytes that are not shown)"
                } else {
                    ""
                };
                Err(format!("expected {allowed:?}{hint}"))
            }
        }
    }

    /// Whether the store chooses a part of the result: the inboxes to expire, if the limit is too
    /// small for all.
    #[must_use]
    pub fn leaves_choice(&self, write: &Write) -> bool {
        matches!(&write.action, Action::Expire(write) if self.old(write) > write.limit)
    }

    fn check_expired(write: &Expire, found: &Outcome) -> Result<(), String> {
        // A step may remove fewer entries than its limit, but at least one.
        match expired(found) {
            Some((entries, true)) if entries <= write.limit && (entries > 0 || write.limit == 0) => Ok(()),
            _ => {
                Err(format!("expected that at most {} entries expire, and that there are more", write.limit))
            }
        }
    }

    /// Takes over the floor of each inbox after an expiry that left a choice. The outcomes of other
    /// writes need no more.
    ///
    /// # Errors
    /// Fails if the floors are beyond the expiry's time, or if the number of removed entries is not
    /// that of the outcome.
    pub fn learn(&mut self, write: &Write, answer: &Outcome, floors: &[(UserId, u64)]) -> Result<(), String> {
        let (Action::Expire(write), Some((entries, _))) = (&write.action, expired(answer)) else {
            return Ok(());
        };
        let mut removed = 0;
        for (user, floor) in floors {
            let person = self.person(*user);
            let (from, old) = (person.floor(), person.old(write.before) as u64);
            if *floor < from || *floor > from + old {
                return Err(format!(
                    "the floor of the inbox of {user:?} moved from {from} to {floor}, and {old} entries were old enough"
                ));
            }
            removed += floor - from;
            person.remove_up_to(*user, *floor);
        }
        if removed == entries as u64 {
            Ok(())
        } else {
            Err(format!("{removed} entries were removed, and the outcome says {entries}"))
        }
    }
}

/// The number of entries that expired, and whether there may be more.
const fn expired(outcome: &Outcome) -> Option<(usize, bool)> {
    match outcome {
        Outcome::Done(Done { answer: Answer::Expired { entries, more }, .. }) => Some((*entries, *more)),
        _ => None,
    }
}

/// Whether two outcomes are equal in every field.
#[must_use]
pub fn same(one: &Outcome, other: &Outcome) -> bool {
    match (one, other) {
        (Outcome::Done(one), Outcome::Done(other)) => same_done(one, other),
        (Outcome::Refused(one), Outcome::Refused(other)) => one == other,
        _ => false,
    }
}

fn same_done(one: &Done, other: &Done) -> bool {
    let revisions = |done: &Done| {
        let mut revisions = done.revisions.clone();
        revisions.sort_unstable();
        revisions
    };
    same_answer(&one.answer, &other.answer)
        && (one.is_found, &one.taken, revisions(one)) == (other.is_found, &other.taken, revisions(other))
        && same_notifications(&one.appended, &other.appended)
}

fn same_answer(one: &Answer, other: &Answer) -> bool {
    match (one, other) {
        (Answer::None, Answer::None) | (Answer::DeviceForgotten, Answer::DeviceForgotten) => true,
        (Answer::ConversationOpened(one), Answer::ConversationOpened(other)) => one == other,
        (Answer::MessageAppended(one), Answer::MessageAppended(other)) => {
            (&one.message, one.sender_seq) == (&other.message, other.sender_seq)
        }
        (Answer::Acknowledged(one), Answer::Acknowledged(other)) => one == other,
        (Answer::DeviceRegistered(one), Answer::DeviceRegistered(other)) => one == other,
        (Answer::Expired { entries, more }, Answer::Expired { entries: other, more: other_more }) => {
            (entries, more) == (other, other_more)
        }
        _ => false,
    }
}

/// Whether two lists have the same entries. The contract does not order those of an action, which
/// are in different inboxes.
fn same_notifications(some: &[Notification], others: &[Notification]) -> bool {
    some.len() == others.len()
        && some.iter().all(|one| others.iter().any(|other| same_notification(one, other)))
}

fn same_notification(one: &Notification, other: &Notification) -> bool {
    one.user == other.user && one.entry == other.entry
}
