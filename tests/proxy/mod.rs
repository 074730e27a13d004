//! The transport over real sockets: exact forwarding, streams, faults, drain.

mod attempts;
mod balance;
mod bounds;
mod breaker;
mod callbacks;
mod calls;
mod deadlines;
mod door;
mod failures;
mod forwarding;
mod guarded;
mod heads;
mod injection;
mod life;
mod limits;
mod pass;
mod pool;
mod signatures;
mod streams;
mod tls;
mod unix;
mod upstreams;
mod websocket;
