//! Input that is not acceptable.

/// Input that is not acceptable: the field and the reason, never the value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {reason}")]
pub struct Invalid {
    field: &'static str,
    reason: &'static str,
}

impl Invalid {
    /// An error about a field, for a reason. Both are texts for people.
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
