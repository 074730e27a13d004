//! The way in: clients' connections, read by one strict reader.
//!
//! [`head`], [`chunks`] and [`follow`] are pure: they say of bytes whether they are a request, and
//! where it ends. [`wire`] reads a client's connection by them, [`connection`] has its requests
//! answered one after the other, [`answer`] writes what they get.

mod answer;
pub(super) mod body;
pub mod chunks;
pub(super) mod connection;
pub(super) mod date;
pub mod fault;
pub mod follow;
pub mod head;
mod layout;
mod octets;
pub(super) mod refused;
mod request;
#[cfg(test)]
mod served;
mod target;
mod wire;
