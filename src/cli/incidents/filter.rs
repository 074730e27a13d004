//! From flags to a filter.

use super::Failure;
use super::args::FilterArgs;
use super::source::Source;
use crate::guard::causes;
use crate::guard::explain::catalogue;
use crate::incidents::moment::{EXPECTED, moment};
use crate::incidents::store::{Filter, Reader};

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
            .outbreaks(&Filter::default(), true, 10_000)?
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

    const NOW: u64 = 1_795_595_393_614;

    #[test]
    fn times_are_read_as_people_write_them() {
        let read = |word| time(word, NOW).unwrap();
        assert_eq!(read("90s"), NOW - 90_000);
        assert_eq!(read("30m"), NOW - 1_800_000);
        assert_eq!(read("2h"), NOW - 7_200_000);
        assert_eq!(read("3d"), NOW - 259_200_000);
        assert_eq!(read("1w"), NOW - 604_800_000);
        let three = 1_795_575_600_000;
        for word in [
            "2026-11-25T03:00:00Z",
            "2026-11-25T05:00:00+02:00",
            "2026-11-25T03:00",
            "2026-11-25 03:00",
            "2026-11-25T03:00Z",
        ] {
            assert_eq!(read(word), three, "{word}");
        }
        assert_eq!(read("2026-11-25"), three - 3 * 3_600_000);
        assert_eq!(read("99999999d"), 0);
    }

    #[test]
    fn what_is_no_time_is_told() {
        for word in ["", "h", "2", "2y", "yesterday", "-2h", "18446744073709551615w", "שעה", "2🙂"]
        {
            let error = time(word, NOW).unwrap_err();
            assert!(error.to_string().contains("expected a time"), "{word}: {error}");
        }
    }

    #[test]
    fn a_shortened_sid_is_told() {
        assert!(sid("CA…cdef").unwrap_err().to_string().contains("incidents show"));
        assert_eq!(sid(" CA1 ").unwrap(), "CA1");
    }
}
