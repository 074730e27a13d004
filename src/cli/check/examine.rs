//! Asks and says what became of it.

use http::Method;

use super::lines::{Line, Verdict};
use crate::guard::causes::Level;
use crate::guard::stream::{Side, StreamEnd, StreamKind};
use crate::probe::{
    Ask, Client, Content, Fetched, ProbeError, Stream, Streamed, Unanswered, Url, assess, content,
};
use crate::twilio::Slot;

/// An answer, if one came, and the line that tells of it.
pub(super) struct Examined {
    pub line: Line,
    pub answer: Option<Fetched>,
}

/// `POST /voice`
pub(super) fn named(method: &Method, url: &Url) -> String {
    format!("{method} {}", url.path())
}

/// Asks once and judges the answer.
pub(super) async fn ask(
    client: &mut Client,
    check: &'static str,
    slot: Slot,
    ask: Ask,
) -> Examined {
    let request = named(&ask.method, &ask.url);
    match client.ask(ask.clone()).await {
        Ok(answer) => {
            Examined { line: judged(check, request, &ask, &answer, slot), answer: Some(answer) }
        }
        Err(unanswered) => Examined { line: failed(check, request, &unanswered), answer: None },
    }
}

fn judged(check: &'static str, request: String, ask: &Ask, answer: &Fetched, slot: Slot) -> Line {
    let says = described(answer);
    let is_over =
        ask.params.iter().any(|(name, value)| name == "CallStatus" && value == "completed");
    if slot == Slot::Action && is_over && answer.status.is_success() && answer.body.is_empty() {
        return Line::new(
            Verdict::Go,
            check,
            request,
            format!("{says}; the call is over, nothing is lost"),
        );
    }
    let judgement = assess(ask, answer, slot);
    let with = |level| judgement.findings.iter().find(|finding| finding.cause.level == level);
    if let Some(finding) = with(Level::Fault) {
        let says = format!("{says}; {}", finding.evidence);
        let mut line = Line::new(Verdict::NoGo, check, request, says);
        // Whatever the body is, Twilio logs the status first.
        line.code = (slot.takes_twiml() && answer.status.as_u16() >= 400).then_some(11_200);
        return line.cause(finding.cause.slug);
    }
    if slot.takes_twiml()
        && let Err(refused) = content(answer, slot)
        && !matches!(answer.status.as_u16(), 204 | 401)
    {
        let fix = "answer 200, text/xml and one whole TwiML document, its length in Content-Length";
        return Line::new(Verdict::NoGo, check, request, format!("{says}; {}", refused.why))
            .code(refused.code)
            .fix(fix);
    }
    if let Some(finding) = with(Level::Warning) {
        let says = format!("{says}; {}", finding.evidence);
        return Line::new(Verdict::Warning, check, request, says).cause(finding.cause.slug);
    }
    Line::new(Verdict::Go, check, request, says)
}

/// Status, type, framing, times, redirects.
fn described(answer: &Fetched) -> String {
    let header = |name: &str| {
        let value = answer.headers.get(name)?;
        Some(String::from_utf8_lossy(value.as_bytes()).into_owned())
    };
    let kind = header("content-type").unwrap_or_else(|| "no Content-Type".to_owned());
    let framing = match (answer.framing.is_chunked, answer.framing.length) {
        (true, _) => ", chunked",
        (false, None) if answer.status.as_u16() != 204 => ", ended by the connection",
        _ => "",
    };
    let coding = header("content-encoding").map_or(String::new(), |coding| format!(", {coding}"));
    let hops: Vec<String> = answer
        .hops
        .iter()
        .map(|(status, url)| {
            format!("{status} to {}://{}{}, ", url.scheme.name(), url.authority(), url.path())
        })
        .collect();
    let retried = if answer.link.retries > 0 { ", connected at the second attempt" } else { "" };
    format!(
        "{}{} {kind}, {} bytes{framing}{coding}, first byte {} ms, {} ms of 15,000{retried}",
        hops.concat(),
        answer.status.as_u16(),
        answer.body.len(),
        answer.link.first_byte.as_millis(),
        answer.link.total.as_millis(),
    )
}

