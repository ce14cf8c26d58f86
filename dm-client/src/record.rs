//! [`KeyRecord`], the published key of a user, and [`PeerKey`], a key that is trusted.

use crate::keys::{KeyVersion, UserId, X25519Key};
use crate::time::Timestamp;

/// A user's published key, as the server reports it. No field is verified.
/// [`PeerKey::from_record`] decides whether the key is trusted.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct KeyRecord {
    /// The user whose key it is, according to the server.
    pub user: UserId,
    /// The X25519 key.
    pub key: X25519Key,
    /// The version of the key; `None` if the server does not count versions.
    pub version: Option<KeyVersion>,
    /// The time at which the key was published, by the server's clock.
    pub published_at: Timestamp,
    /// The binding of the key to the user as the server reports it, such as `derived`; may be
    /// empty. This crate does not use it.
    pub binding: String,
}

/// The keys of a peer that the client trusts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum KeyTrust {
    /// Only the key that is derived from the peer's user id. A server cannot forge it.
    #[default]
    Derived,
    /// Any key that the server names. **A dishonest server can then read the messages.** Use it
    /// only with a trusted server, for peers whose clients publish keys that are not derived from
    /// their user id.
    Server,
}

/// A trusted key of a peer, to encrypt messages to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeerKey {
    user: UserId,
    key: X25519Key,
    version: Option<KeyVersion>,
}

impl PeerKey {
    /// The key that is derived from the peer's user id. It needs neither a call nor trust in the
    /// server. Its version is not known.
    pub fn derived(user: UserId) -> Self {
        Self { user, key: user.agreement_key(), version: None }
    }

    /// The key of a record that the server returned for `user`.
    ///
    /// # Errors
    ///
    /// [`UntrustedKey`] if the record is of another user, or if `trust` is [`KeyTrust::Derived`]
    /// and the key is not derived from the user id.
    pub fn from_record(user: UserId, record: &KeyRecord, trust: KeyTrust) -> Result<Self, UntrustedKey> {
        let trusted = match trust {
            KeyTrust::Derived => record.key == user.agreement_key(),
            KeyTrust::Server => true,
        };
        if record.user != user || !trusted {
            return Err(UntrustedKey);
        }
        Ok(Self { user, key: record.key, version: record.version })
    }

    /// The peer.
    pub const fn user(&self) -> UserId {
        self.user
    }

    /// The X25519 key.
    pub const fn key(&self) -> &X25519Key {
        &self.key
    }

    /// The version of the key, if it is known.
    pub const fn version(&self) -> Option<KeyVersion> {
        self.version
    }
}

/// The server named a key of another user, or a key that [`KeyTrust::Derived`] does not accept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the key from the server does not belong to the user")]
pub struct UntrustedKey;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::Identity;

    fn record(user: UserId, key: X25519Key) -> KeyRecord {
        let published_at = Timestamp::default();
        KeyRecord { user, key, version: KeyVersion::new(2), published_at, binding: "derived".to_owned() }
    }

    #[test]
    fn a_key_that_is_not_derived_is_refused_whatever_binding_the_server_reports() {
        let (ana, eve) = ([1, 2]).map(|seed| Identity::from_seed(&[seed; 32]).user_id()).into();
        let forged = record(ana, eve.agreement_key());
        assert_eq!(PeerKey::from_record(ana, &forged, KeyTrust::Derived), Err(UntrustedKey));
        assert_eq!(PeerKey::from_record(ana, &forged, KeyTrust::Server).unwrap().key(), &eve.agreement_key());
    }

    #[test]
    fn a_record_of_another_user_is_refused_under_any_trust() {
        let (ana, eve) = ([1, 2]).map(|seed| Identity::from_seed(&[seed; 32]).user_id()).into();
        for trust in [KeyTrust::Derived, KeyTrust::Server] {
            assert_eq!(
                PeerKey::from_record(ana, &record(eve, eve.agreement_key()), trust),
                Err(UntrustedKey)
            );
        }
    }

    #[test]
    fn a_derived_key_is_accepted_with_its_version() {
        let ana = Identity::from_seed(&[1; 32]).user_id();
        let peer = PeerKey::from_record(ana, &record(ana, ana.agreement_key()), KeyTrust::Derived).unwrap();
        assert_eq!((peer.key(), peer.version()), (PeerKey::derived(ana).key(), KeyVersion::new(2)));
    }
}
