//! The accounts, as the direct-message service asks for them.

use async_trait::async_trait;
use dm_core::{Directory, Profile, StoreError, UserId};

use crate::accounts::Accounts;

#[async_trait]
impl Directory for Accounts {
    async fn profiles(&self, users: &[UserId]) -> Result<Vec<Option<Profile>>, StoreError> {
        let profile = |name: Option<String>| name.map(|display_name| Profile { display_name });
        Ok(self.names(users).await?.into_iter().map(profile).collect())
    }
}
