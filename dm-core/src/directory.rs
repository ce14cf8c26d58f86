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
/// The service runs the future of [`profiles`](Self::profiles) in a task of its own. If the host
/// stops polling its call of the service, this future still finishes, and frees the locks and
/// connections that it holds. If the host drops its call, this future is dropped as well. Code that
/// calls a directory directly, and not through [`Service::profiles`](crate::Service::profiles), has
/// to use a task of its own if the future may hold a lock or a connection.
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
