//! Published keys, and which of them to believe.

use crate::keys::{AgreementKey, PublicKey};

/// A user's key as the server has it. The server's word alone: [`PeerKey::from_record`] decides whether to use it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct KeyRecord {
    /// Whose it is said to be.
    pub user: PublicKey,
    /// The X25519 key.
    pub key: AgreementKey,
    /// Counts the user's keys from 1; `None` from a server that does not count them.
    pub version: Option<u32>,
    /// When it was published, Unix milliseconds of the server's clock.
    pub published_at: u64,
    /// How the server says that it checked the binding to the identity, such as `derived`. Never relied upon.
    pub binding: String,
}

/// Which keys of a peer to believe.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum KeyTrust {
    /// Only the one that follows from the peer's identity, which no server can forge.
    #[default]
    Derived,
    /// Whatever the server says. **A server that lies reads the messages.** For peers whose clients publish keys
    /// that do not follow from their identity, over a server that one trusts.
    Server,
}

/// A peer's key that may be encrypted to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PeerKey {
    user: PublicKey,
    key: AgreementKey,
    version: Option<u32>,
}

impl PeerKey {
    /// The key that follows from the peer's identity. Needs no server and no trust; names no version.
    pub fn derived(user: PublicKey) -> Self {
        Self { user, key: user.agreement_key(), version: None }
    }

    /// The key of a record that the server says is `user`'s.
    ///
    /// # Errors
    ///
    /// [`UntrustedKey`] if the record is of another user, or if its key does not follow from the identity and
    /// `trust` asks for that.
    pub fn from_record(user: PublicKey, record: &KeyRecord, trust: KeyTrust) -> Result<Self, UntrustedKey> {
        let believed = match trust {
            KeyTrust::Derived => record.key == user.agreement_key(),
            KeyTrust::Server => true,
        };
        if record.user != user || !believed {
            return Err(UntrustedKey);
        }
        Ok(Self { user, key: record.key, version: record.version })
    }

    /// Whose key it is.
    pub const fn user(&self) -> PublicKey {
        self.user
    }

    /// The X25519 key.
    pub const fn key(&self) -> &AgreementKey {
        &self.key
    }

    /// The version the server counts it as, if known.
    pub const fn version(&self) -> Option<u32> {
        self.version
    }
}

/// The server names a key that is not known to belong to the user.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the key that the server names does not belong to the user")]
pub struct UntrustedKey;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::Identity;

    fn record(user: PublicKey, key: AgreementKey) -> KeyRecord {
        KeyRecord { user, key, version: Some(2), published_at: 0, binding: "derived".to_owned() }
    }

    #[test]
    fn a_key_that_does_not_follow_from_the_identity_is_refused_whatever_the_server_says_of_it() {
        let (ana, eve) = ([1, 2]).map(|seed| Identity::from_seed(&[seed; 32]).public_key()).into();
        let forged = record(ana, eve.agreement_key());
        assert_eq!(PeerKey::from_record(ana, &forged, KeyTrust::Derived), Err(UntrustedKey));
        assert_eq!(PeerKey::from_record(ana, &forged, KeyTrust::Server).unwrap().key(), &eve.agreement_key());
    }

    #[test]
    fn a_record_of_another_user_is_refused_under_any_trust() {
        let (ana, eve) = ([1, 2]).map(|seed| Identity::from_seed(&[seed; 32]).public_key()).into();
        for trust in [KeyTrust::Derived, KeyTrust::Server] {
            assert_eq!(
                PeerKey::from_record(ana, &record(eve, eve.agreement_key()), trust),
                Err(UntrustedKey)
            );
        }
    }

    #[test]
    fn the_derived_key_is_taken_with_its_version() {
        let ana = Identity::from_seed(&[1; 32]).public_key();
        let peer = PeerKey::from_record(ana, &record(ana, ana.agreement_key()), KeyTrust::Derived).unwrap();
        assert_eq!((peer.key(), peer.version()), (PeerKey::derived(ana).key(), Some(2)));
    }
}
