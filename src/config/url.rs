//! URLs in the configuration: of backends, of the guard seen from outside.

use super::Upstream;

/// The text with what stands between `://` and `@` of one URL starred out, byte for byte, so that
/// places in it stay true.
pub(super) fn without_credentials(text: &str) -> String {
    let mut rest = text;
    let mut shown = String::with_capacity(text.len());
    while let Some(at) = rest.find("://") {
        let (head, tail) = rest.split_at(at + "://".len());
        shown.push_str(head);
        let end = tail.find(|c: char| c.is_whitespace() || "\"'/?#<>".contains(c));
        let authority = tail.get(..end.unwrap_or(tail.len())).unwrap_or_default();
        let secret = authority.rfind('@').unwrap_or(0);
        shown.push_str(&"*".repeat(secret));
        rest = tail.get(secret..).unwrap_or_default();
    }
    shown.push_str(rest);
    shown
}

/// Host and port of a backend; `Err` says what is wrong with it.
pub(super) fn upstream(text: &str) -> Result<Upstream, &'static str> {
    let Some(rest) = text.strip_prefix("http://") else {
        return Err(if text.starts_with("https://") {
            "TLS to the backend is not spoken; put the guard on the backend's machine, or a TLS tunnel between"
        } else {
            "it begins with http://"
        });
    };
    let authority = rest.strip_suffix('/').unwrap_or(rest);
    if authority.contains(['/', '?', '#']) {
        return Err("a path does not belong here: requests keep their own");
    }
    if authority.contains('@') {
        return Err("credentials do not belong here");
    }
    let parsed: http::uri::Authority =
        authority.parse().map_err(|_| "host and port are not readable")?;
    let host = parsed.host().trim_start_matches('[').trim_end_matches(']').to_owned();
    if host.is_empty() {
        return Err("the host is missing");
    }
    let port = match authority.rsplit_once(':') {
        Some((_, port)) if !port.contains(']') => port
            .parse()
            .ok()
            .filter(|&port| port != 0)
            .ok_or("the port is not a number from 1 to 65535")?,
        _ => 80,
    };
    Ok(Upstream { host, port })
}

/// Scheme and authority, no slash at the end.
pub(super) fn public_url(text: &str) -> Option<String> {
    let trimmed = text.strip_suffix('/').unwrap_or(text);
    let authority = trimmed.strip_prefix("https://").or_else(|| trimmed.strip_prefix("http://"))?;
    let parsed: http::uri::Authority = authority.parse().ok()?;
    (!parsed.host().is_empty() && !authority.contains('@')).then(|| trimmed.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_are_starred_out_byte_for_byte() {
        let url = "u = \"http://user:secret@app:5000\"";
        assert_eq!(without_credentials(url), "u = \"http://***********@app:5000\"");
        for text in ["a = \"http://app/x@y\"", "no url", "http://", "é://é@é"] {
            let shown = without_credentials(text);
            assert_eq!(shown.len(), text.len(), "{text}");
            assert!(!text.contains("app") || shown == text, "{text}");
        }
    }
}
