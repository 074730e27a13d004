//! Requests as Twilio makes them, written before the clock runs.

use std::net::SocketAddr;
use std::time::{SystemTime, UNIX_EPOCH};

/// Calls that the requests belong to, in turn.
const CALLS: usize = 1000;

/// What stands in a request until it is sent.
const BLANK: &[u8] = b"!!!!!!!!!!!!";

const DIGITS: &[u8; 16] = b"0123456789abcdef";

/// One kind of request, once for each call.
pub struct Requests {
    ready: Vec<(Vec<u8>, Option<usize>)>,
    next: usize,
    sent: u64,
}

impl Requests {
    /// Webhooks to `path` (media: fetches of it). `/path/#N` are N paths, one after the other.
    pub fn to(target: SocketAddr, path: &str, closing: bool) -> Result<Self, String> {
        let (path, paths) = path.split_once('#').unwrap_or((path, ""));
        let paths = if paths.is_empty() {
            0
        } else {
            paths.parse().map_err(|_| format!("{path}#{paths}: no number"))?
        };
        let connection = if closing { "Connection: close\r\n" } else { "" };
        // No token and no call comes twice, in other runs either: the guard answers a repeated request from what it remembers, and
        // keeps for good what follows in a call that had a fault.
        let run = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(0, |since| since.as_nanos() & 0xffff_ffff_ffff);
        let calls = format!("{run:012x}");
        let run = format!("{:08x}-{:04x}", run >> 16, run & 0xffff);
        let make = |call: usize| {
            if path.starts_with("/media/") {
                return format!("GET {path} HTTP/1.1\r\nHost: {target}\r\nUser-Agent: TwilioProxy/1.1\r\nAccept: */*\r\n{connection}\r\n").into_bytes();
            }
            let body = form(&calls, call % CALLS);
            let path =
                if paths > 0 { format!("{path}{:05}", call % paths) } else { path.to_owned() };
            format!(
                "POST {path} HTTP/1.1\r\nHost: {target}\r\nContent-Type: application/x-www-form-urlencoded; charset=UTF-8\r\nX-Home-Region: us1\r\nX-Twilio-Signature: {:027x}=\r\nI-Twilio-Idempotency-Token: {run}-4b57-9c01-!!!!!!!!!!!!\r\nUser-Agent: TwilioProxy/1.1\r\nAccept: */*\r\nContent-Length: {}\r\n{connection}\r\n{body}",
                call + (1 << 50),
                body.len(),
            )
            .into_bytes()
        };
        let placed = |bytes: Vec<u8>| {
            let place = memchr::memmem::find(&bytes, BLANK);
            (bytes, place)
        };
        Ok(Self { ready: (0..CALLS.max(paths)).map(make).map(placed).collect(), next: 0, sent: 0 })
    }

    /// The next call's request, with a token of its own.
    pub fn next(&mut self) -> &[u8] {
        self.next = (self.next + 1) % self.ready.len();
        self.sent += 1;
        let (bytes, place) = &mut self.ready[self.next];
        if let Some(place) = *place {
            for (at, digit) in bytes[place..place + BLANK.len()].iter_mut().rev().enumerate() {
                *digit = DIGITS[usize::from((self.sent >> (4 * at)).to_le_bytes()[0] & 15)];
            }
        }
        bytes
    }
}

fn form(calls: &str, call: usize) -> String {
    format!(
        "AccountSid=AC{:032x}&ApiVersion=2010-04-01&CallSid=CA{calls}{call:020x}&CallStatus=ringing&CallerCountry=US&CallerCity=&CallerState=&Called=%2B15005550006&CalledCountry=US&Caller=%2B15005550001&Direction=inbound&From=%2B15005550001&FromCountry=US&To=%2B15005550006&ToCountry=US&StirVerstat=TN-Validation-Passed-A",
        1,
    )
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::head;

    #[test]
    fn no_token_is_used_twice_and_no_other_byte_changes() {
        let target = SocketAddr::from(([127, 0, 0, 1], 8080));
        let mut requests = Requests::to(target, "/voice/350", false).unwrap();
        let mut tokens = HashSet::new();
        for _ in 0..3 * CALLS {
            let request = requests.next().to_vec();
            let end = memchr::memmem::find(&request, b"\r\n\r\n").unwrap();
            assert_eq!(head::content_length(&request[..end + 2]), Some(request.len() - end - 4));
            assert!(tokens.insert(
                head::value(&request[..end + 2], b"i-twilio-idempotency-token").unwrap().to_vec()
            ));
            assert!(!request.contains(&b'!'));
        }
    }

    #[test]
    fn paths_are_asked_in_turn() {
        let target = SocketAddr::from(([127, 0, 0, 1], 8080));
        let mut requests = Requests::to(target, "/roles/#1200", false).unwrap();
        let paths: HashSet<String> =
            (0..1200).map(|_| head::path(requests.next()).to_owned()).collect();
        assert_eq!(paths.len(), 1200);
        assert!(paths.contains("/roles/00000") && paths.contains("/roles/01199"));
    }
}
