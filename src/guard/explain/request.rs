//! What a paste shows of the request: the command line, `curl -v`'s `>` lines, the head that httpie
//! prints first.

use bytes::Bytes;
use http::Method;

use super::terminal::{bare, lines, without_escapes};

/// What is known of the request that an answer belongs to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Request {
    /// Its method.
    pub method: Option<Method>,
    /// A whole URL, or a path with query.
    pub url: Option<String>,
    /// Its form, as sent.
    pub form: Option<Bytes>,
}

/// Lines among which a request is looked for.
const MAX_LINES: usize = 200;

/// Reads what a terminal shows of the request.
pub(super) fn seen(input: &[u8]) -> Request {
    let mut request = Request::default();
    let mut host = None;
    let mut secure = false;
    for line in lines(input).take(MAX_LINES) {
        let line = String::from_utf8_lossy(&without_escapes(bare(line))).into_owned();
        let line = line.trim();
        if line.starts_with("HTTP/") || line.starts_with("< HTTP/") {
            break;
        }
        if let Some(command) = command_line(line) {
            of_command(command, &mut request);
        } else if line.starts_with("* SSL connection") || line.starts_with("* ALPN") {
            secure = true;
        } else if let Some((method, target)) = request_line(line.strip_prefix("> ").unwrap_or(line))
        {
            request.method = Some(method);
            if request.url.as_deref().is_none_or(|url| !url.contains("://")) {
                request.url = Some(target);
            }
        } else if host.is_none() {
            host = header(line.strip_prefix("> ").unwrap_or(line), "host");
        }
    }
    if let (Some(host), Some(path)) = (host, request.url.as_mut().filter(|u| u.starts_with('/'))) {
        let scheme = if secure { "https" } else { "http" };
        *path = format!("{scheme}://{host}{path}");
    }
    request
}

/// Where an httpie session's own request ends and the answer begins.
pub(super) fn end_of_printed_request(input: &[u8]) -> Option<usize> {
    let first = without_escapes(bare(lines(input).next()?));
    request_line(std::str::from_utf8(&first).ok()?)?;
    let mut at = 0;
    for line in lines(input).take(MAX_LINES) {
        if without_escapes(line).starts_with(b"HTTP/") {
            return Some(at);
        }
        at += line.len();
    }
    None
}

/// `POST /voice HTTP/1.1`.
fn request_line(line: &str) -> Option<(Method, String)> {
    let mut words = line.split(' ');
    let method = words.next()?;
    let target = words.next().filter(|target| target.starts_with('/'))?;
    words.next().filter(|version| version.starts_with("HTTP/"))?;
    let known = ["GET", "POST", "HEAD", "PUT", "OPTIONS"].contains(&method);
    known.then(|| Some((method.parse().ok()?, target.to_owned())))?
}

fn header(line: &str, name: &str) -> Option<String> {
    let (found, value) = line.split_once(':')?;
    let value = value.trim();
    let plain = value.bytes().all(|b| b.is_ascii_alphanumeric() || b"-.:[]_".contains(&b));
    (found.eq_ignore_ascii_case(name) && plain && !value.is_empty()).then(|| value.to_owned())
}

/// The `curl …` of a prompt's line; terminals of all systems put something before it.
pub(super) fn command_line(line: &str) -> Option<&str> {
    let at = line.find("curl ").or_else(|| line.find("curl.exe "))?;
    let before = line.get(..at)?.trim_end();
    let prompt = before.is_empty()
        || before.len() < 120 && before.ends_with(['$', '#', '%', '>', '❯', '➜', '~']);
    prompt.then(|| line.get(at..))?
}

