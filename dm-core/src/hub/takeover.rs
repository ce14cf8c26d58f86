//! Sessions of one device on several nodes: the newest session stays.
//!
//! In one process the order is known: a session that connects ends the previous session of its
//! device. Between nodes the order of two sessions is the order of their [`Term`]s (ranks), and the
//! session with the lower term ends. A term starts as the time of its node's clock. If the clocks
//! give the wrong order, a term is raised, so the result does not depend on clocks:
//!
//! - Each node sends a claim for its session: "this is the newest". The claim carries the term and
//!   the age of the session. The node measures the age with its own monotonic clock. A node whose
//!   session is younger than the claimed one raises the term of its session above the claimed term,
//!   and sends a claim in turn.
//! - A node whose session is at least as old as the claimed one, and has the higher term, objects.
//!   The node of the claimed session then raises the term of that session above the higher term,
//!   and sends a new claim. At most four objections raise the term of a session. Without this
//!   limit two sessions of the same age could raise their terms for ever.
//!
//! A session ends only when it learns of a higher term than its own. So the session with the
//! highest term stays, even if two started at the same time, and a session without a rival never
//! ends. Two clients of the same device that both reconnect would replace each other again and
//! again, as on one node. So close code 4009 tells a client not to reconnect.

use std::sync::Arc;

use super::connection::{Connection, EndCause};
use super::registry::Hub;
use super::term::{SessionClaim, SessionId, Term};
use crate::device::DeviceId;
use crate::user::UserId;

/// Maximum number of objections that a session answers by raising its term. A further objection
/// ends the session. If only two nodes have sessions of the device, one raise is enough.
const MAX_RAISES: u8 = 4;

impl Hub {
    /// The claims of a user's device sessions in this process. A notifier sends all of them to the
    /// other nodes when the connection between the nodes is back after a failure.
    #[must_use]
    pub fn claims(&self, user: UserId) -> Vec<SessionClaim> {
        self.claims_with_terms(user, Connection::term)
    }

    /// The [`claims`](Self::claims) that no earlier call has returned. A notifier sends them to
    /// other nodes at once. [`watch_claims`](Self::watch_claims) tells which users have such
    /// claims.
    pub fn take_claims(&self, user: UserId) -> Vec<SessionClaim> {
        self.claims_with_terms(user, Connection::take_unannounced_term)
    }

    /// Handles a claim of another node. Compares it with the session of the same device in this
    /// process:
    ///
    /// - If the session here is younger, its term is raised above the claimed one.
    ///   [`watch_claims`](Self::watch_claims) then returns the user, because there is a new claim.
    /// - Otherwise, if the session here has the lower term, it ends with
    ///   [`SessionEnd::Replaced`](crate::SessionEnd::Replaced).
    /// - Otherwise the term of the session here is returned. The caller sends it to the other node,
    ///   which handles it as an objection with [`handle_objection`](Self::handle_objection).
    ///
    /// Nothing happens if this process has no session of the device, or only the claimed one.
    pub fn handle_claim(&self, claim: &SessionClaim) -> Option<Term> {
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

    /// Handles an objection to a session of this process. The objection comes from a session on
    /// another node that is at least as old, and `theirs` is the term of that session.
    ///
    /// The term of the session here is raised above `theirs`, and
    /// [`watch_claims`](Self::watch_claims) returns the user, because there is a new claim. At the
    /// fifth objection the session ends instead. Nothing happens if the session has ended, or if
    /// its term is higher than `theirs`.
    pub fn handle_objection(&self, user: UserId, device: &DeviceId, session: SessionId, theirs: Term) {
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

    /// Raises the term `own` of a session above `other`, so that the session has a new claim. Does
    /// nothing if no higher term exists.
    fn raise(&self, user: UserId, connection: &Connection, own: Term, other: Term) {
        if let Some(raised) = own.raised_above(other) {
            connection.set_term(raised);
            self.inner.new_claims.add(user);
        }
    }

    /// The claims of a user's device sessions, with the terms that `term` returns. A session for
    /// which `term` returns `None`, or that has ended, has no claim.
    fn claims_with_terms(
        &self,
        user: UserId,
        term: impl Fn(&Connection) -> Option<Term>,
    ) -> Vec<SessionClaim> {
        let claim = |connection: &Arc<Connection>| {
            let term = term(connection).filter(|_| connection.end_cause().is_none())?;
            Some(SessionClaim { user, device: connection.device().clone(), term, age: connection.age() })
        };
        self.shard(user).get(&user).into_iter().flatten().filter_map(claim).collect()
    }
}

/// The connection of a device's session, if there is one that has not ended.
fn session_of_device<'a>(
    connections: Option<&'a Vec<Arc<Connection>>>,
    device: &DeviceId,
) -> Option<&'a Connection> {
    let connections = connections.into_iter().flatten().map(AsRef::as_ref);
    let mut device_sessions =
        connections.filter(|connection| connection.device() == device && connection.term().is_some());
    device_sessions.find(|connection| connection.end_cause().is_none())
}
