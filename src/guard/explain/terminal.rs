//! What a terminal, a ticket or `curl` itself puts around an answer.

use memchr::memmem;

use super::request;

/// What `curl` says on its way out when there was no whole answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct CurlError {
    /// Its exit code.
    pub code: u32,
    /// What it said.
    pub message: String,
}

/// Takes the surroundings off: code fences, the prompt, progress, `curl -v`'s chatter and its
/// last words.
pub(super) fn strip(input: &[u8]) -> (Vec<u8>, Option<CurlError>) {
    let (input, error) = split_error(unfence(input));
    let input = skip_prompt(input);
    let input =
        request::end_of_printed_request(input).and_then(|at| input.get(at..)).unwrap_or(input);
    let input = if is_verbose(input) { unverbose(input) } else { input.to_vec() };
    (input, error)
}

/// Where the last of several runs of `curl` begins: its command line, with an answer before it and
/// behind it.
pub(super) fn last_run(input: &[u8]) -> usize {
    let (mut at, mut start, mut last) = (0, None, 0);
    let mut answered = false;
    for line in lines(input) {
        let text = bare(line);
        if text.starts_with(b"HTTP/") || text.starts_with(b"< HTTP/") {
            last = start.take().unwrap_or(last);
            answered = true;
        } else if answered
            && text.len() < 1_000
            && memmem::find(text, b"curl").is_some()
            && std::str::from_utf8(text).ok().and_then(request::command_line).is_some()
        {
            start = Some(at);
        }
        at += line.len();
    }
    last
}

/// Lines with their ends.
pub(super) fn lines(input: &[u8]) -> impl Iterator<Item = &[u8]> {
    input.split_inclusive(|&byte| byte == b'\n')
}

/// A line without its end.
pub(super) fn bare(line: &[u8]) -> &[u8] {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    line.strip_suffix(b"\r").unwrap_or(line)
}

/// A head line without the escape sequences that `curl` prints to a terminal (bold names, links).
pub(super) fn without_escapes(line: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(line.len());
    let mut rest = line;
    while let Some(at) = memchr::memchr(0x1b, rest) {
        out.extend_from_slice(rest.get(..at).unwrap_or_default());
        rest = rest.get(at + 1..).unwrap_or_default();
        let end = match rest.first() {
            Some(b'[') => rest.iter().position(u8::is_ascii_alphabetic),
            Some(b']') => memmem::find(rest, b"\x1b\\").map(|end| end + 1),
            _ => None,
        };
        rest = end.and_then(|end| rest.get(end + 1..)).unwrap_or(rest);
    }
    out.extend_from_slice(rest);
    out
}

fn unfence(input: &[u8]) -> &[u8] {
    let start = input.trim_ascii_start();
    let Some(fenced) = start.strip_prefix(b"```") else { return input };
    let Some(first_line) = memchr::memchr(b'\n', fenced) else { return input };
    let inside = fenced.get(first_line + 1..).unwrap_or_default();
    match memmem::rfind(inside, b"```") {
        Some(end) if inside.get(end + 3..).is_some_and(|rest| rest.trim_ascii().is_empty()) => {
            inside.get(..end).unwrap_or_default()
        }
        _ => inside,
    }
}

/// `curl: (52) Empty reply from server` as the last line, or glued to a body without line end.
fn split_error(input: &[u8]) -> (&[u8], Option<CurlError>) {
    let none = (input, None);
    let Some(at) = memmem::rfind(input, b"curl: (") else { return none };
    let last = input.get(at..).unwrap_or_default().trim_ascii_end();
    if last.contains(&b'\n') {
        return none;
    }
    let text = String::from_utf8_lossy(last);
    let parsed = text
        .strip_prefix("curl: (")
        .and_then(|rest| rest.split_once(')'))
        .and_then(|(code, message)| Some((code.parse().ok()?, message.trim().to_owned())));
    match parsed {
        Some((code, message)) => {
            (input.get(..at).unwrap_or_default(), Some(CurlError { code, message }))
        }
        None => none,
    }
}

/// Leading lines that are certainly the terminal's are passed over, if an answer follows them.
fn skip_prompt(input: &[u8]) -> &[u8] {
    let mut skipped = 0;
    let mut commands = false;
    for line in lines(input).take(40) {
        let text = bare(line).trim_ascii();
        let ours = text.is_empty()
            || std::str::from_utf8(text).ok().and_then(request::command_line).is_some()
            || [&b"$ http "[..], b"> http ", b"% http ", b"http "]
                .iter()
                .any(|command| memmem::find(text, command).is_some() && text.len() < 200)
            || is_invoked(text)
            || text.starts_with(b"% Total")
            || text.starts_with(b"Dload")
            || (memmem::find(text, b"--:--:--").is_some());
        if !ours {
            break;
        }
        commands |= !text.is_empty();
        skipped += line.len();
    }
    let rest = input.get(skipped..).unwrap_or_default();
    let plain = without_escapes(lines(rest).next().unwrap_or_default());
    let starts = [&b"HTTP/"[..], b"* ", b"> ", b"< HTTP/", b"StatusCode  ", b"POST /", b"GET /"];
    let answer = starts.iter().any(|start| plain.starts_with(start));
    // Blank lines may also be the start of a bare body, where they are evidence.
    if answer || (commands && rest.is_empty()) { rest } else { input }
}

