//! The date that an answer bears.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use httpdate::HttpDate;

/// The date of this second, written once (RFC 9110, section 6.6.1).
#[derive(Debug, Default)]
pub(in crate::proxy) struct Date(Mutex<Written>);

#[derive(Debug, Default)]
struct Written {
    second: u64,
    text: String,
}

impl Date {
    /// Adds it.
    pub(super) fn write(&self, out: &mut Vec<u8>) {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let mut written = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if written.second != now || written.text.is_empty() {
            written.second = now;
            written.text = HttpDate::from(UNIX_EPOCH + Duration::from_secs(now)).to_string();
        }
        out.extend_from_slice(written.text.as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_now_as_http_writes_it() {
        let date = Date::default();
        for _ in 0..2 {
            let mut out = Vec::new();
            date.write(&mut out);
            let told = httpdate::parse_http_date(&String::from_utf8(out).unwrap()).unwrap();
            assert!(told.elapsed().unwrap() < Duration::from_secs(5));
        }
    }
}
