//! A user's secret: one Ed25519 seed, from which everything else follows.

use std::fmt;

use ed25519_dalek::{Signer, SigningKey};
use x25519_dalek::StaticSecret;
use zeroize::Zeroizing;

use crate::{
    entropy::{Entropy, EntropyError},
    keys::{AgreementKey, PublicKey},
};

mod file;

pub use file::IdentityFileError;

/// A user's signing key and the X25519 key that belongs to it.
///
/// The X25519 secret is the standard conversion: the first half of SHA-512 of the seed, clamped (RFC 8032 section
/// 5.1.5 and libsodium's `crypto_sign_ed25519_sk_to_curve25519`). That one key may serve both purposes is shown in
/// [On using the same key pair for Ed25519 and an X25519 based KEM](https://eprint.iacr.org/2021/509).
///
/// Secrets are wiped from memory on drop. `Debug` shows the first four bytes of the public key.
pub struct Identity {
    signing: SigningKey,
    agreement: StaticSecret,
}

impl Identity {
    /// A fresh identity.
    ///
    /// # Errors
    ///
    /// [`EntropyError`] if `entropy` failed.
    pub fn generate(entropy: &mut dyn Entropy) -> Result<Self, EntropyError> {
        let mut seed = Zeroizing::new([0; 32]);
        entropy.fill(&mut *seed)?;
        Ok(Self::from_seed(&seed))
    }

    /// The identity of a 32-byte seed (RFC 8032 section 5.1.5). Every seed is valid; it must be secret and random.
    pub fn from_seed(seed: &[u8; 32]) -> Self {
        let signing = SigningKey::from_bytes(seed);
        let scalar = Zeroizing::new(signing.to_scalar_bytes());
        Self { agreement: StaticSecret::from(*scalar), signing }
    }

    /// Who this is, to others.
    pub fn public_key(&self) -> PublicKey {
        PublicKey::from_verifying_key(self.signing.verifying_key())
    }

    /// What others encrypt to: the same as `self.public_key().agreement_key()`.
    pub fn agreement_key(&self) -> AgreementKey {
        AgreementKey::from_montgomery(x25519_dalek::PublicKey::from(&self.agreement).to_bytes())
    }

    /// The Ed25519 signature (64 bytes) over `message`.
    ///
    /// Let every message begin with the name of its purpose, so that a signature made for one is never good for
    /// another; never sign what a peer or a server chose in full.
    pub fn sign(&self, message: &[u8]) -> [u8; 64] {
        self.signing.sign(message).to_bytes()
    }

    /// The X25519 secret, for the suites.
    pub(crate) fn agreement_secret(&self) -> &StaticSecret {
        &self.agreement
    }

    /// The seed, for the identity file.
    fn seed(&self) -> &[u8; 32] {
        self.signing.as_bytes()
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Identity").field(&self.public_key()).finish()
    }
}

#[cfg(test)]
mod tests {
    use data_encoding::HEXLOWER;
    use proptest::prelude::*;
    use zeroize::ZeroizeOnDrop;

    use super::*;

    fn clamped(identity: &Identity) -> [u8; 32] {
        let mut bytes = identity.agreement_secret().to_bytes();
        bytes[0] &= 248;
        bytes[31] = bytes[31] & 127 | 64;
        bytes
    }

    #[test]
    fn the_agreement_secret_is_the_one_libsodium_derives() {
        let file: serde_json::Value = serde_json::from_str(include_str!("../vectors/keys.json")).unwrap();
        for vector in file["identities"].as_array().unwrap() {
            let seed = HEXLOWER.decode(vector["seed"].as_str().unwrap().as_bytes()).unwrap();
            let identity = Identity::from_seed(&seed.try_into().unwrap());
            assert_eq!(HEXLOWER.encode(&clamped(&identity)), vector["x25519_secret"], "{}", vector["name"]);
        }
    }

    #[test]
    fn both_secrets_are_wiped_on_drop() {
        fn wiped<T: ZeroizeOnDrop>(_: &T) {}
        let Identity { signing, agreement } = &Identity::from_seed(&[1; 32]);
        wiped(signing);
        wiped(agreement);
    }

    proptest! {
        #[test]
        fn both_ways_to_the_agreement_key_meet(seed: [u8; 32]) {
            let identity = Identity::from_seed(&seed);
            prop_assert_eq!(identity.agreement_key(), identity.public_key().agreement_key());
        }

        #[test]
        fn an_own_public_key_passes_the_checks_for_a_foreign_one(seed: [u8; 32]) {
            let identity = Identity::from_seed(&seed);
            prop_assert_eq!(PublicKey::from_bytes(identity.public_key().as_bytes()), Ok(identity.public_key()));
            prop_assert_eq!(AgreementKey::from_bytes(identity.agreement_key().as_bytes()), Ok(identity.agreement_key()));
        }
    }
}
