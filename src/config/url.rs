//! URLs in the configuration: of webhooks, of the guard seen from outside.

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

/// Scheme and authority, no slash at the end.
pub(super) fn public_url(text: &str) -> Option<String> {
    let trimmed = text.strip_suffix('/').unwrap_or(text);
    let authority = trimmed.strip_prefix("https://").or_else(|| trimmed.strip_prefix("http://"))?;
    let parsed: http::uri::Authority = authority.parse().ok()?;
    (!parsed.host().is_empty() && !authority.contains('@')).then(|| trimmed.to_owned())
}

/// Whether something can be posted to this URL; `Err` says what is wrong with it, and not what it is.
pub(super) fn webhook(text: &str) -> Result<(), &'static str> {
    let Some((scheme, rest)) = text.split_once("://") else {
        return Err("it begins with neither");
    };
    if !scheme.eq_ignore_ascii_case("https") && !scheme.eq_ignore_ascii_case("http") {
        return Err("it begins with neither");
    }
    let uri: http::Uri = text.parse().map_err(|_| "what stands there is no URL")?;
    let Some(authority) = uri.authority() else { return Err("the host is missing") };
    if rest.contains('#') {
        return Err("a fragment (#) is not sent; leave it out");
    }
    if authority.as_str().contains('@') {
        return Err("user and password are not sent; put a token into the path");
    }
    let host = authority.host();
    let is_name = |c: char| c.is_ascii_alphanumeric() || "-._[]:".contains(c);
    if host.is_empty() || !host.chars().all(is_name) {
        return Err("the host is no name or address");
    }
    match authority.as_str().strip_prefix(host) {
        Some("") => Ok(()),
        _ => match authority.port_u16() {
            Some(port) if port != 0 => Ok(()),
            _ => Err("the port is not a number from 1 to 65535"),
        },
    }
}

/// Keys whose values are secret, or would be if the file could have them.
const SECRET_KEYS: [&str; 3] = ["url", "auth_token", "token"];

/// The text of a file with what may be a secret starred out, byte for byte: paths of URLs, and whatever
/// stands behind `url =` or, where somebody wrote a token into the file, behind `auth_token =`.
pub(super) fn without_secrets(text: &str) -> String {
    let starred = |line: &str| {
        let is_word = |c: char| c.is_alphanumeric() || c == '_' || c == '-';
        let key = SECRET_KEYS.iter().flat_map(|key| line.match_indices(key)).find(|(at, key)| {
            let (before, after) = line.split_at(*at);
            !before.ends_with(is_word) && after[key.len()..].trim_start().starts_with('=')
        });
        let Some(value) = key.and_then(|(at, _)| Some(at + line.get(at..)?.find('=')? + 1)) else {
            return line.to_owned();
        };
        let (shown, hidden) = line.split_at(value);
        let stars =
            hidden.bytes().map(|b| if b" \"'\r\n".contains(&b) { char::from(b) } else { '*' });
        shown.chars().chain(stars).collect()
    };
    without_paths(text).split_inclusive('\n').map(starred).collect()
}

/// The text with the path of every URL in it starred out.
fn without_paths(text: &str) -> String {
    let mut rest = text;
    let mut shown = String::with_capacity(text.len());
    while let Some(at) = rest.find("://") {
        let (head, tail) = rest.split_at(at + "://".len());
        shown.push_str(head);
        let end = tail.find(|c: char| c.is_whitespace() || "\"'<>".contains(c));
        let url = tail.get(..end.unwrap_or(tail.len())).unwrap_or_default();
        let host = url.find(['/', '?', '#']).map_or(url.len(), |at| at + 1);
        shown.push_str(url.get(..host).unwrap_or_default());
        shown.push_str(&"*".repeat(url.len().saturating_sub(host)));
        rest = tail.get(url.len()..).unwrap_or_default();
    }
    shown.push_str(rest);
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn webhooks_are_urls() {
        for url in
            ["https://hooks.example.com/T0/B0/x", "http://127.0.0.1:8065/hooks/x?a=b", "HTTPS://h"]
        {
            assert_eq!(webhook(url), Ok(()), "{url}");
        }
        for (url, why) in [
            ("hooks.example.com/x", "begins"),
            ("ftp://h/x", "begins"),
            ("https://", "no URL"),
            ("https://***", "host"),
            ("https://h/a b", "no URL"),
            ("https://h/a#b", "fragment"),
            ("https://u:p@h/", "password"),
            ("https://h:0/", "port"),
        ] {
            assert!(webhook(url).unwrap_err().contains(why), "{url}: {:?}", webhook(url));
        }
    }

    #[test]
    fn paths_are_starred_out_byte_for_byte() {
        for text in [
            "a = \"https://hooks.example.com/T0/B0/s3cr3t\" # see https://é.example/ä?x\n",
            "url=\"hooks.example.com/ä/s3cr3t\"\nb = 1\n",
            "notify = [{ url = 's3cr3t' }]",
            "url = \"\"\"\nhttps://h/s3cr3t",
        ] {
            let shown = without_secrets(text);
            assert_eq!(shown.len(), text.len(), "{shown}");
            assert!(!shown.contains("s3cr3t"), "{shown}");
        }
        for text in ["public_url = \"https://pbx.example.com\"\n", "url_file = \"x\"", "url"] {
            assert_eq!(without_secrets(text), text);
        }
    }

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
