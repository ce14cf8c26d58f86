//! Helpers for this crate's unit tests.

use curve25519_dalek::EdwardsPoint;
use curve25519_dalek::scalar::Scalar;

use crate::user::UserId;

/// The test user with this number. Different numbers give different users.
pub(crate) fn user(n: u64) -> UserId {
    UserId::from_bytes(EdwardsPoint::mul_base(&Scalar::from(n + 1)).compress().to_bytes()).unwrap()
}
