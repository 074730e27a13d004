//! The integration tests, one binary: structure first, then the product from outside in.

mod cli;
mod config_file;
mod layout;
mod proxy;
mod support;
