//! The transport against servers that lose, repeat, mix up and overdo things.

mod answers;
mod connection;
mod people;
mod reading;
mod relay;
mod sending;
mod socket;
mod time;
