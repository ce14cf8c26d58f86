//! [`Identity`]: the secret of a user. All keys of the user follow from one Ed25519 seed.

use std::fmt;

use ed25519_dalek::{Signer, SigningKey};
use x25519_dalek::StaticSecret;
use zeroize::Zeroizing;

use crate::entropy::{Entropy, EntropyError};
use crate::keys::{UserId, X25519Key};

/// A user's Ed25519 signing key, and the X25519 secret that is derived from it.
///
/// The X25519 secret is derived by the standard conversion: it is the first half of SHA-512 of the
/// seed, clamped (RFC 8032, section 5.1.5; libsodium's `crypto_sign_ed25519_sk_to_curve25519`). [On
/// using the same key pair for Ed25519 and an X25519 based KEM](https://eprint.iacr.org/2021/509)
/// shows that the use of one key pair for both purposes is secure.
///
/// Secrets are wiped from memory on drop. `Debug` shows the first four bytes of the public key.
pub struct Identity {
    signing: SigningKey,
    agreement: StaticSecret,
}

impl Identity {
    /// A fresh random identity.
    ///
    /// # Errors
    ///
    /// [`EntropyError`] if `entropy` fails.
    pub fn generate(entropy: &mut dyn Entropy) -> Result<Self, EntropyError> {
        let mut seed = Zeroizing::new([0; 32]);
        entropy.fill(&mut *seed)?;
        Ok(Self::from_seed(&seed))
    }

    /// The identity of a 32-byte seed (RFC 8032, section 5.1.5). Every seed is valid; it must be
    /// secret and random.
    pub fn from_seed(seed: &[u8; 32]) -> Self {
        let signing = SigningKey::from_bytes(seed);
        let scalar = Zeroizing::new(signing.to_scalar_bytes());
        Self { agreement: StaticSecret::from(*scalar), signing }
    }

    /// The user id: the public key of the signing key.
    pub fn user_id(&self) -> UserId {
        UserId::from_verifying_key(self.signing.verifying_key())
    }

    /// The key that other users encrypt to: the same as `self.user_id().agreement_key()`.
    pub fn agreement_key(&self) -> X25519Key {
        X25519Key::from_bytes_unchecked(x25519_dalek::PublicKey::from(&self.agreement).to_bytes())
    }

    /// The Ed25519 signature (64 bytes) over `message`.
    ///
    /// Begin every message with the name of its purpose, so that a signature for one purpose is not
    /// valid for another. Never sign a message that a peer or a server has chosen completely.
    pub fn sign(&self, message: &[u8]) -> [u8; 64] {
        self.signing.sign(message).to_bytes()
    }

    /// The X25519 secret, for the cipher suites.
    pub(crate) fn agreement_secret(&self) -> &StaticSecret {
        &self.agreement
    }

    /// The seed, for the identity file.
    pub(super) fn seed(&self) -> &[u8; 32] {
        self.signing.as_bytes()
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Identity").field(&self.user_id()).finish()
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
    fn the_agreement_secret_equals_the_one_of_libsodium() {
        let file: serde_json::Value = serde_json::from_str(include_str!("../../vectors/keys.json")).unwrap();
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
        fn an_identity_and_its_user_id_have_the_same_agreement_key(seed: [u8; 32]) {
            let identity = Identity::from_seed(&seed);
            prop_assert_eq!(identity.agreement_key(), identity.user_id().agreement_key());
        }

        #[test]
        fn the_keys_of_an_identity_pass_the_checks_on_input(seed: [u8; 32]) {
            let identity = Identity::from_seed(&seed);
            prop_assert_eq!(UserId::from_bytes(identity.user_id().as_bytes()), Ok(identity.user_id()));
            prop_assert_eq!(X25519Key::from_bytes(identity.agreement_key().as_bytes()), Ok(identity.agreement_key()));
        }
    }
}
