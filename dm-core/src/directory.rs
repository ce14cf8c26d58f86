//! [`Directory`], the host's list of users and their names.

use std::sync::Arc;

use async_trait::async_trait;

use crate::user::UserId;

/// The facts about a user that the host shows to other users.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Profile {
    /// The name shown beside the user's messages.
    pub display_name: String,
}

/// The error of a directory that cannot answer now. Clones share the cause.
#[derive(Clone, Debug, thiserror::Error)]
#[error("the user directory is unavailable")]
pub struct DirectoryError(#[source] Arc<dyn std::error::Error + Send + Sync>);

impl DirectoryError {
    /// An error with its cause.
    #[must_use]
    pub fn new(source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self(Arc::from(source.into()))
    }
}

/// The users that exist, and their names. The host implements this trait, because it has the
/// accounts.
///
/// The service polls the future of a call in a task of its own. So the call finishes even if the
/// service's caller stops polling, and does not keep a lock or a connection of the host for longer.
/// If the caller drops its future, the call is dropped, too. Code that calls a directory directly,
/// and not through [`Service::profiles`](crate::Service::profiles), has to do the same if the
/// future may hold a lock or a connection.
#[async_trait]
pub trait Directory: Send + Sync + 'static {
    /// The profiles of some users. Profile *i* belongs to user *i*; `None` for a user that the host
    /// does not know.
    ///
    /// # Errors
    /// [`DirectoryError`] when the host cannot answer now. The service's call then fails as
    /// [`Error::DirectoryUnavailable`](crate::Error::DirectoryUnavailable).
    async fn profiles(&self, users: &[UserId]) -> Result<Vec<Option<Profile>>, DirectoryError>;
}

/// A directory in which every user exists and none has a name: for hosts without accounts of their
/// own, and for tests.
#[derive(Clone, Copy, Debug, Default)]
pub struct OpenDirectory;

impl OpenDirectory {
    /// The display name of a user without a known name.
    pub const UNKNOWN: &'static str = "Unknown";
}

#[async_trait]
impl Directory for OpenDirectory {
    async fn profiles(&self, users: &[UserId]) -> Result<Vec<Option<Profile>>, DirectoryError> {
        Ok(users.iter().map(|_| Some(Profile { display_name: Self::UNKNOWN.to_owned() })).collect())
    }
}