fn of_command(command: &str, request: &mut Request) {
    let mut form: Vec<String> = Vec::new();
    let mut as_query = false;
    let words = words(command);
    let mut rest = words.iter().skip(1);
    while let Some(word) = rest.next() {
        match word.as_str() {
            "-X" | "--request" => request.method = rest.next().and_then(|m| m.parse().ok()),
            "-I" | "--head" => request.method = Some(Method::HEAD),
            "-G" | "--get" => as_query = true,
            "-d" | "--data" | "--data-raw" | "--data-ascii" | "--data-binary"
            | "--data-urlencode" => form.extend(rest.next().cloned()),
            "-H" | "--header" | "-o" | "--output" | "-u" | "--user" | "-A" | "-m" | "-w" => {
                rest.next();
            }
            flag if flag.starts_with('-') => {
                let short = !flag.starts_with("--");
                if short && flag.contains('I') {
                    request.method = Some(Method::HEAD);
                }
                // `-sXPOST`, `-siX POST`
                if let Some((_, method)) = flag.split_once('X').filter(|_| short) {
                    let method = Some(method)
                        .filter(|m| !m.is_empty())
                        .or_else(|| rest.next().map(String::as_str));
                    request.method = method.and_then(|m| m.parse().ok());
                }
            }
            "|" | ">" | ";" | "&&" => break,
            url if request.url.is_none() => request.url = Some(whole(url)),
            _ => {}
        }
    }
    let form = form.join("&");
    if !form.is_empty() && as_query {
        if let Some(url) = &mut request.url {
            let glue = if url.contains('?') { '&' } else { '?' };
            *url = format!("{url}{glue}{form}");
        }
    } else if !form.is_empty() {
        request.method.get_or_insert(Method::POST);
        request.form = Some(Bytes::from(form));
    }
    request.method.get_or_insert(Method::GET);
}

/// `curl` takes a URL without scheme for http.
fn whole(url: &str) -> String {
    if url.contains("://") { url.to_owned() } else { format!("http://{url}") }
}

/// Words of a command line, quotes taken off.
fn words(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word = String::new();
    let mut quote = None;
    for c in line.chars() {
        match quote {
            Some(open) if c == open => quote = None,
            None if c == '\'' || c == '"' => quote = Some(c),
            None if c.is_whitespace() => {
                if !word.is_empty() {
                    words.push(std::mem::take(&mut word));
                }
            }
            _ => word.push(c),
        }
    }
    if !word.is_empty() {
        words.push(word);
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_line_says_what_was_asked() {
        let cases = [
            (
                "$ curl -i -X POST https://pbx.example.com/voice",
                "POST",
                "https://pbx.example.com/voice",
                "",
            ),
            ("curl -si localhost:5000/voice", "GET", "http://localhost:5000/voice", ""),
            (
                "me@box:~$ curl -i -d 'CallSid=CA1' --data \"Digits=1\" http://x/a",
                "POST",
                "http://x/a",
                "CallSid=CA1&Digits=1",
            ),
            ("C:\\> curl -sI http://x/a", "HEAD", "http://x/a", ""),
            ("curl -siXPOST http://x/a | less", "POST", "http://x/a", ""),
            ("curl -G -d Digits=1 'http://x/a?b=c'", "GET", "http://x/a?b=c&Digits=1", ""),
        ];
        for (line, method, url, form) in cases {
            let request = seen(line.as_bytes());
            assert_eq!(request.method.as_ref().map(Method::as_str), Some(method), "{line}");
            assert_eq!(request.url.as_deref(), Some(url), "{line}");
            assert_eq!(request.form.as_deref().unwrap_or_default(), form.as_bytes(), "{line}");
        }
    }

    #[test]
    fn the_sent_lines_of_verbose_output_are_read() {
        let seen = seen(b"* SSL connection using TLSv1.3\n> POST /voice?x=1 HTTP/2\n> Host: pbx.example.com\n> \n< HTTP/2 200\n");
        assert_eq!(seen.method, Some(Method::POST));
        assert_eq!(seen.url.as_deref(), Some("https://pbx.example.com/voice?x=1"));
    }

    #[test]
    fn what_an_answer_says_is_no_request() {
        assert_eq!(seen(b"HTTP/1.1 200 OK\n\n$ curl -i http://x/\n"), Request::default());
        assert_eq!(seen(b"<Say>Use the curl command</Say>"), Request::default());
    }
}
