//! Recorded requests once more: what is sent again, and what the new answer says.
//!
//! Pure: a [`Record`] goes in, a [`Request`] comes out; whoever sends it brings back a judgement,
//! and [`compare`] says what has become of the incident.

mod headers;
mod substitute;

use bytes::Bytes;
use http::uri::PathAndQuery;
use http::{HeaderMap, Method};
use serde::Serialize;

use super::record::{ParamRecord, Record, Row};
use crate::guard::{Judgement, Verdict};
use crate::twilio::{Params, Slot, params};

/// A request as Twilio sent it, as far as it was kept.
#[derive(Debug, Clone)]
pub struct Request {
    /// Its method.
    pub method: Method,
    /// Path and query.
    pub target: PathAndQuery,
    /// Its headers without framing, credentials and what the guard adds to each request.
    pub headers: HeaderMap,
    /// The parameters of its form.
    pub form: Vec<(String, String)>,
    /// The form as it is sent.
    pub body: Bytes,
    /// What stands in for what was masked.
    pub substitutes: Vec<Substitute>,
    /// Headers that were not kept, such as cookies.
    pub left_out: Vec<String>,
}

/// A value that is not the one that came.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Substitute {
    /// The parameter, `path`, or `header NAME`.
    pub name: String,
    /// What was kept.
    pub recorded: String,
    /// What is sent.
    pub sent: String,
}

/// Why a recorded request can't be sent again.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unfit {
    /// Its body is no form, and only the parameters of forms are kept.
    #[error("its body of {0} bytes is no form, and was not kept")]
    Body(usize),
    /// Only so many parameters are kept.
    #[error("it had more parameters than are kept")]
    Parameters,
    /// The request itself could not be taken.
    #[error("it was never sent to the backend: {0}")]
    Refused(String),
    /// It opened a WebSocket, which is more than one request.
    #[error("it opened a stream; `twiml-guard check` opens one as Twilio does")]
    Stream,
    /// The record's method or target is none.
    #[error("`{0}` in its record makes no request")]
    Target(String),
}

impl Request {
    /// The recorded request, substitutes in place of what was masked.
    pub fn of(record: &Record) -> Result<Self, Unfit> {
        if record.row.slot == Slot::Stream.name() {
            return Err(Unfit::Stream);
        }
        let Some(first) = record.attempts.first() else {
            let why = record.failure.clone().unwrap_or_else(|| record.row.cause.clone());
            return Err(Unfit::Refused(why));
        };
        if record.request.params.len() >= super::record::MAX_ENTRIES {
            return Err(Unfit::Parameters);
        }
        let method = Method::from_bytes(record.row.method.as_bytes())
            .map_err(|_| Unfit::Target(record.row.method.clone()))?;
        let mut substitutes = Vec::new();
        let kept = headers::of(&first.headers, &mut substitutes);
        let (path, query) = match record.request.target.split_once('?') {
            Some((path, query)) => (path, Some(query)),
            None => (record.request.target.as_str(), None),
        };
        let (of_form, of_query) = split(&record.request.params, query.unwrap_or_default());
        let mut target = substituted("path", path, substitute::text(path), &mut substitutes);
        if let Some(query) = query {
            target.push('?');
            target += &query_of(query, of_query, &mut substitutes);
        }
        let target = PathAndQuery::try_from(target)
            .map_err(|_| Unfit::Target(record.request.target.clone()))?;
        let is_form = headers::is_form(&kept.headers);
        if record.request.body_bytes > 0 && !is_form {
            return Err(Unfit::Body(record.request.body_bytes));
        }
        let form: Vec<_> =
            of_form.iter().map(|p| (p.name.clone(), sent(p, &mut substitutes))).collect();
        let body = params::form(form.iter().map(|(name, value)| (name.as_str(), value.as_str())));
        Ok(Self {
            method,
            target,
            headers: kept.headers,
            form,
            body: body.into(),
            substitutes,
            left_out: kept.left_out,
        })
    }

