//! The transport over real sockets: exact forwarding, streams, faults, drain.

mod calls;
mod failures;
mod forwarding;
mod guarded;
mod heads;
mod life;
mod limits;
mod pass;
mod pool;
mod signatures;
mod websocket;
