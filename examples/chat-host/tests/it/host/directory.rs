//! Tests of the accounts as the directory of the direct-message API.

use reqwest::{Response, StatusCode};
use serde_json::{Value, json};

use crate::host::running::{Person, Running, problem, start};

async fn open(host: &Running, token: &str, with: &Person) -> Response {
    let body = json!({ "recipient_pubkey": with.hex() });
    let request = host.http.post(host.url("/api/dm/conversations")).bearer_auth(token);
    request.json(&body).send().await.unwrap()
}

#[tokio::test]
async fn a_conversation_needs_two_accounts_and_shows_both_names() {
    let host = start().await;
    let (ana, bo) = (Person::new(1), Person::new(2));
    let token = host.token(&ana, Some("Ana")).await;
    problem(open(&host, &token, &bo).await, 404, None).await;

    host.token(&bo, Some("Bo")).await;
    let answer = open(&host, &token, &bo).await;
    assert_eq!(answer.status(), StatusCode::CREATED);
    let conversation: Value = answer.json().await.unwrap();
    let mut people = [(ana.hex(), "Ana"), (bo.hex(), "Bo")];
    people.sort();
    let [(a, name_of_a), (b, name_of_b)] = people;
    assert_eq!(conversation["participant_a_pubkey"], a);
    assert_eq!(conversation["participant_b_pubkey"], b);
    assert_eq!(conversation["participant_a_display_name"], name_of_a);
    assert_eq!(conversation["participant_b_display_name"], name_of_b);
}

#[tokio::test]
async fn profiles_are_in_the_requested_order_with_none_for_unknown_users() {
    let host = start().await;
    let (ana, bo, stranger) = (Person::new(1), Person::new(2), Person::new(3));
    host.token(&ana, Some("Ana")).await;
    host.token(&bo, Some("Bo")).await;
    let asked = [&stranger, &bo, &ana, &stranger, &bo].map(|who| who.hex().parse().unwrap());
    // The first read is from the cache, the second from the file.
    let reopened = chat_host::accounts::Accounts::open(host.folder.path().join("accounts.db")).unwrap();
    for accounts in [&host.host.accounts, &reopened] {
        let names = accounts.names(&asked).await.unwrap();
        let names: Vec<_> = names.iter().map(Option::as_deref).collect();
        assert_eq!(names, [None, Some("Bo"), Some("Ana"), None, Some("Bo")]);
    }
}
