//! [`CursorProof`], with which a client shows that its cursor belongs to the inbox that a store has
//! now.

use crate::numbers::InboxSeq;
use crate::time::Timestamp;
use crate::user::UserId;

/// Eight bytes that depend on an entry of an inbox and on its number. A client keeps those of the
/// entry at its cursor and names them when it resumes.
///
/// A store that was restored from a backup, or replaced by an older copy, may have another entry
/// under that number, or none yet. The proof does not match then, so the client reads history again
/// instead of missing entries without notice. A proof is a checksum and keeps no secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct CursorProof(u64);

impl CursorProof {
    /// The proof of an entry: the XXH3 hash of the user, the entry's number and time, big-endian,
    /// and the bytes of what the entry is about: the id of the message, or the
    /// [encoded](crate::Notice::encode) notice.
    #[must_use]
    pub fn new(user: UserId, seq: InboxSeq, at: Timestamp, about: &[u8]) -> Self {
        let mut bytes = Vec::with_capacity(48 + about.len());
        bytes.extend_from_slice(user.as_bytes());
        bytes.extend_from_slice(&seq.get().to_be_bytes());
        bytes.extend_from_slice(&at.as_millis().to_be_bytes());
        bytes.extend_from_slice(about);
        Self(xxhash_rust::xxh3::xxh3_64(&bytes))
    }

    /// A proof from the wire or from a store.
    #[must_use]
    pub const fn from_stored(proof: u64) -> Self {
        Self(proof)
    }

    /// The eight bytes, as a number.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::user;

    #[test]
    fn the_proof_depends_on_every_part_of_an_entry() {
        let proof = |u, seq, at, about: &[u8]| {
            CursorProof::new(user(u), InboxSeq::new(seq), Timestamp::from_millis(at), about)
        };
        let first = proof(1, 2, 3, &[4; 16]);
        for other in [proof(2, 2, 3, &[4; 16]), proof(1, 3, 3, &[4; 16]), proof(1, 2, 4, &[4; 16])] {
            assert_ne!(first, other);
        }
        assert_ne!(first, proof(1, 2, 3, &[5; 16]));
        assert_eq!(CursorProof::from_stored(first.get()), first);
    }

    /// Clients and stores keep proofs, so another version of the library must make the same ones.
    #[test]
    fn the_proof_of_an_entry_never_changes() {
        let user = UserId::from_stored([7; 32]);
        let proof = |about: &[u8]| {
            CursorProof::new(user, InboxSeq::new(2), Timestamp::from_millis(1_800_000_000_000), about).get()
        };
        assert_eq!(
            [proof(&[4; 16]), proof(b"a notice of another length")],
            [2_466_499_461_841_822_123, 10_362_616_264_478_230_672]
        );
    }
}
