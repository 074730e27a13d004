//! twiml-guard: a reverse proxy that stands between Twilio and a backend, so that every answer
//! Twilio receives is one that it accepts.
//!
//! # Life of a request
//!
//! | step | what happens | where |
//! | --- | --- | --- |
//! | accept | a connection is taken from the public listener | [`proxy`] |
//! | route | path, method and parameters decide route, slot and policy | [`proxy`], [`twilio`] |
//! | forward | the request goes to the backend as it came, within the budget | [`proxy`] |
//! | collect | the answer is read whole, up to a bound | [`proxy`] |
//! | judge | one pure function: facts in, judgement out | [`guard::judge`] |
//! | deliver | status, headers and body leave for Twilio | [`proxy`] |
//! | record | what was not untouched is offered to a bounded queue | [`incidents`] |
//!
//! The pure core ([`guard`], [`twilio`]) decides and does no IO; everything else is the shell
//! around it.

pub mod admin;
pub mod calls;
pub mod cli;
pub mod clock;
pub mod config;
pub mod guard;
pub mod incidents;
pub mod probe;
pub mod proxy;
pub mod shutdown;
pub mod telemetry;
pub mod twilio;
pub mod unix_socket;
