//! What `curl` says when there was no answer, as the failure it means.

use bytes::Bytes;

use super::super::Failure;
use super::terminal::CurlError;

/// The failure that made `curl` say this.
pub(super) fn failure(error: &CurlError) -> Failure {
    let detail = error.message.clone();
    let said = detail.to_ascii_lowercase();
    match error.code {
        7 if said.contains("timed out") => Failure::ConnectTimeout,
        7 => Failure::Refused { address: address_in(&detail) },
        28 if said.contains("connection timed out") || said.contains("failed to connect") => {
            Failure::ConnectTimeout
        }
        28 => Failure::HeadersTooLate,
        52 => Failure::ClosedEarly { received: Bytes::new() },
        55 | 56 => Failure::Reset,
        1 | 8 => Failure::NotHttp { received: Bytes::new(), detail },
        _ => Failure::Unreachable { address: address_in(&detail), detail },
    }
}

/// `Failed to connect to 127.0.0.1 port 5000 after 0 ms` gives `127.0.0.1:5000`.
fn address_in(message: &str) -> String {
    let after = |mark: &str| {
        message
            .split_once(mark)
            .and_then(|(_, rest)| rest.split([' ', ':']).find(|word| !word.is_empty()))
    };
    match (after("connect to "), after(" port "), after("host: ")) {
        (Some(host), Some(port), _) => format!("{host}:{port}"),
        (Some(host), None, _) | (None, _, Some(host)) => host.to_owned(),
        _ => "the backend".to_owned(),
    }
}
