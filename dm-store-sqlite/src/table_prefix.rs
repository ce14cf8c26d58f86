//! The prefix of the names of the store's tables.

use std::borrow::Cow;

use dm_core::store::Invalid;

/// The prefix of the names of all tables and indexes of a store. Default `dm_`. A host needs
/// another prefix when names of its own tables begin with `dm_`, or when one file holds several
/// stores.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TablePrefix(Cow<'static, str>);

impl TablePrefix {
    /// The maximum length of a prefix, in characters.
    pub const MAX_LEN: usize = 24;

    /// Checks a prefix. It must consist of lower-case ASCII letters, digits and underscores, begin
    /// with a letter, end with an underscore, and have at most [`MAX_LEN`](Self::MAX_LEN)
    /// characters. It must not begin with `sqlite_`, which SQLite reserves for its own names.
    ///
    /// # Errors
    /// [`Invalid`], with the rule that the prefix breaks.
    pub fn new(prefix: impl Into<String>) -> Result<Self, Invalid> {
        let prefix = prefix.into();
        let refused = |reason| Err(Invalid::new("table_prefix", reason));
        if prefix.len() > Self::MAX_LEN {
            return refused("longer than 24 characters");
        }
        if !prefix.starts_with(|first: char| first.is_ascii_lowercase()) || !prefix.ends_with('_') {
            return refused("does not begin with a lower-case letter and end with an underscore");
        }
        if !prefix.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_') {
            return refused("has characters other than lower-case letters, digits and underscores");
        }
        if prefix.starts_with("sqlite_") {
            return refused("begins with `sqlite_`, which SQLite reserves");
        }
        Ok(Self(Cow::Owned(prefix)))
    }

    /// The prefix as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Replaces `dm_` by this prefix in an SQL statement. The statements of this crate contain
    /// `dm_` only in names of tables and indexes.
    pub(crate) fn apply<'a>(&self, sql: &'a str) -> Cow<'a, str> {
        if *self == Self::default() { Cow::Borrowed(sql) } else { Cow::Owned(sql.replace("dm_", &self.0)) }
    }
}

impl Default for TablePrefix {
    fn default() -> Self {
        Self(Cow::Borrowed("dm_"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_is_a_short_identifier() {
        for prefix in ["dm_", "a_", "chat2_dm_", "abcdefghijklmnopqrstuvw_"] {
            assert_eq!(TablePrefix::new(prefix).unwrap().as_str(), prefix);
        }
        let refused = [
            "",
            "_",
            "dm",
            "Dm_",
            "2_",
            "d m_",
            "d\"_",
            "d;_",
            "dé_",
            "_dm_",
            "sqlite_",
            "sqlite_dm_",
            "abcdefghijklmnopqrstuvwx_",
        ];
        for prefix in refused {
            assert_eq!(TablePrefix::new(prefix).unwrap_err().field(), "table_prefix", "{prefix}");
        }
    }

    #[test]
    fn table_names_in_statements_get_the_prefix() {
        let sql = "SELECT 1 FROM dm_users u JOIN dm_keys k";
        assert!(matches!(TablePrefix::default().apply(sql), Cow::Borrowed(same) if same == sql));
        let other = TablePrefix::new("x_").unwrap();
        assert_eq!(other.apply(sql), "SELECT 1 FROM x_users u JOIN x_keys k");
    }
}
