//! What this crate's own tests share.

use bytes::Bytes;
use curve25519_dalek::EdwardsPoint;
use curve25519_dalek::scalar::Scalar;

use crate::{Ciphertext, UserId};

/// The *n*-th of many users.
pub(crate) fn user(n: u64) -> UserId {
    UserId::from_bytes(EdwardsPoint::mul_base(&Scalar::from(n + 1)).compress().to_bytes()).unwrap()
}

/// A ciphertext with a readable payload.
pub(crate) fn ciphertext(payload: &'static str) -> Ciphertext {
    Ciphertext::new(Bytes::from_static(payload.as_bytes()), &[7; 24], None, None).unwrap()
}
