//! The way in: one strict reader of requests, below the HTTP library.
//!
//! [`head`] and [`chunks`] are pure: they say of bytes whether they are a request, and where it ends.
//! [`gate`] holds a client's connection and lets through, unaltered, only what they understood. What
//! it says of a request is the one truth for everything above it.

pub mod chunks;
pub mod fault;
pub mod follow;
pub(super) mod gate;
pub mod head;
#[cfg(test)]
mod library;
pub(super) mod refused;
mod target;
