//! What the tests of sockets share: a backend that says any bytes, a guard, a client.
#![allow(clippy::unwrap_used, reason = "a helper that can't do its work has to fail its test")]

pub mod backend;
pub mod binary;
pub mod client;
pub mod guard;
pub mod io;
