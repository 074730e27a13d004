//! The integration tests, one binary: structure first, then the product from outside in.

// A test that meets the unexpected fails, and says where.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod admin;
mod cases;
mod cli;
mod config_file;
mod conformance;
mod explain;
mod exported;
mod fast;
mod follow_up;
mod grammar;
mod incidents;
mod kit;
mod layout;
mod lifecycle;
mod ops;
mod pages;
mod probe;
mod properties;
mod proxy;
mod reload;
mod slow;
mod support;
mod watch;
