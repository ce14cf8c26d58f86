//! Tests of the search of users.

use reqwest::StatusCode;
use serde_json::Value;

use crate::host::running::{Person, Running, problem, start};

async fn found(host: &Running, token: &str, query: &str) -> Vec<String> {
    let request = host.http.get(host.url("/api/users")).query(&[("query", query)]).bearer_auth(token);
    let answer = request.send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::OK);
    let answer: Value = answer.json().await.unwrap();
    let name = |user: &Value| user["display_name"].as_str().unwrap().to_owned();
    answer["users"].as_array().unwrap().iter().map(name).collect()
}

#[tokio::test]
async fn users_are_found_by_three_characters_of_their_name_in_either_case() {
    let host = start().await;
    let token = host.token(&Person::new(1), Some("Ana María")).await;
    host.token(&Person::new(2), Some("Bo")).await;
    host.token(&Person::new(3), Some("ДИАНА")).await;
    assert_eq!(found(&host, &token, "ana").await, ["Ana María"]);
    assert_eq!(found(&host, &token, "MARÍA").await, ["Ana María"]);
    assert_eq!(found(&host, &token, "mari\u{301}").await, ["Ana María"]);
    assert_eq!(found(&host, &token, "диа").await, ["ДИАНА"]);
    assert_eq!(found(&host, &token, "a m").await, ["Ana María"]);
    assert_eq!(found(&host, &token, "zoe").await, [""; 0]);
}

#[tokio::test]
async fn fewer_than_three_characters_find_a_whole_name_and_an_empty_query_finds_nobody() {
    let host = start().await;
    let token = host.token(&Person::new(1), Some("Bo")).await;
    host.token(&Person::new(2), Some("Bob")).await;
    host.token(&Person::new(3), Some("Ян")).await;
    host.token(&Person::new(4), Some("Яна")).await;
    host.token(&Person::new(5), Some("山田")).await;
    host.token(&Person::new(6), Some("山田太郎")).await;
    for (query, name) in [("bo", "Bo"), (" BO ", "Bo"), ("ян", "Ян"), ("山田", "山田")] {
        assert_eq!(found(&host, &token, query).await, [name], "{query}");
    }
    for query in ["", " ", "   ", "b", "ob", "я", "田", "_b", "%", "__"] {
        assert_eq!(found(&host, &token, query).await, [""; 0], "{query}");
    }
    assert_eq!(found(&host, &token, "山田太").await, ["山田太郎"]);
}

#[tokio::test]
async fn a_name_is_searched_literally() {
    let host = start().await;
    let token = host.token(&Person::new(1), Some("100% sure_")).await;
    host.token(&Person::new(2), Some(r"back\slash")).await;
    host.token(&Person::new(3), Some("plain")).await;
    host.token(&Person::new(4), Some("%")).await;
    assert_eq!(found(&host, &token, "00%").await, ["100% sure_"]);
    assert_eq!(found(&host, &token, "re_").await, ["100% sure_"]);
    assert_eq!(found(&host, &token, r"k\s").await, [r"back\slash"]);
    assert_eq!(found(&host, &token, "%").await, ["%"]);
    assert_eq!(found(&host, &token, "%%%").await, [""; 0]);
    assert_eq!(found(&host, &token, "p%n").await, [""; 0]);
    assert_eq!(found(&host, &token, "' OR 1=1 --").await, [""; 0]);
}

#[tokio::test]
async fn a_new_name_is_found_and_the_old_one_is_not() {
    let host = start().await;
    let ana = Person::new(1);
    host.token(&ana, Some("Ana")).await;
    let token = host.token(&ana, Some("Zoe")).await;
    assert_eq!(found(&host, &token, "zoe").await, ["Zoe"]);
    assert_eq!(found(&host, &token, "ana").await, [""; 0]);
}

#[tokio::test]
async fn an_answer_has_at_most_fifty_users() {
    let host = start().await;
    let token = host.token(&Person::new(0), Some("person 00")).await;
    for seed in 1..=60 {
        host.token(&Person::new(seed), Some(&format!("person {seed:02}"))).await;
    }
    let expected: Vec<_> = (0..50).map(|seed| format!("person {seed:02}")).collect();
    assert_eq!(found(&host, &token, "person").await, expected);
}

#[tokio::test]
async fn a_search_needs_a_token() {
    let host = start().await;
    host.token(&Person::new(1), Some("Ana")).await;
    let answer = host.http.get(host.url("/api/users?query=ana")).send().await.unwrap();
    assert_eq!(answer.headers()["www-authenticate"], "Bearer");
    problem(answer, 401, None).await;
}

#[tokio::test]
async fn queries_that_cannot_be_in_a_name_are_refused() {
    let host = start().await;
    let token = host.token(&Person::new(1), None).await;
    for query in ["%00", "a%0Ab", &"a".repeat(65)] {
        let answer = host.get(&format!("/api/users?query={query}"), &token).await;
        problem(answer, 400, Some("query")).await;
    }
    problem(host.get("/api/users?query=a&query=b", &token).await, 400, None).await;
}
