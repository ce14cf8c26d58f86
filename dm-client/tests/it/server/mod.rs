//! Tests of the client with the real server, in one process, over loopback.

mod calls;
mod host;
mod live;
