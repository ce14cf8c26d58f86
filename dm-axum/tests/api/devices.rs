//! Listing and forgetting devices.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::socket::Socket;
use crate::world::{START, World, answer, kind, user};

async fn call_on(world: &World, n: u64, device: &str, method: Method, path: &str) -> (u16, Value) {
    let response = world.call(n, method, path).header("x-device", device).send().await.unwrap();
    if response.status() == StatusCode::NO_CONTENT {
        return (204, Value::Null);
    }
    answer(response).await
}

async fn names(world: &World, n: u64) -> Vec<String> {
    let (status, body) = call_on(world, n, "none", Method::GET, "devices").await;
    assert_eq!(status, 200);
    let name = |device: &Value| device["device"].as_str().unwrap().to_owned();
    body["devices"].as_array().unwrap().iter().map(name).collect()
}

#[tokio::test]
async fn a_ninth_device_can_forget_another_whose_socket_is_closed_with_4003_and_then_connect() {
    let world = World::new().await;
    let mut sockets = Vec::new();
    for n in 1..=8 {
        sockets.push(Socket::hello(&world, 1, &format!("d{n}")).await.0);
    }
    let (status, problem) = call_on(&world, 1, "d9", Method::GET, "offline").await;
    assert_eq!((status, kind(&problem)), (429, "too-many-devices"));

    let (status, body) = call_on(&world, 1, "d9", Method::GET, "devices").await;
    assert_eq!(status, 200);
    assert_eq!(body["devices"].as_array().unwrap().len(), 8, "listing registers nothing");
    assert_eq!(body["devices"][0], json!({ "device": "d1", "registered_at": START, "cursor": 0 }));

    assert_eq!(call_on(&world, 1, "d9", Method::DELETE, "devices/d3").await.0, 204);
    let mut forgotten = sockets.remove(2);
    forgotten.receive_caught_up().await;
    assert_eq!(forgotten.receive_close().await, (4003, "the device was forgotten".to_owned()));
    assert_eq!(names(&world, 1).await.len(), 7, "forgetting registers nothing either");

    let (mut ninth, welcome) = Socket::hello(&world, 1, "d9").await;
    assert_eq!(welcome.cursor, 0);
    ninth.receive_caught_up().await;
    assert_eq!(names(&world, 1).await, ["d1", "d2", "d4", "d5", "d6", "d7", "d8", "d9"]);
    // The other devices are still connected.
    for socket in &mut sockets {
        socket.receive_caught_up().await;
        socket.list("still here").await;
    }
}

#[tokio::test]
async fn a_missing_device_and_another_users_device_get_the_same_answer() {
    let world = World::new().await;
    let (mut other, _) = Socket::hello(&world, 2, "theirs").await;
    other.receive_caught_up().await;
    let (_, missing) = call_on(&world, 1, "a", Method::DELETE, "devices/missing").await;
    let (status, theirs) = call_on(&world, 1, "a", Method::DELETE, "devices/theirs").await;
    assert_eq!((status, kind(&theirs), &theirs), (404, "not-found", &missing));
    other.list("still here").await;
    assert_eq!(names(&world, 2).await, ["theirs"]);
    let (status, problem) = call_on(&world, 1, "a", Method::DELETE, "devices/no%20device").await;
    assert_eq!((status, &problem["field"]), (400, &json!("device")));
    let (status, _) = answer(world.anonymous(Method::GET, "devices").send().await.unwrap()).await;
    assert_eq!(status, 401, "{}", user(1));
}

#[tokio::test]
async fn a_forgotten_default_device_also_closes_its_socket_without_a_hello() {
    let world = World::new().await;
    world.get(1, "offline").await;
    let mut socket = Socket::open(&world, 1).await;
    assert_eq!(call_on(&world, 1, "a", Method::DELETE, "devices/default").await.0, 204);
    assert_eq!(socket.receive_close().await.0, 4003);
    assert_eq!(call_on(&world, 1, "a", Method::DELETE, "devices/default").await.0, 404);
}
