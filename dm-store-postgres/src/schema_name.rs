//! The name of the store's schema.

use std::borrow::Cow;

use dm_core::store::Invalid;

/// The name of the schema of a store's tables. Default `dm`. A host needs another one if its own
/// schema has that name, or if a database holds several stores.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SchemaName(Cow<'static, str>);

impl SchemaName {
    /// The maximum length, in characters.
    pub const MAX_LEN: usize = 32;

    /// Checks a name. It must consist of lower-case ASCII letters, digits and underscores, begin
    /// with a letter, and have at most [`MAX_LEN`](Self::MAX_LEN) characters. It must not begin
    /// with `pg_`, because PostgreSQL reserves such names.
    ///
    /// # Errors
    /// [`Invalid`], with the rule that the name breaks.
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
            return refused("has characters other than lower-case letters, digits and underscores");
        }
        if name.starts_with("pg_") {
            return refused("begins with `pg_`, which PostgreSQL reserves");
        }
        Ok(Self(Cow::Owned(name)))
    }

    /// The name as text.
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
    fn a_schema_name_is_a_short_identifier() {
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
