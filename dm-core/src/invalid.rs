//! [`Invalid`], the error for a value that is refused: a value from a client, or a field of the
//! configuration.

/// The error for a value that is refused. It has the field and the reason, never the value, so that
/// the error can be logged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {reason}")]
pub struct Invalid {
    field: &'static str,
    reason: &'static str,
}

impl Invalid {
    /// An error about the field with this name. `reason` is a text for people.
    #[must_use]
    pub const fn new(field: &'static str, reason: &'static str) -> Self {
        Self { field, reason }
    }

    /// The field's name on the wire, or in [`Config`](crate::Config).
    #[must_use]
    pub const fn field(&self) -> &'static str {
        self.field
    }

    /// The reason why the value was refused.
    #[must_use]
    pub const fn reason(&self) -> &'static str {
        self.reason
    }
}
