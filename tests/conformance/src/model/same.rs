//! Comparison of a store's outcomes with those that the model allows.

use dm_core::notify::Notification;
use dm_core::store::{AnnounceKeys, Appended, Event, Expire, Notice, Outcome, UserId, Write};

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
        match write {
            Write::AnnounceKeys(write) => self.check_announced(write, found),
            Write::Expire(limited) if self.leaves_choice(write) => self.check_expired(limited, found),
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

    /// The store chooses the peers that are told first.
    fn check_announced(&mut self, write: &AnnounceKeys, found: &Outcome) -> Result<(), String> {
        let Outcome::KeysAnnounced { appended, more } = found else {
            return Err("expected announced keys".to_owned());
        };
        let to_tell = self.untold.len().min(write.limit);
        if appended.len() != to_tell {
            return Err(format!("expected that {to_tell} peers are told"));
        }
        for told in appended {
            let Event::Notice(Notice::PeerKeyChanged(record)) = &told.entry.event else {
                return Err("expected only notices of keys".to_owned());
            };
            let Some(expected) = self.tell(record.user, told.user, write) else {
                return Err(format!("{:?} was told before, or has no new key to be told of", told.user));
            };
            if !same_notification(&expected, told) {
                return Err(format!("expected {expected:?}"));
            }
        }
        let left = !self.untold.is_empty();
        if left == *more { Ok(()) } else { Err(format!("expected more: {left}")) }
    }

    /// Whether the store chooses a part of the result: the peers to tell, or the inboxes to expire,
    /// if the limit is too small for all.
    #[must_use]
    pub fn leaves_choice(&self, write: &Write) -> bool {
        match write {
            Write::Expire(write) => self.old(write) > write.limit,
            Write::AnnounceKeys(write) => self.untold.len() > write.limit,
            _ => false,
        }
    }

    fn check_expired(&self, write: &Expire, found: &Outcome) -> Result<(), String> {
        // A step may remove fewer entries than its limit, but at least one.
        match found {
            Outcome::Expired { entries, more: true }
                if *entries <= write.limit && (*entries > 0 || write.limit == 0) =>
            {
                Ok(())
            }
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
        let (Write::Expire(write), Outcome::Expired { entries, .. }) = (write, answer) else { return Ok(()) };
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
            person.remove_up_to(*floor);
        }
        if removed == *entries as u64 {
            Ok(())
        } else {
            Err(format!("{removed} entries were removed, and the outcome says {entries}"))
        }
    }
}

/// Whether two outcomes are equal in every field.
#[must_use]
pub fn same(one: &Outcome, other: &Outcome) -> bool {
    match (one, other) {
        (
            Outcome::KeyPublished { record, changed },
            Outcome::KeyPublished { record: other_record, changed: other_changed },
        ) => (record, changed) == (other_record, other_changed),
        (
            Outcome::ConversationOpened { conversation, created, appended },
            Outcome::ConversationOpened {
                conversation: other_conversation,
                created: other_created,
                appended: other_appended,
            },
        ) => {
            (conversation, created) == (other_conversation, other_created)
                && same_notifications(appended, other_appended)
        }
        (Outcome::MessageAppended(one), Outcome::MessageAppended(other)) => same_appended(one, other),
        (Outcome::Acknowledged(one), Outcome::Acknowledged(other)) => one == other,
        (Outcome::DeviceRegistered { cursor }, Outcome::DeviceRegistered { cursor: other }) => {
            cursor == other
        }
        (Outcome::DeviceForgotten { existed }, Outcome::DeviceForgotten { existed: other }) => {
            existed == other
        }
        (Outcome::Expired { entries, more }, Outcome::Expired { entries: other, more: other_more }) => {
            (entries, more) == (other, other_more)
        }
        (Outcome::Refused(one), Outcome::Refused(other)) => one == other,
        _ => false,
    }
}

fn same_appended(one: &Appended, other: &Appended) -> bool {
    one.message == other.message
        && one.sender_seq == other.sender_seq
        && one.repeated == other.repeated
        && same_notifications(&one.appended, &other.appended)
}

/// Whether two lists have the same entries. The entries of one write are in different inboxes, and
/// the contract does not order them.
fn same_notifications(some: &[Notification], others: &[Notification]) -> bool {
    some.len() == others.len()
        && some.iter().all(|one| others.iter().any(|other| same_notification(one, other)))
}

fn same_notification(one: &Notification, other: &Notification) -> bool {
    one.user == other.user && one.entry == other.entry
}
