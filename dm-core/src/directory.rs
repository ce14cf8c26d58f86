//! The host's directory of people.

use std::sync::Arc;

use async_trait::async_trait;

use crate::user::UserId;

/// What the host tells about a user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Profile {
    /// The name shown beside their messages.
    pub display_name: String,
}

/// The directory cannot tell now. Cheap to clone.
#[derive(Clone, Debug, thiserror::Error)]
#[error("the directory of people is unavailable")]
pub struct DirectoryError(#[source] Arc<dyn std::error::Error + Send + Sync>);

impl DirectoryError {
    /// An error with what went wrong.
    #[must_use]
    pub fn new(source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self(Arc::from(source.into()))
    }
}

/// Does this user exist, and what are they called: answered by the host, which owns its accounts.
///
/// The service polls the future in a task of its own until it is done or dropped, whatever its
/// caller does meanwhile. Code that calls a directory itself, and not through
/// [`Service::profiles`](crate::Service::profiles), has to do the same if the future may hold a
/// lock or a connection.
#[async_trait]
pub trait Directory: Send + Sync + 'static {
    /// The profiles of some users, answer *i* for user *i*; `None` for a user the host does not know.
    ///
    /// # Errors
    /// When the host cannot tell now; the call that asked fails as unavailable.
    async fn profiles(&self, users: &[UserId]) -> Result<Vec<Option<Profile>>, DirectoryError>;
}

/// Knows every user and nobody's name: for hosts without accounts of their own, and for tests.
#[derive(Clone, Copy, Debug, Default)]
pub struct OpenDirectory;

impl OpenDirectory {
    /// What a user without a name is called.
    pub const UNKNOWN: &'static str = "Unknown";
}

#[async_trait]
impl Directory for OpenDirectory {
    async fn profiles(&self, users: &[UserId]) -> Result<Vec<Option<Profile>>, DirectoryError> {
        Ok(users.iter().map(|_| Some(Profile { display_name: Self::UNKNOWN.to_owned() })).collect())
    }
}