    /// The URL that Twilio asked for: where the guard is seen from outside, else as the backend was
    /// told, and the target.
    pub fn url(&self, public_url: Option<&str>) -> String {
        let text = |name| self.headers.get(name).and_then(|value| value.to_str().ok());
        let told = || {
            let scheme = text("x-forwarded-proto").unwrap_or("http");
            let host = text("x-forwarded-host").or_else(|| text("host")).unwrap_or("localhost");
            format!("{scheme}://{host}")
        };
        format!("{}{}", public_url.map_or_else(told, str::to_owned), self.target)
    }

    /// The parameters of the form, as they are signed.
    pub fn pairs(&self) -> impl Iterator<Item = (&str, &str)> + Clone {
        self.form.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }
}

/// The parameters of the form, and those of the query: records have the form's first.
fn split<'r>(params: &'r [ParamRecord], query: &str) -> (&'r [ParamRecord], &'r [ParamRecord]) {
    let in_query = Params::from_form(query.as_bytes());
    let at = params.len().saturating_sub(in_query.iter().count());
    let (of_form, of_query) = params.split_at(at);
    // Long names are kept in part.
    let mut names = of_query.iter().zip(in_query.iter());
    let fits = names.all(|(param, (name, _))| name.starts_with(&param.name));
    if fits { (of_form, of_query) } else { (params, &[]) }
}

/// The query, pair for pair as it came.
fn query_of(query: &str, params: &[ParamRecord], substitutes: &mut Vec<Substitute>) -> String {
    let mut params = params.iter();
    let pairs = query.split('&').map(|pair| {
        let param = if pair.is_empty() { None } else { params.next() };
        match (pair.split_once('='), param) {
            (Some((name, _)), Some(param)) if param.masked => {
                format!("{name}={}", params::encode(&sent(param, substitutes)))
            }
            (None, _) | (_, None) => {
                substituted("query", pair, substitute::text(pair), substitutes)
            }
            _ => pair.to_owned(),
        }
    });
    pairs.collect::<Vec<_>>().join("&")
}

fn sent(param: &ParamRecord, substitutes: &mut Vec<Substitute>) -> String {
    if !param.masked {
        return param.value.clone();
    }
    let value = substitute::value(&param.name, &param.value);
    substituted(&param.name, &param.value, value, substitutes)
}

/// The value that is sent, noted where it is not what was recorded.
fn substituted(name: &str, recorded: &str, sent: String, all: &mut Vec<Substitute>) -> String {
    let substitute =
        Substitute { name: name.to_owned(), recorded: recorded.to_owned(), sent: sent.clone() };
    if sent != recorded && !all.contains(&substitute) {
        all.push(substitute);
    }
    sent
}

/// What has become of an incident.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Now {
    /// The answer is left as it is; it may carry other warnings.
    Fixed,
    /// The answer has the same first cause.
    StillBroken,
    /// The answer has another first cause.
    Different,
}

impl Now {
    /// Its name for people.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Different => "different",
            Self::Fixed => "fixed",
            Self::StillBroken => "still broken",
        }
    }
}

/// What has become of an incident, by the judgement of the new answer.
///
/// An incident that was nothing but a warning is fixed when the warning is gone.
pub fn compare(row: &Row, judgement: &Judgement) -> Now {
    let warned = row.outcome == Verdict::Untouched.name();
    let warns = judgement.findings.iter().any(|finding| finding.cause.slug == row.cause);
    let first = judgement.first_cause().map(|cause| cause.slug);
    match judgement.verdict {
        Verdict::Untouched if !(warned && warns) => Now::Fixed,
        Verdict::Untouched => Now::StillBroken,
        _ if first == Some(row.cause.as_str()) => Now::StillBroken,
        _ => Now::Different,
    }
}

#[cfg(test)]
mod tests;
