//! Input that is not acceptable.

/// Input that is not acceptable, naming the field and why; never the value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {reason}")]
pub struct Invalid {
    field: &'static str,
    reason: &'static str,
}

impl Invalid {
    /// A refusal of a field for a reason.
    #[must_use]
    pub const fn new(field: &'static str, reason: &'static str) -> Self {
        Self { field, reason }
    }

    /// The field, as it is called on the wire.
    #[must_use]
    pub const fn field(&self) -> &'static str {
        self.field
    }

    /// What is wrong with it.
    #[must_use]
    pub const fn reason(&self) -> &'static str {
        self.reason
    }
}
