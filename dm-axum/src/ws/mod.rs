//! The WebSocket.

use axum::response::{IntoResponse, Response};

#[derive(Debug)]
pub(crate) struct Sockets;
impl Sockets {
    pub(crate) fn new(_: usize) -> Self {
        Self
    }
}
pub(crate) async fn upgrade() -> Response {
    crate::problem::Problem::new(crate::problem::Kind::NotAnUpgrade, "").into_response()
}