/// `PS C:\> Invoke-WebRequest …` and its short names.
fn is_invoked(text: &[u8]) -> bool {
    text.starts_with(b"PS ")
        || text.starts_with(b"Invoke-WebRequest -")
        || text.starts_with(b"iwr ")
}

fn is_verbose(input: &[u8]) -> bool {
    lines(input).take(200).any(|line| line.starts_with(b"< HTTP/"))
}

fn unverbose(input: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(input.len());
    let mut in_body = false;
    for line in lines(input) {
        if let Some(head) = line.strip_prefix(b"< ").filter(|_| !in_body) {
            out.extend_from_slice(head);
            in_body = bare(head).is_empty();
        } else if bare(line) == b"<" && !in_body {
            out.extend_from_slice(b"\r\n");
            in_body = true;
        } else if line.starts_with(b"< HTTP/") {
            // Another answer after a redirect or an interim one.
            in_body = false;
            out.extend_from_slice(line.get(2..).unwrap_or_default());
        } else if in_body && !is_chatter(line) {
            out.extend_from_slice(line);
        }
    }
    for mark in [&b"* Connection #"[..], b"* Closing connection", b"* shutting down connection"] {
        if let Some(at) = memmem::rfind(&out, mark) {
            out.truncate(at);
        }
    }
    out
}

fn is_chatter(line: &[u8]) -> bool {
    [&b"{ ["[..], b"} [", b"* ", b"> "].iter().any(|mark| line.starts_with(mark))
        || bare(line) == b">"
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stripped(input: &str) -> String {
        String::from_utf8(strip(input.as_bytes()).0).unwrap()
    }

    #[test]
    fn prompt_and_progress_are_taken_off() {
        let shell = "user@box:~$ curl -i http://x/voice\n  % Total    % Received\n                                 Dload  Upload\n100  12  0  12 --:--:-- --:--:-- --:--:--\nHTTP/1.1 200 OK\n\nhi";
        assert_eq!(stripped(shell), "HTTP/1.1 200 OK\n\nhi");
    }

    #[test]
    fn blank_lines_of_a_bare_body_are_evidence_and_stay() {
        assert_eq!(stripped("\n\n<?xml version=\"1.0\"?>"), "\n\n<?xml version=\"1.0\"?>");
    }

    #[test]
    fn verbose_output_is_read_like_plain_output() {
        let verbose = "*   Trying 127.0.0.1:5000...\n> POST /voice HTTP/1.1\n> Host: x\n> \n< HTTP/1.1 200 OK\r\n< Content-Type: text/xml\r\n< \r\n{ [5 bytes data]\n<Response/>* Connection #0 to host x left intact\n";
        assert_eq!(
            stripped(verbose),
            "HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\n\r\n<Response/>"
        );
    }

    #[test]
    fn the_last_words_of_curl_are_read() {
        let (rest, error) = strip(b"HTTP/1.1 200 OK\n\n<Resp\ncurl: (18) transfer closed with 3 bytes remaining to read\n");
        assert_eq!(rest, b"HTTP/1.1 200 OK\n\n<Resp\n");
        assert_eq!(error.map(|e| e.code), Some(18));
    }

    #[test]
    fn the_last_of_several_runs_is_found_and_quotations_are_none() {
        let one = "$ curl -i http://x/\nHTTP/1.1 200 OK\n\n<Response/>\n";
        let two = format!("{one}me@box:~$ curl -i http://x/b\nHTTP/1.1 500 Oops\n\nx");
        assert_eq!(last_run(one.as_bytes()), 0);
        assert!(two[last_run(two.as_bytes())..].starts_with("me@box"));
        assert_eq!(last_run(format!("{one}$ curl --help\n").as_bytes()), 0);
    }

    #[test]
    fn code_fences_of_a_ticket_are_taken_off() {
        assert_eq!(
            stripped("```http\nHTTP/1.1 200 OK\n\n<Response/>\n```\n"),
            "HTTP/1.1 200 OK\n\n<Response/>\n"
        );
    }

    #[test]
    fn bold_names_and_links_become_plain() {
        let line = b"\x1b[1mLocation\x1b[0m: \x1b]8;;http://x/\x1b\\/login\x1b]8;;\x1b\\";
        assert_eq!(without_escapes(line), b"Location: /login");
    }
}
