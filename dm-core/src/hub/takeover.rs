//! Sessions of one device on several nodes: the newest stays.
//!
//! In one process the order is plain: a session that connects ends the one before it. Across nodes
//! each device session has a [`Term`], and of two sessions the one with the lower term ends. A term
//! begins as the time of its node's clock, and is raised where that is wrong, so that the order
//! does not depend on clocks:
//!
//! - A claim carries the session's age, which each node measures by itself. A node whose session is
//!   younger than a claimed one raises its term above the claimed one, and claims.
//! - A node whose session is older, or as old, and has the higher term objects, and the claimed
//!   session raises its term above that, and claims again. It does so a few times at most: two
//!   sessions that are as old as each other could go on for ever.
//!
//! A session only ends when it hears of a higher term than its own. So the one with the highest
//! term stays, also of two that begin at the same time, and a session that is alone never ends. Two
//! clients that both reconnect replace each other once per connection, as on one node; close code
//! 4009 tells a client to stay away.

use std::sync::Arc;

use super::registry::Hub;
use super::connection::{EndCause, Connection};
use super::term::{SessionClaim, SessionId, Term};
use crate::device::DeviceId;
use crate::user::UserId;

/// Objections that a session answers by raising its term; a further one ends it. One is enough
/// where two nodes are concerned.
const MAX_RAISES: u8 = 4;

impl Hub {
    /// The device sessions of a user in this process: for other nodes to hear of again after they
    /// could not hear each other.
    #[must_use]
    pub fn claims(&self, user: UserId) -> Vec<SessionClaim> {
        self.claims_by(user, Connection::term)
    }

    /// The [`claims`](Self::claims) that were not taken before: for other nodes to hear of at once.
    /// [`watch_claims`](Self::watch_claims) tells of which users there are some.
    pub fn take_claims(&self, user: UserId) -> Vec<SessionClaim> {
        self.claims_by(user, Connection::take_unannounced_term)
    }

    /// Takes another node's claim. A session of the device here that is younger claims again, which
    /// [`watch_claims`](Self::watch_claims) tells. Another one ends with
    /// [`SessionEnd::Replaced`](crate::SessionEnd::Replaced) if its term is lower; otherwise its
    /// term is returned, for the other node to hear as an [`objection`](Self::objection).
    pub fn contend(&self, claim: &SessionClaim) -> Option<Term> {
        let shard = self.shard(claim.user);
        let connection = session_of_device(shard.get(&claim.user), &claim.device)?;
        let own = connection.term().filter(|own| own.session != claim.term.session)?;
        if connection.age() < claim.age {
            self.raise(claim.user, connection, own, claim.term);
            return None;
        }
        if own < claim.term {
            connection.end(EndCause::Replaced);
            return None;
        }
        Some(own)
    }

    /// Takes the objection to a session of this process by a session on another node, which was
    /// there before it or began at the same time. The session claims a term above that one's:
    /// [`watch_claims`](Self::watch_claims) tells the user again. A session that is gone, or has
    /// such a term, has nothing to answer.
    pub fn objection(&self, user: UserId, device: &DeviceId, session: SessionId, theirs: Term) {
        let shard = self.shard(user);
        let Some(connection) = session_of_device(shard.get(&user), device) else { return };
        if let Some(own) = connection.term().filter(|own| own.session == session && *own < theirs) {
            if connection.count_objection() <= MAX_RAISES {
                self.raise(user, connection, own, theirs);
            } else {
                connection.end(EndCause::Replaced);
            }
        }
    }

    /// Has a session claim a term above another one.
    fn raise(&self, user: UserId, connection: &Connection, own: Term, over: Term) {
        if let Some(above) = own.above(over) {
            connection.set_term(above);
            self.inner.new_claims.add(user);
        }
    }

    fn claims_by(&self, user: UserId, term: impl Fn(&Connection) -> Option<Term>) -> Vec<SessionClaim> {
        let claim = |connection: &Arc<Connection>| {
            let term = term(connection).filter(|_| connection.end_cause().is_none())?;
            Some(SessionClaim { user, device: connection.device().clone(), term, age: connection.age() })
        };
        self.shard(user).get(&user).into_iter().flatten().filter_map(claim).collect()
    }
}

/// The session of a device, if there is one that has not ended.
fn session_of_device<'a>(connections: Option<&'a Vec<Arc<Connection>>>, device: &DeviceId) -> Option<&'a Connection> {
    let connections = connections.into_iter().flatten().map(AsRef::as_ref);
    let mut of_device = connections.filter(|connection| connection.device() == device && connection.term().is_some());
    of_device.find(|connection| connection.end_cause().is_none())
}
