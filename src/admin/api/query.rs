//! What a query asks for; everything in it is known and makes sense, or it is refused.

use http::StatusCode;
use percent_encoding::percent_decode_str;
use uuid::Uuid;

use super::reply::Refusal;
use crate::incidents::moment::{self, moment};
use crate::incidents::store::{Filter, Page};
use crate::incidents::view::texts;

/// Most entries of a page.
const MAX_LIMIT: usize = 1_000;
const OUTCOMES: [&str; 4] = ["untouched", "repaired", "replaced", "failed"];
/// From when on `stats` tells if nothing is said: a day.
const DAY_MS: u64 = 24 * 3_600_000;

/// The parameters of a query, each once.
#[derive(Debug)]
pub(super) struct Query(Vec<(String, String)>);

/// A filter whose number still has to be hashed.
#[derive(Debug, Default)]
pub(super) struct Wanted {
    pub(super) filter: Filter,
    pub(super) number: Option<String>,
}

/// What a list is asked for.
#[derive(Debug)]
pub(super) struct Ask {
    pub(super) wanted: Wanted,
    pub(super) page: Page,
    /// Closed outbreaks too.
    pub(super) all: bool,
}

impl Query {
    /// Reads a query string.
    pub(super) fn parse(query: &str) -> Result<Self, Refusal> {
        let mut all: Vec<(String, String)> = Vec::new();
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let decode = |text: &str| {
                let spaced = text.replace('+', " ");
                let decoded = percent_decode_str(&spaced).decode_utf8();
                decoded
                    .map(std::borrow::Cow::into_owned)
                    .map_err(|_| Refusal::parameter("a parameter", "percent-encoded UTF-8", text))
            };
            let (name, value) = (decode(name)?, decode(value)?);
            if all.iter().any(|(earlier, _)| *earlier == name) {
                return Err(Refusal::parameter(&name, "given once", &value));
            }
            all.push((name, value));
        }
        Ok(Self(all))
    }

    /// `/api/outbreaks`
    pub(super) fn outbreaks(mut self, now_ms: u64) -> Result<Ask, Refusal> {
        let wanted = self.wanted(Some(now_ms))?;
        let limit = self.limit()?;
        let all = match self.take("all").as_deref() {
            None | Some("0" | "false") => false,
            Some("1" | "true") => true,
            Some(found) => return Err(Refusal::parameter("all", "1 or 0", found)),
        };
        let before = self.id("before")?;
        self.end("all, before, limit, since, until")?;
        Ok(Ask { wanted, page: Page { limit, before }, all })
    }

    /// `/api/incidents`
    pub(super) fn incidents(mut self, now_ms: u64) -> Result<Ask, Refusal> {
        let wanted = self.wanted(Some(now_ms))?;
        let limit = self.limit()?;
        let before = self.id("before")?;
        self.end("before, limit, since, until")?;
        Ok(Ask { wanted, page: Page { limit, before }, all: true })
    }

    /// `/api/tail`
    pub(super) fn tail(mut self) -> Result<Wanted, Refusal> {
        let wanted = self.wanted(None)?;
        self.end("no time or page")?;
        Ok(wanted)
    }

    /// `/api/stats`: from when on, and which route.
    pub(super) fn stats(mut self, now_ms: u64) -> Result<(u64, Option<String>), Refusal> {
        let since = self.time("since", now_ms)?;
        let route = self.take("route");
        match self.0.first() {
            None => Ok((since.unwrap_or(now_ms.saturating_sub(DAY_MS)), route)),
            Some((name, _)) => Err(unknown(name, "since, route")),
        }
    }

    /// Where nothing can be asked for.
    pub(super) fn none(self) -> Result<(), Refusal> {
        self.0.first().map_or(Ok(()), |(name, _)| Err(unknown(name, "none")))
    }

    /// The filters; times only where `now_ms` is given.
    fn wanted(&mut self, now_ms: Option<u64>) -> Result<Wanted, Refusal> {
        let mut filter = Filter::default();
        if let Some(now_ms) = now_ms {
            filter.since_ms = self.time("since", now_ms)?;
            filter.until_ms = self.time("until", now_ms)?;
        }
        filter.route = self.text("route", "a route's name")?;
        filter.cause = self.take("cause");
        if let Some(slug) = filter.cause.as_deref().filter(|slug| texts(slug).0.is_empty()) {
            let expected = "the slug of a cause (`twiml-guard explain --list` names all)";
            return Err(Refusal::parameter("cause", expected, slug));
        }
        filter.sid = self.take("call");
        if let Some(sid) = filter.sid.as_deref().filter(|sid| !is_sid(sid)) {
            let expected = "a whole SID, two letters and 32 hexadecimal digits";
            return Err(Refusal::parameter("call", expected, sid));
        }
        let number = self.text("number", "a full number, such as %2B15550104477")?;
        if let Some(code) = self.take("code") {
            let known = code.parse().ok().filter(|code| (10_000..100_000).contains(code));
            let fault = || Refusal::parameter("code", "a code of Twilio's, such as 12100", &code);
            filter.code = Some(known.ok_or_else(fault)?);
        }
        filter.outcome = self.take("outcome");
        if let Some(word) = filter.outcome.as_deref().filter(|word| !OUTCOMES.contains(word)) {
            return Err(Refusal::parameter("outcome", &one_of(&OUTCOMES), word));
        }
        filter.outbreak = self.id("outbreak")?;
        Ok(Wanted { filter, number })
    }

    fn limit(&mut self) -> Result<usize, Refusal> {
        let Some(text) = self.take("limit") else { return Ok(Page::default().limit) };
        let limit = text.parse().ok().filter(|limit| (1..=MAX_LIMIT).contains(limit));
        let expected = format!("a whole number from 1 to {MAX_LIMIT}");
        limit.ok_or_else(|| Refusal::parameter("limit", &expected, &text))
    }

    fn time(&mut self, name: &str, now_ms: u64) -> Result<Option<u64>, Refusal> {
        let Some(word) = self.take(name) else { return Ok(None) };
        match moment(&word, now_ms) {
            Some(time) => Ok(Some(time)),
            None => Err(Refusal::parameter(name, moment::EXPECTED, &word)),
        }
    }

    fn id(&mut self, name: &str) -> Result<Option<Uuid>, Refusal> {
        let Some(text) = self.take(name) else { return Ok(None) };
        match text.parse() {
            Ok(id) => Ok(Some(id)),
            Err(_) => Err(Refusal::parameter(name, "a whole id, 36 characters", &text)),
        }
    }

    fn text(&mut self, name: &str, expected: &str) -> Result<Option<String>, Refusal> {
        match self.take(name) {
            Some(text) if text.trim().is_empty() => Err(Refusal::parameter(name, expected, &text)),
            text => Ok(text),
        }
    }

    fn take(&mut self, name: &str) -> Option<String> {
        let at = self.0.iter().position(|(own, _)| own == name)?;
        Some(self.0.swap_remove(at).1)
    }

    /// Whether everything was understood; `also`: what is known besides the filters.
    fn end(self, also: &str) -> Result<(), Refusal> {
        let Some((name, _)) = self.0.first() else { return Ok(()) };
        Err(unknown(name, &format!("route, cause, call, number, code, outcome, outbreak; {also}")))
    }
}

