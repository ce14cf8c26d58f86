//! The name of the store's schema.

use std::borrow::Cow;

use dm_core::store::Invalid;

/// The schema that a store's tables are in: `dm` unless the host needs another one, because a
/// schema of its own is called so or because a database holds several stores.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SchemaName(Cow<'static, str>);

impl SchemaName {
    /// Most characters.
    pub const MAX_LEN: usize = 32;

    /// A name: lower-case ASCII letters, digits and underscores, beginning with a letter, at most
    /// [`MAX_LEN`](Self::MAX_LEN) characters. PostgreSQL keeps what begins with `pg_` for itself.
    ///
    /// # Errors
    /// When it is anything else.
    pub fn new(name: impl Into<String>) -> Result<Self, Invalid> {
        let name = name.into();
        let refused = |reason| Err(Invalid::new("schema", reason));
        if name.len() > Self::MAX_LEN {
            return refused("longer than 32 characters");
        }
        if !name.starts_with(|first: char| first.is_ascii_lowercase()) {
            return refused("does not begin with a lower-case letter");
        }
        if !name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_') {
            return refused("not only lower-case letters, digits and underscores");
        }
        if name.starts_with("pg_") {
            return refused("kept by PostgreSQL for itself");
        }
        Ok(Self(Cow::Owned(name)))
    }

    /// The characters.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Default for SchemaName {
    fn default() -> Self {
        Self(Cow::Borrowed("dm"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_schema_s_name_is_a_short_identifier() {
        for name in ["dm", "a", "user", "chat2_dm", "abcdefghijklmnopqrstuvwxyz012345"] {
            assert_eq!(SchemaName::new(name).unwrap().as_str(), name);
        }
        let refused =
            ["", "Dm", "2", "d m", "d\"", "d,e", "dé", "_dm", "pg_dm", "abcdefghijklmnopqrstuvwxyz0123456"];
        for name in refused {
            assert_eq!(SchemaName::new(name).unwrap_err().field(), "schema", "{name}");
        }
    }
}
