//! From flags to a filter.

use super::Failure;
use super::args::FilterArgs;
use super::source::Source;
use crate::guard::causes;
use crate::guard::explain::catalogue;
use crate::incidents::moment::{EXPECTED, moment};
use crate::incidents::store::{Filter, Page, Reader};

impl FilterArgs {
    /// What is asked for; numbers are hashed with the key of the store.
    pub(super) fn filter(&self, source: &Source, now_ms: u64) -> Result<Filter, Failure> {
        let time = |word: &Option<String>| word.as_deref().map(|word| time(word, now_ms));
        Ok(Filter {
            since_ms: time(&self.since).transpose()?,
            until_ms: time(&self.until).transpose()?,
            route: self.route.clone(),
            cause: self.cause.clone(),
            sid: self.call.as_deref().map(sid).transpose()?,
            number: self.number.as_deref().map(|word| number(word, source)).transpose()?,
            code: self.code,
            ..Filter::default()
        })
    }

    /// Whether one call or one caller is asked for.
    pub(super) fn is_about_one(&self) -> bool {
        self.call.is_some() || self.number.is_some()
    }

    /// What may be meant by a filter that takes nothing.
    pub(super) fn hint(&self, reader: &Reader) -> Result<Option<String>, Failure> {
        if let Some(slug) = self.cause.as_deref().filter(|slug| causes::by_slug(slug).is_none()) {
            return Ok(Some(match catalogue::near(slug) {
                Some(near) => format!("no cause is called `{slug}`; did you mean `{near}`?"),
                None => format!(
                    "no cause is called `{slug}`; `twiml-guard explain --list` names all causes"
                ),
            }));
        }
        let Some(route) = &self.route else { return Ok(None) };
        let mut known: Vec<String> = reader
            .outbreaks(&Filter::default(), true, Page { limit: 10_000, before: None })?
            .into_iter()
            .map(|outbreak| outbreak.route)
            .collect();
        known.sort();
        known.dedup();
        if known.is_empty() || known.contains(route) {
            return Ok(None);
        }
        let shown = known.iter().take(10).map(|name| format!("`{name}`")).collect::<Vec<_>>();
        Ok(Some(format!("nothing is recorded on a route `{route}`; routes: {}", shown.join(", "))))
    }
}

/// The hash of a number as typed.
pub(super) fn number(word: &str, source: &Source) -> Result<u64, Failure> {
    if word.trim().is_empty() || word.contains(['…', '*']) {
        return Err(Failure::Usage(format!(
            "expected a full number, SIP address or client such as +15550104477, found `{word}`"
        )));
    }
    source.hash(word)
}

fn sid(word: &str) -> Result<String, Failure> {
    if word.trim().is_empty() || word.contains('…') {
        return Err(Failure::Usage(format!(
            "expected a whole SID, two letters and 32 digits, found `{word}`; the log shortens SIDs, its incident id can be given to `twiml-guard incidents show`"
        )));
    }
    Ok(word.trim().to_owned())
}

/// A time as typed.
pub(super) fn time(word: &str, now_ms: u64) -> Result<u64, Failure> {
    moment(word, now_ms)
        .ok_or_else(|| Failure::Usage(format!("expected {EXPECTED}, found `{word}`")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_time_is_told() {
        let error = time("yesterday", 0).unwrap_err().to_string();
        assert!(error.contains("expected a time such as 90s") && error.contains("`yesterday`"));
    }

    #[test]
    fn a_shortened_sid_is_told() {
        assert!(sid("CA…cdef").unwrap_err().to_string().contains("incidents show"));
        assert_eq!(sid(" CA1 ").unwrap(), "CA1");
    }
}
