//! [`Names`]: the display names in an answer, from the host's directory.

use std::collections::HashMap;

use dm_core::{OpenDirectory, Service, UserId};

/// Maximum number of characters of a display name in an answer. A longer name is cut, because the
/// memory of an answer is limited and a list of 1,000 conversations has 2,000 names.
const MAX_NAME_CHARS: usize = 128;

/// The names of the users in one answer.
#[derive(Debug, Default)]
pub(crate) struct Names(HashMap<UserId, String>);

impl Names {
    /// Asks the directory once for the names of all users. If the directory fails, every name is
    /// `Unknown`: the answer to a message that was stored must not be an error.
    pub(crate) async fn look_up(service: &Service, mut users: Vec<UserId>) -> Self {
        users.sort_unstable();
        users.dedup();
        if users.is_empty() {
            return Self::default();
        }
        let profiles = service.profiles(users.clone()).await.unwrap_or_else(|error| {
            tracing::warn!(%error, "display names could not be looked up");
            metrics::counter!("dm_directory_failures_total").increment(1);
            Vec::new()
        });
        let known = users.into_iter().zip(profiles);
        Self(known.filter_map(|(user, profile)| Some((user, shortened(profile?.display_name)))).collect())
    }

    /// Returns the name of a user, or `Unknown`.
    pub(crate) fn display_name(&self, user: UserId) -> &str {
        self.0.get(&user).map_or(OpenDirectory::UNKNOWN, String::as_str)
    }
}

fn shortened(mut name: String) -> String {
    if let Some((end, _)) = name.char_indices().nth(MAX_NAME_CHARS) {
        name.truncate(end);
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_names_are_cut_between_characters() {
        assert_eq!(shortened("Ana".to_owned()), "Ana");
        assert_eq!(shortened("é".repeat(129)), "é".repeat(128));
        assert_eq!(shortened("é".repeat(128)), "é".repeat(128));
    }
}