fn failed(check: &'static str, request: String, unanswered: &Unanswered) -> Line {
    let error = &unanswered.error;
    let line = Line::new(Verdict::NoGo, check, request, error.to_string()).code(error.code());
    let slug = match error {
        ProbeError::Connect { .. } => "connection-refused",
        ProbeError::ConnectTimeout { .. } => "connect-timeout",
        ProbeError::Http { found, .. } if found.contains("closed without") => "closed-early",
        ProbeError::Http { found, .. } if found.starts_with("`HTTP/") => "body-truncated",
        ProbeError::Http { .. } => "not-http",
        ProbeError::NoHost { .. } => "backend-unreachable",
        ProbeError::Redirect { .. }
        | ProbeError::ForeignRedirect { .. }
        | ProbeError::TooManyRedirects { .. } => "redirect-refused",
        ProbeError::TooLate { .. } => "headers-too-late",
        ProbeError::Tls(failure) => return line.fix(failure.remedy()),
        ProbeError::RefusedAddress { .. } => {
            return line
                .fix("check the URL that Twilio is given, on the host that it is public under");
        }
        ProbeError::Request { .. } | ProbeError::Url(_) => {
            return line.fix("give a URL such as https://pbx.example.com/voice");
        }
    };
    line.cause(slug)
}

/// What TLS is like, for a connection that came about over it.
pub(super) fn tls(url: &Url, answer: &Fetched) -> Option<Line> {
    let tls = answer.link.tls.as_ref()?;
    let says = format!(
        "{}, {} certificates, trusted, {} ms",
        tls.version,
        tls.chain,
        answer.link.handshake.unwrap_or_default().as_millis()
    );
    let request = url.authority();
    Some(if tls.ends_soon {
        let says = format!("{says}; it ends within 14 days");
        Line::new(Verdict::Warning, "tls", request, says).code(11_236).fix("renew the certificate")
    } else {
        Line::new(Verdict::Go, "tls", request, says)
    })
}

/// Opens a stream as Twilio does.
pub(super) async fn stream(client: &Client, stream: &Stream) -> Line {
    let streamed = stream.run(client).await;
    let request = named(&Method::GET, &stream.url);
    let says = told(&streamed);
    if let Some((code, why)) = streamed.fault() {
        let fix = match code {
            31_920 => {
                "register this path as a WebSocket route, and let whatever is in front pass `Upgrade`"
            }
            31_924 => "see the log of the application: its handler raised behind the handshake",
            31_950 => "send text frames with JSON in them",
            31_951 => "send only the messages that Twilio's documentation lists",
            _ => "see that the host of the stream's URL can be reached with wss://",
        };
        let verdict =
            if matches!(code, 31_950 | 31_951) { Verdict::Warning } else { Verdict::NoGo };
        return Line::new(verdict, "stream", request, format!("{why}; {says}")).code(code).fix(fix);
    }
    if streamed.died() {
        return Line::new(Verdict::NoGo, "stream", request, says).fix(
            "see the log of the application: a call's stream stays open until Twilio's `stop`",
        );
    }
    if !streamed.served() {
        return Line::new(
            Verdict::Warning,
            "stream",
            request,
            format!("{says}; the caller heard nothing"),
        )
        .fix("to silence alone an agent may have nothing to say; a greeting should have come");
    }
    Line::new(Verdict::Go, "stream", request, says)
}

fn told(streamed: &Streamed) -> String {
    let report = &streamed.report;
    if report.status != Some(101) {
        return "never started".to_owned();
    }
    let end = match &report.end {
        StreamEnd::Closed { by, code, .. } => {
            let code = code.map_or("no code".to_owned(), |code| code.to_string());
            format!("closed by {} ({code})", who(*by))
        }
        StreamEnd::Lost { by } => {
            format!("the connection of {} ended without a close frame", who(*by))
        }
        StreamEnd::Refused => "refused".to_owned(),
        StreamEnd::Stopped | StreamEnd::Cut => "given up".to_owned(),
    };
    let spoken = match report.kind {
        StreamKind::ConversationRelay => format!("{} messages back", report.outbound.messages),
        _ => format!("{:.1} s audio back", report.outbound.audio.as_secs_f32()),
    };
    let (inbound, took) = (report.inbound.frames, report.duration.as_secs_f32());
    format!("started, {inbound} messages sent, {spoken}, {end} after {took:.1} s")
}

const fn who(side: Side) -> &'static str {
    match side {
        Side::Backend => "the backend",
        Side::Twilio => "the check",
    }
}

/// The TwiML of an answer that is fit.
pub(super) fn document(answer: &Fetched, slot: Slot) -> Option<String> {
    matches!(content(answer, slot), Ok(Content::Twiml(_)))
        .then(|| String::from_utf8_lossy(&answer.body).into_owned())
}

#[cfg(test)]
mod tests {
    use crate::guard::CAUSES;

    #[test]
    fn the_causes_that_are_named_are_in_the_catalogue() {
        for slug in [
            "connection-refused",
            "connect-timeout",
            "closed-early",
            "body-truncated",
            "not-http",
            "backend-unreachable",
            "redirect-refused",
            "headers-too-late",
        ] {
            assert!(CAUSES.iter().any(|cause| cause.slug == slug), "{slug}");
        }
    }
}
