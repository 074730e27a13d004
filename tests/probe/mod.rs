//! What plays Twilio: the caller, the client, `check`.

mod app;
mod caller;
mod check;
mod tls;
