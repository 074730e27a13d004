//! The listeners beside the public one, each on an address of its own: `ops` (health and metrics,
//! nothing private) and `api` (incidents, and the switch of modes; off by default).

mod api;
mod ops;
mod ready;

pub use api::{Admin, AdminError, AdminHandle, CONTROL, Modes, RouteMode};
pub use ops::{Ops, OpsError, OpsHandle};
pub use ready::Ready;
