//! Issuing one-time tickets. `upgrade` tests their use.

use reqwest::Method;
use serde_json::json;

use crate::world::{SECOND, START, World, answer, kind};

#[tokio::test]
async fn each_ticket_has_an_expiry_and_differs_from_others() {
    let world = World::new().await;
    let (status, body) = world.post(1, "ws-ticket", &json!({})).await;
    assert_eq!((status, &body["expires_at"]), (200, &json!(START + 30_000)));
    assert_eq!(body.as_object().unwrap().len(), 2);
    assert_eq!(body["ticket"].as_str().unwrap().len(), 43, "32 bytes in unpadded base64");
    let response = world.call(1, Method::POST, "ws-ticket").send().await.unwrap();
    let (status, second) = answer(response).await;
    assert_eq!(status, 200, "no body is needed");
    assert_ne!(body["ticket"], second["ticket"]);
}

#[tokio::test]
async fn at_the_limit_no_ticket_is_issued_until_one_expires() {
    let world = World::with_options(|options| options.tickets = 2).await;
    world.post(1, "ws-ticket", &json!({})).await;
    world.post(2, "ws-ticket", &json!({})).await;
    let response = world.call(3, Method::POST, "ws-ticket").send().await.unwrap();
    assert_eq!(response.headers()["retry-after"], "30");
    let (status, problem) = answer(response).await;
    assert_eq!((status, kind(&problem)), (429, "too-many-tickets"));
    world.clock.advance(30 * SECOND);
    assert_eq!(world.post(3, "ws-ticket", &json!({})).await.0, 200);
}
