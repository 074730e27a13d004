//! What a URL is known by: its method and path, without what differs from call to call.

/// Longest path that is remembered.
const MAX_PATH: usize = 256;
/// Longest method.
const MAX_METHOD: usize = 16;
/// Stands for a segment that names one call, one number or the like.
const ID: &str = "{id}";

/// `POST /calls/{id}/menu`; `None` for what is too long to be remembered.
pub(super) fn key(method: &str, path: &str) -> Option<String> {
    let is_path = path.starts_with('/') && path.len() <= MAX_PATH;
    if !is_path || method.len() > MAX_METHOD {
        return None;
    }
    let mut key = String::with_capacity(method.len() + 1 + path.len());
    key.push_str(method);
    key.push(' ');
    // What names one thing has digits.
    if !path.bytes().any(|byte| byte.is_ascii_digit()) {
        key.push_str(path);
        return Some(key);
    }
    // The path begins with a slash: its first segment is empty.
    for segment in path.split('/').skip(1) {
        key.push('/');
        key.push_str(if is_id(segment) { ID } else { segment });
    }
    Some(key)
}

/// Whether a segment names a thing instead of a kind of page: Twilio's sids, UUIDs and other long
/// hexadecimal names, numbers of seven digits or more.
fn is_id(segment: &str) -> bool {
    let digits = segment.bytes().filter(u8::is_ascii_digit).count();
    let is_number = digits >= 7
        && segment
            .trim_start_matches("%2B")
            .bytes()
            .all(|b| b.is_ascii_digit() || b"+-.".contains(&b));
    let tail = segment.get(2..).filter(|_| segment.starts_with(|c: char| c.is_ascii_uppercase()));
    let is_name = |name: &str| {
        let hex = name.bytes().filter(u8::is_ascii_hexdigit).count();
        hex >= 16 && digits > 0 && name.bytes().all(|b| b.is_ascii_hexdigit() || b == b'-')
    };
    is_number || is_name(segment) || tail.is_some_and(is_name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_differs_from_call_to_call_is_left_out() {
        for (path, expected) in [
            ("/", "POST /"),
            ("/webhook/incoming_call", "POST /webhook/incoming_call"),
            ("/calls/CA0123456789abcdef0123456789abcdef/menu", "POST /calls/{id}/menu"),
            ("/a/0192f0c4-7b1a-7c3e-8a55-0123456789ab", "POST /a/{id}"),
            ("/from/+15550100001/", "POST /from/{id}/"),
            ("/from/%2B15550100001", "POST /from/{id}"),
            ("/menu/2/v1.2", "POST /menu/2/v1.2"),
            ("/deadbeef/facade", "POST /deadbeef/facade"),
            ("/aaaaaaaaaaaaaaaaaaaaaaaa", "POST /aaaaaaaaaaaaaaaaaaaaaaaa"),
            ("/עברית/CAfé", "POST /עברית/CAfé"),
        ] {
            assert_eq!(key("POST", path).as_deref(), Some(expected), "{path}");
        }
        assert_eq!(key("POST", "*"), None);
        assert_eq!(key("POST", &format!("/{}", "a".repeat(MAX_PATH))), None);
        assert_eq!(key(&"M".repeat(MAX_METHOD + 1), "/"), None);
    }
}
