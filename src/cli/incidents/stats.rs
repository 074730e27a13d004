//! `incidents stats`: what became of all answers, and which causes were seen when.

use std::fmt::Write as _;

use anstyle::Style;

use super::args::StatsArgs;
use super::source::Source;
use super::{Failure, filter, say, say_json};
use crate::cli::text::{
    COLUMNS, columns, counted, cut, fitted, millis, minute, span, thousands, wrapped,
};
use crate::clock;
use crate::incidents::stats::{CauseStats, RouteStats, Stats};

/// Columns of a number.
const NUMBER: usize = 10;
/// Columns of a duration.
const TOOK: usize = 8;
/// Most columns of a cause.
const CAUSE: usize = 28;
/// Least columns of what happened when.
const SPARK: usize = 20;

/// Shows what is asked for.
pub(super) fn run(args: &StatsArgs) -> Result<(), Failure> {
    let source = Source::find(&args.store)?;
    let now_ms = clock::now_ms();
    let since_ms = filter::time(&args.since, now_ms)?;
    let reader = source.open()?;
    let stats = Stats::read(&reader, since_ms, now_ms, args.route.as_deref())?;
    if args.json {
        say_json(&stats)?;
    } else {
        say(&text(&stats, since_ms, now_ms))?;
    }
    Ok(())
}

fn text(stats: &Stats, since_ms: u64, now_ms: u64) -> String {
    let since = minute(since_ms, now_ms);
    if stats.routes.is_empty() && stats.causes.is_empty() {
        return format!("No answer is on record since {since}.\n");
    }
    let mut text = format!(
        "Since {since} ({}), now {}. Times are UTC.\n",
        span(now_ms.saturating_sub(since_ms)),
        minute(now_ms, now_ms)
    );
    text += &route_table(stats);
    if stats.total.would_have > 0 {
        let saved = counted(stats.total.would_have, "answer", "answers");
        text += &wrapped("\n", &format!("In observe mode, enforcing would have saved {saved}."));
    }
    text += &cause_table(stats);
    text
}

fn route_table(stats: &Stats) -> String {
    // What is counted of answers is kept apart from incidents; one may be there without the other.
    if stats.routes.is_empty() {
        return String::new();
    }
    let with_observed = stats.total.would_have > 0;
    let with_failed = stats.total.failed > 0;
    let mut names = vec!["answers", "untouched", "repaired", "replaced"];
    names.extend(with_failed.then_some("failed"));
    names.extend(with_observed.then_some("would have"));
    let route = COLUMNS - names.len() * (NUMBER + 1) - 2 * (TOOK + 1);
    let bold = Style::new().bold();
    let mut head = fitted("route", route);
    for name in names {
        let _ = write!(head, " {name:>NUMBER$}");
    }
    let mut text = format!("\n{bold}{head} {:>TOOK$} {:>TOOK$}{bold:#}\n", "p50", "p99");
    let mut line = |own: &RouteStats, name: &str| {
        let mut line = fitted(name, route);
        let mut numbers = vec![own.answers, own.untouched, own.repaired, own.replaced];
        numbers.extend(with_failed.then_some(own.failed));
        numbers.extend(with_observed.then_some(own.would_have));
        for number in numbers {
            let _ = write!(line, " {:>NUMBER$}", short(number));
        }
        for took in [own.p50_ms, own.p99_ms] {
            let took = took.map(millis).unwrap_or_default();
            let _ = write!(line, " {took:>TOOK$}");
        }
        text += line.trim_end();
        text.push('\n');
    };
    for own in &stats.routes {
        line(own, &own.route);
    }
    if stats.routes.len() > 1 {
        line(&stats.total, "all routes");
    }
    text += "p50, p99: the backend's time for half and for 99 % of its answers, at most 19 % too high.\n";
    text
}

fn cause_table(stats: &Stats) -> String {
    if stats.causes.is_empty() {
        return String::new();
    }
    let stretches = stats.causes.iter().map(|own| own.counts.len()).max().unwrap_or_default();
    let cause = stats.causes.iter().map(|own| columns(&own.cause)).max().unwrap_or_default();
    let cause = cause.clamp(5, CAUSE);
    let route = COLUMNS.saturating_sub(stretches.max(SPARK) + cause + NUMBER + 3).min(40);
    let bold = Style::new().bold();
    let mut text = format!(
        "\n{bold}{} {} {:>NUMBER$} {}{bold:#}\n",
        fitted("route", route),
        fitted("cause", cause),
        "incidents",
        cut(&format!("per {}, until now", span(stats.step_s * 1_000)), stretches.max(SPARK)),
    );
    for own in &stats.causes {
        let _ = writeln!(
            text,
            "{} {} {:>NUMBER$} {}",
            fitted(&own.route, route),
            fitted(&own.cause, cause),
            short(own.count),
            sparkline(own),
        );
    }
    text
}

/// A number in its column, rounded where it is too long for it.
fn short(number: u64) -> String {
    match number {
        0..10_000_000 => thousands(number),
        10_000_000..10_000_000_000 => format!("{} M", thousands(number / 1_000_000)),
        _ => cut(&format!("{} G", number / 1_000_000_000), NUMBER).into_owned(),
    }
}

/// A bar for each stretch, as high as its share of the highest; a dot for none.
fn sparkline(own: &CauseStats) -> String {
    const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    let highest = own.counts.iter().copied().max().unwrap_or_default().max(1);
    let bar = |count: &u64| {
        // The highest one fills the last bar.
        let height = count.saturating_mul(8).div_ceil(highest);
        let at = usize::try_from(height).ok().and_then(|height| height.checked_sub(1));
        at.and_then(|at| BARS.get(at)).copied().unwrap_or('·')
    };
    own.counts.iter().map(bar).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_show_what_happened_when() {
        let own = |counts: &[u64]| CauseStats {
            route: String::new(),
            cause: String::new(),
            count: 0,
            counts: counts.to_vec(),
        };
        assert_eq!(sparkline(&own(&[0, 1, 4, 8])), "·▁▄█");
        assert_eq!(sparkline(&own(&[1, 1_000_000])), "▁█");
        assert_eq!(sparkline(&own(&[0])), "·");
    }

    #[test]
    fn tables_fit_whatever_they_hold() {
        let route = "שלום\u{1b}[31m🙂/".repeat(50);
        let own = RouteStats {
            route: route.clone(),
            answers: u64::MAX,
            untouched: 12_345_678,
            failed: 999_999,
            would_have: 1,
            p50_ms: Some(59_999),
            p99_ms: Some(u64::MAX / 1_000),
            ..RouteStats::default()
        };
        let cause =
            CauseStats { route, cause: "x".repeat(90), count: u64::MAX, counts: vec![7; 31] };
        let stats = Stats {
            since: String::new(),
            until: String::new(),
            routes: vec![own.clone(), own.clone()],
            total: own,
            step_s: 3_600,
            causes: vec![cause],
        };
        let text = anstream::adapter::strip_str(&text(&stats, 0, 1)).to_string();
        for line in text.lines().filter(|line| !line.contains(" d")) {
            assert!(columns(line) <= COLUMNS, "{} {line}", columns(line));
        }
        assert!(!text.contains('\u{1b}'));
    }
}
