//! `GET /api/users?query=`: the search of users by name.

use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::{Extension, Json};
use dm_core::Principal;
use serde::{Deserialize, Serialize};

use crate::host::Host;
use crate::name::DisplayName;
use crate::problem::Problem;
use crate::sign_in::User;

#[derive(Deserialize)]
pub(crate) struct Search {
    #[serde(default)]
    query: String,
}

#[derive(Serialize)]
pub(crate) struct Found {
    users: Vec<User>,
}

/// The users whose name contains the query, in upper or lower case, ordered by name; at most
/// [`SEARCH_LIMIT`](crate::accounts::SEARCH_LIMIT). So that the accounts cannot be listed, a query
/// of fewer than three characters finds only users with exactly this name, and an empty query finds
/// nobody.
pub(crate) async fn find(
    State(host): State<Host>,
    caller: Option<Extension<Principal>>,
    search: Result<Query<Search>, QueryRejection>,
) -> Result<Json<Found>, Problem> {
    if caller.is_none() {
        return Err(Problem::unauthorized("sign in first"));
    }
    let Query(Search { query }) = search?;
    if query.chars().nth(DisplayName::MAX_CHARS).is_some() || query.contains(char::is_control) {
        return Err(Problem::malformed("query", "not a part of a display name"));
    }
    let user = |account: crate::accounts::Account| User {
        public_key: account.user.to_string(),
        display_name: account.display_name,
    };
    let users = host.accounts.find(&query).await?.into_iter().map(user).collect();
    Ok(Json(Found { users }))
}