fn unknown(name: &str, known: &str) -> Refusal {
    let name: String = name.chars().take(100).collect();
    let message = format!("unknown parameter `{}`; known here: {known}", name.escape_debug());
    Refusal::new(StatusCode::BAD_REQUEST, message).with("parameter", name.into())
}

fn is_sid(text: &str) -> bool {
    text.len() == 34
        && text.bytes().take(2).all(|b| b.is_ascii_alphabetic())
        && text.bytes().skip(2).all(|b| b.is_ascii_hexdigit())
}

fn one_of(words: &[&str]) -> String {
    format!("one of {}", words.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: u64 = 1_795_595_393_614;

    fn refused(query: &str) -> String {
        let asked = Query::parse(query).and_then(|query| query.incidents(NOW));
        format!("{:?}", asked.expect_err(query))
    }

    #[test]
    fn every_filter_is_read() {
        let id = "019ab3c4-0000-7000-8000-000000000000";
        let query = format!(
            "since=2h&until=2026-11-25T08:00Z&route=%2Fvoice&cause=html-page&call=CA0123456789abcdef0123456789abcdef&number=%2B1+555+0100&code=12100&outcome=replaced&outbreak={id}&limit=7&before={id}"
        );
        let ask = Query::parse(&query).unwrap().incidents(NOW).unwrap();
        let expected = Filter {
            since_ms: Some(NOW - 7_200_000),
            until_ms: Some(1_795_593_600_000),
            route: Some("/voice".to_owned()),
            cause: Some("html-page".to_owned()),
            sid: Some("CA0123456789abcdef0123456789abcdef".to_owned()),
            number: None,
            code: Some(12_100),
            outcome: Some("replaced".to_owned()),
            outbreak: id.parse().ok(),
        };
        assert_eq!(ask.wanted.filter, expected);
        assert_eq!(ask.wanted.number.as_deref(), Some("+1 555 0100"));
        assert_eq!(ask.page, Page { limit: 7, before: id.parse().ok() });
    }

    #[test]
    fn what_makes_no_sense_is_told() {
        for (query, part) in [
            ("limit=1001", "from 1 to 1000, found `1001`"),
            ("limit=0", "from 1 to 1000"),
            ("limit=ten", "from 1 to 1000"),
            ("since=yesterday", "a time such as 90s"),
            ("cause=html-pag", "the slug of a cause"),
            ("call=CA1", "a whole SID"),
            ("code=12", "a code of Twilio's"),
            ("outcome=lost", "one of untouched, repaired, replaced, failed"),
            ("before=01", "a whole id"),
            ("route=", "a route's name"),
            ("number=+", "a full number"),
            ("x=1", "unknown parameter `x`"),
            ("all=1", "unknown parameter `all`"),
            ("limit=1&limit=2", "given once"),
            ("route=%ff", "percent-encoded UTF-8"),
        ] {
            assert!(refused(query).contains(part), "{query}: {}", refused(query));
        }
    }

    #[test]
    fn a_tail_has_no_times_and_outbreaks_have_no_pages() {
        assert!(Query::parse("since=2h").unwrap().tail().is_err());
        assert!(Query::parse("route=/voice").unwrap().tail().is_ok());
        assert!(Query::parse("before=x").unwrap().outbreaks(NOW).is_err());
        assert!(Query::parse("all=1").unwrap().outbreaks(NOW).unwrap().all);
        assert!(Query::parse("all=maybe").unwrap().outbreaks(NOW).is_err());
    }
}
