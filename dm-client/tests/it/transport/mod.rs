//! The client against test servers that lose, repeat, reorder and exceed.

mod answers;
mod clock;
mod connection;
mod http_server;
mod messages;
mod reader;
mod sending;
mod websocket;
