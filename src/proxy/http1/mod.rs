//! What both sides of the proxy share of HTTP/1: how heads are written, and what a connection
//! becomes once both ends have switched protocols.

pub(super) mod encode;
pub(super) mod spelt;
pub(super) mod tunnel;
