//! Tests with servers that lose, repeat and reorder frames and exceed limits.

mod answers;
mod clock;
mod connection;
mod http_server;
mod messages;
mod reader;
mod sending;
mod websocket;
