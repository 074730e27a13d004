//! The integration tests, one binary: structure first, then the product from outside in.

mod cases;
mod kit;
mod layout;
mod pages;
mod properties;
