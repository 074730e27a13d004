//! Requests as Twilio makes them, written before the clock runs.

use std::net::SocketAddr;

/// Calls that the requests belong to, in turn.
const CALLS: usize = 1000;

/// One kind of request, once for each call.
pub struct Requests {
    ready: Vec<Vec<u8>>,
    next: usize,
}

impl Requests {
    /// Webhooks to `path` (media: fetches of it).
    pub fn to(target: SocketAddr, path: &str, closing: bool) -> Self {
        let connection = if closing { "Connection: close\r\n" } else { "" };
        let make = |call: usize| {
            if path.starts_with("/media/") {
                return format!("GET {path} HTTP/1.1\r\nHost: {target}\r\nUser-Agent: TwilioProxy/1.1\r\nAccept: */*\r\n{connection}\r\n").into_bytes();
            }
            let body = form(call);
            format!(
                "POST {path} HTTP/1.1\r\nHost: {target}\r\nContent-Type: application/x-www-form-urlencoded; charset=UTF-8\r\nX-Home-Region: us1\r\nX-Twilio-Signature: {:027x}=\r\nI-Twilio-Idempotency-Token: 6f1c2a94-8d3e-4b57-9c01-{call:012x}\r\nUser-Agent: TwilioProxy/1.1\r\nAccept: */*\r\nContent-Length: {}\r\n{connection}\r\n{body}",
                call + (1 << 50),
                body.len(),
            )
            .into_bytes()
        };
        Self { ready: (0..CALLS).map(make).collect(), next: 0 }
    }

    /// The next call's request.
    pub fn next(&mut self) -> &[u8] {
        self.next = (self.next + 1) % self.ready.len();
        &self.ready[self.next]
    }
}

fn form(call: usize) -> String {
    format!(
        "AccountSid=AC{:032x}&ApiVersion=2010-04-01&CallSid=CA{call:032x}&CallStatus=ringing&CallerCountry=US&CallerCity=&CallerState=&Called=%2B15005550006&CalledCountry=US&Caller=%2B15005550001&Direction=inbound&From=%2B15005550001&FromCountry=US&To=%2B15005550006&ToCountry=US&StirVerstat=TN-Validation-Passed-A",
        1,
    )
}
