//! One-time tickets. A browser cannot set headers for a WebSocket, so it requests a ticket over
//! REST and puts the ticket into the WebSocket's address.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use data_encoding::BASE64URL_NOPAD;
use dm_core::{Timestamp, UserId};
use sha2::{Digest, Sha256};

use crate::caller::Caller;
use crate::problem::{Kind, Problem};

/// Size in bytes of a ticket's random secret, and of its digest.
const SECRET_LEN: usize = 32;

type Hash = [u8; SECRET_LEN];

/// The tickets that are issued and not used. Only SHA-256 digests of tickets are kept and compared,
/// so that neither a memory dump nor the duration of a look-up reveals a ticket.
#[derive(Debug)]
pub(crate) struct Tickets {
    /// The time for which a ticket is valid.
    lifetime: Duration,
    /// Maximum number of tickets of all users.
    limit: usize,
    /// Maximum number of tickets of one user.
    limit_per_user: usize,
    issued: Mutex<Issued>,
}

#[derive(Debug, Default)]
struct Issued {
    /// The expiry and the holder of each ticket.
    holders: HashMap<Hash, (Timestamp, Caller)>,
    /// The tickets ordered by expiry. The search for expired tickets then visits no others.
    by_expiry: BTreeSet<(Timestamp, Hash)>,
    /// The number of tickets of each user, to apply `limit_per_user`.
    by_user: HashMap<UserId, usize>,
}

impl Tickets {
    pub(crate) fn new(lifetime: Duration, limit: usize, limit_per_user: usize) -> Self {
        Self { lifetime, limit, limit_per_user, issued: Mutex::default() }
    }

    /// Issues a ticket for a WebSocket of `holder`. Returns the ticket's text and the time at which
    /// the ticket expires. Refuses if `holder` or all users together have too many tickets.
    pub(crate) fn issue(&self, holder: Caller, now: Timestamp) -> Result<(String, Timestamp), Problem> {
        let mut secret = [0; SECRET_LEN];
        getrandom::fill(&mut secret).map_err(|_| {
            Problem::new(Kind::Unavailable, "the source of randomness failed")
                .with_retry_after(Duration::from_secs(1))
        })?;
        let expires_at = now.after(self.lifetime);
        let mut issued = self.issued.lock().unwrap_or_else(PoisonError::into_inner);
        issued.expire(now);
        let user = holder.principal.user;
        let own = issued.by_user.get(&user).copied().unwrap_or(0);
        if issued.holders.len() >= self.limit || own >= self.limit_per_user {
            return Err(Problem::new(Kind::TooManyTickets, "too many tickets are issued")
                .with_retry_after(self.lifetime));
        }
        let hash = digest(&secret);
        issued.holders.insert(hash, (expires_at, holder));
        issued.by_expiry.insert((expires_at, hash));
        issued.by_user.insert(user, own + 1);
        drop(issued);
        Ok((BASE64URL_NOPAD.encode(&secret), expires_at))
    }

    /// Removes a ticket and returns its holder; `None` if the ticket is unknown, used or expired.
    pub(crate) fn redeem(&self, text: &str, now: Timestamp) -> Option<Caller> {
        let mut secret = [0; SECRET_LEN];
        if text.len() != BASE64URL_NOPAD.encode_len(SECRET_LEN) {
            return None;
        }
        BASE64URL_NOPAD.decode_mut(text.as_bytes(), &mut secret).ok()?;
        let hash = digest(&secret);
        let mut issued = self.issued.lock().unwrap_or_else(PoisonError::into_inner);
        let (expires_at, holder) = issued.remove(&hash)?;
        issued.by_expiry.remove(&(expires_at, hash));
        (now < expires_at).then_some(holder)
    }
}

impl Issued {
    /// Removes the expired tickets.
    fn expire(&mut self, now: Timestamp) {
        while let Some(&(expires_at, hash)) = self.by_expiry.first()
            && expires_at <= now
        {
            self.by_expiry.pop_first();
            self.remove(&hash);
        }
    }

    /// Removes a ticket from `holders` and `by_user`. The caller removes it from `by_expiry`.
    fn remove(&mut self, hash: &Hash) -> Option<(Timestamp, Caller)> {
        let removed = self.holders.remove(hash)?;
        let user = removed.1.principal.user;
        if let Some(own) = self.by_user.get_mut(&user) {
            *own -= 1;
            if *own == 0 {
                self.by_user.remove(&user);
            }
        }
        Some(removed)
    }
}

fn digest(secret: &[u8]) -> Hash {
    Sha256::digest(secret).into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::login::LoginExtensions;

    const LIFE: Duration = Duration::from_secs(30);

    fn holder() -> Caller {
        user("5866666666666666666666666666666666666666666666666666666666666666")
    }

    fn user(text: &str) -> Caller {
        Caller { principal: text.parse::<UserId>().unwrap().into(), login: LoginExtensions::default() }
    }

    fn at(millis: u64) -> Timestamp {
        Timestamp::from_millis(millis)
    }

    #[test]
    fn a_ticket_works_once() {
        let tickets = Tickets::new(LIFE, 2, 2);
        let (ticket, expires_at) = tickets.issue(holder(), at(0)).unwrap();
        assert_eq!(expires_at, at(30_000));
        assert_eq!(tickets.redeem(&ticket, at(29_999)), Some(holder()));
        assert_eq!(tickets.redeem(&ticket, at(29_999)), None);
    }

    #[test]
    fn an_expired_or_foreign_ticket_does_not_work() {
        let tickets = Tickets::new(LIFE, 2, 2);
        let (ticket, _) = tickets.issue(holder(), at(0)).unwrap();
        for foreign in ["", "x", &"A".repeat(43), &"é".repeat(30), &ticket[1..], &format!("{ticket}A")] {
            assert_eq!(tickets.redeem(foreign, at(0)), None, "{foreign}");
        }
        assert_eq!(tickets.redeem(&ticket, at(30_000)), None);
        let issued = tickets.issued.lock().unwrap();
        assert!(issued.by_expiry.is_empty() && issued.by_user.is_empty());
    }

    #[test]
    fn at_the_total_limit_no_ticket_is_issued_until_one_expires() {
        let tickets = Tickets::new(LIFE, 2, 2);
        tickets.issue(holder(), at(0)).unwrap();
        tickets.issue(holder(), at(1)).unwrap();
        assert_eq!(tickets.issue(holder(), at(29_999)).unwrap_err().kind(), Kind::TooManyTickets);
        tickets.issue(holder(), at(30_000)).unwrap();
        assert_eq!(tickets.issued.lock().unwrap().holders.len(), 2);
    }

    #[test]
    fn one_user_cannot_hold_all_tickets() {
        let tickets = Tickets::new(LIFE, 3, 1);
        let (ticket, _) = tickets.issue(holder(), at(0)).unwrap();
        assert_eq!(tickets.issue(holder(), at(0)).unwrap_err().kind(), Kind::TooManyTickets);
        let other = user("c9a3f86aae465f0e56513864510f3997561fa2c9e85ea21dc2292309f3cd6022");
        tickets.issue(other, at(0)).unwrap();
        tickets.redeem(&ticket, at(0)).unwrap();
        tickets.issue(holder(), at(0)).unwrap();
    }
}
