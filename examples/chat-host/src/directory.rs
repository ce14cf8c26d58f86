//! The accounts as the directory of the direct-message service.

use async_trait::async_trait;
use dm_core::{Directory, DirectoryError, Profile, UserId};

use crate::accounts::Accounts;

#[async_trait]
impl Directory for Accounts {
    async fn profiles(&self, users: &[UserId]) -> Result<Vec<Option<Profile>>, DirectoryError> {
        let profile = |name: Option<String>| name.map(|display_name| Profile { display_name });
        let names = self.names(users).await.map_err(DirectoryError::new)?;
        Ok(names.into_iter().map(profile).collect())
    }
}
