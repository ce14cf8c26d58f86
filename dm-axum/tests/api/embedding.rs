//! The API merged into a host's own router.

use axum::Router;
use axum::extract::State;
use axum::routing::get;
use dm_core::{MemoryStore, Service};
use tokio::net::TcpListener;

#[derive(Clone)]
struct Shop {
    name: &'static str,
}

#[tokio::test]
async fn the_readmes_line_compiles_for_a_router_that_has_a_state() {
    let dm = Service::builder(MemoryStore::new()).start().unwrap();
    let your_app: Router<Shop> =
        Router::new().route("/shop", get(async |State(shop): State<Shop>| shop.name));

    let app = your_app.merge(dm_axum::router(dm.clone(), dm_axum::Options::default()));

    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let server = tokio::spawn(async move {
        axum::serve(listener, app.with_state(Shop { name: "flowers" })).await.unwrap();
    });
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let get = |path: &str| http.get(format!("http://{address}{path}")).send();
    assert_eq!(get("/shop").await.unwrap().text().await.unwrap(), "flowers");
    assert_eq!(get("/api/dm/conversations").await.unwrap().status(), 401);
    server.abort();
}
