//! Points of time as people write them.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

/// What is taken, for messages.
pub const EXPECTED: &str = "a time such as 90s, 30m, 2h, 3d (ago) or 2026-11-25T03:00Z";

/// A time as typed, in milliseconds since the Unix epoch: so long before `now_ms`, or a point of
/// time, UTC where no offset says otherwise.
pub fn moment(word: &str, now_ms: u64) -> Option<u64> {
    ago(word, now_ms).or_else(|| point(word))
}

fn ago(word: &str, now_ms: u64) -> Option<u64> {
    let unit = word.chars().last()?;
    let number: u64 = word.strip_suffix(unit)?.parse().ok()?;
    let seconds = match unit {
        's' => 1,
        'm' => 60,
        'h' => 3_600,
        'd' => 86_400,
        'w' => 604_800,
        _ => return None,
    };
    Some(now_ms.saturating_sub(number.checked_mul(seconds * 1_000)?))
}

fn point(word: &str) -> Option<u64> {
    let civil = || {
        let civil: DateTime = word.strip_suffix('Z').unwrap_or(word).parse().ok()?;
        Some(civil.to_zoned(TimeZone::UTC).ok()?.timestamp())
    };
    let point = word.parse::<Timestamp>().ok().or_else(civil)?;
    u64::try_from(point.as_millisecond()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: u64 = 1_795_595_393_614;

    #[test]
    fn times_are_read_as_people_write_them() {
        assert_eq!(moment("90s", NOW), Some(NOW - 90_000));
        assert_eq!(moment("30m", NOW), Some(NOW - 1_800_000));
        assert_eq!(moment("2h", NOW), Some(NOW - 7_200_000));
        assert_eq!(moment("3d", NOW), Some(NOW - 259_200_000));
        assert_eq!(moment("1w", NOW), Some(NOW - 604_800_000));
        assert_eq!(moment("99999999d", NOW), Some(0));
        let three = 1_795_575_600_000;
        for word in [
            "2026-11-25T03:00:00Z",
            "2026-11-25T05:00:00+02:00",
            "2026-11-25T03:00",
            "2026-11-25 03:00",
            "2026-11-25T03:00Z",
        ] {
            assert_eq!(moment(word, NOW), Some(three), "{word}");
        }
        assert_eq!(moment("2026-11-25", NOW), Some(three - 3 * 3_600_000));
    }

    #[test]
    fn what_is_no_time_is_none() {
        for word in ["", "h", "2", "2y", "yesterday", "-2h", "18446744073709551615w", "שעה", "2🙂"]
        {
            assert_eq!(moment(word, NOW), None, "{word}");
        }
    }
}
