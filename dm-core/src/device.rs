//! [`DeviceId`], which names a device of a user, and [`Principal`], the caller of a request.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use crate::invalid::Invalid;
use crate::user::UserId;

/// One of a user's devices: 1 to 64 characters of `A-Z a-z 0-9 . _ -`, chosen by the client or the
/// host.
///
/// A host without devices uses [`DeviceId::default`], whose text form is `default`. Cheap to clone.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct DeviceId(
    /// `None` for the default device.
    Option<Arc<str>>,
);

impl DeviceId {
    /// The length of the longest text form, in bytes.
    pub const MAX_LEN: usize = 64;
    const DEFAULT: &'static str = "default";

    /// The text form.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.as_deref().unwrap_or(Self::DEFAULT)
    }

    /// Whether this is the device of hosts and clients without devices.
    #[must_use]
    pub const fn is_default(&self) -> bool {
        self.0.is_none()
    }
}

impl FromStr for DeviceId {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let allowed = |c: u8| c.is_ascii_alphanumeric() || matches!(c, b'.' | b'_' | b'-');
        if text.is_empty() || text.len() > Self::MAX_LEN || !text.bytes().all(allowed) {
            return Err(Invalid::new("device", "not 1 to 64 characters of A-Z a-z 0-9 . _ -"));
        }
        Ok(Self((text != Self::DEFAULT).then(|| text.into())))
    }
}

impl fmt::Display for DeviceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for DeviceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DeviceId({})", self.as_str())
    }
}

/// The caller of a request: a user, and the device that the user calls from. The host authenticates
/// the caller. The library checks what the caller may do.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Principal {
    /// The authenticated user.
    pub user: UserId,
    /// The device that makes the call.
    pub device: DeviceId,
}

impl Principal {
    /// A user on a device.
    #[must_use]
    pub const fn new(user: UserId, device: DeviceId) -> Self {
        Self { user, device }
    }
}

/// The user on the default device.
impl From<UserId> for Principal {
    fn from(user: UserId) -> Self {
        Self { user, device: DeviceId::default() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_device_has_one_form_only() {
        assert_eq!("default".parse::<DeviceId>().unwrap(), DeviceId::default());
        assert_eq!(DeviceId::default().to_string(), "default");
        assert!(DeviceId::default().is_default());
        assert!(!"phone".parse::<DeviceId>().unwrap().is_default());
    }

    #[test]
    fn ids_outside_the_alphabet_or_the_length_are_refused() {
        let long = "x".repeat(65);
        let huge = "x".repeat(65_536);
        for text in ["", "a b", "a\0b", "a\u{202e}b", "é", "e\u{301}", "a'b", "a\"b", "a/b", &long, &huge] {
            assert!(text.parse::<DeviceId>().is_err(), "{text:?}");
        }
        assert!("x".repeat(64).parse::<DeviceId>().is_ok());
        assert!("Pixel-9.work_2".parse::<DeviceId>().is_ok());
    }
}
