//! What a stream came to, as a case file tells it.

use std::time::Duration;

use twiml_guard::guard::Outcome;
use twiml_guard::guard::call::StreamState;
use twiml_guard::guard::stream::{Side, StreamReport};
use twiml_guard::guard::watch::Watch;

use super::http as wire;

/// From the lines `stream-saw` (what passed) and `upgrade-lost`; without either, nobody watched.
pub fn state(
    saw: Option<&str>,
    upgrade_lost: Option<&str>,
    outcome: &Outcome,
    path: &str,
) -> Result<StreamState, String> {
    let mut report = match (saw, upgrade_lost) {
        (None, None) => return Ok(StreamState::None),
        (Some(saw), _) => watched(saw, path)?,
        (None, Some(_)) => StreamReport { path: path.to_owned(), ..StreamReport::default() },
    };
    report.upgrade_lost = upgrade_lost.map(str::to_owned);
    if report.status.is_none()
        && let Outcome::Answered(answer) = outcome
    {
        report.note_answer(answer);
    }
    Ok(StreamState::Over(Box::new(report)))
}

/// `N> TEXT` is a text message of Twilio's after N milliseconds, `N< TEXT` one of the backend's,
/// `N<! BYTES` bytes of the backend's as they are, `N<# BYTES` a binary message; parted by ` | `.
fn watched(saw: &str, path: &str) -> Result<StreamReport, String> {
    let mut watch = Watch::new(path, 0);
    for piece in saw.split(" | ") {
        let (mark, text) = piece.split_once(' ').unwrap_or((piece, ""));
        let digits = mark.trim_end_matches(['<', '>', '!', '#', 'x']);
        let now = Duration::from_millis(digits.parse().map_err(|_| format!("saw: `{piece}`"))?);
        let bytes = wire::unescape(text);
        match &mark[digits.len()..] {
            ">" => drop(watch.see(Side::Twilio, &frame(0x81, &bytes, true), now)),
            ">x" => watch.ended(Side::Twilio, now),
            "<" => drop(watch.see(Side::Backend, &frame(0x81, &bytes, false), now)),
            "<#" => drop(watch.see(Side::Backend, &frame(0x82, &bytes, false), now)),
            "<!" => drop(watch.see(Side::Backend, &bytes, now)),
            "<x" => watch.ended(Side::Backend, now),
            other => return Err(format!("stream-saw: `{other}`")),
        }
    }
    Ok(watch.report().clone())
}

/// One frame; a client's is masked.
pub fn frame(first: u8, payload: &[u8], is_masked: bool) -> Vec<u8> {
    let mut frame = vec![first];
    let mask = if is_masked { 0x80 } else { 0 };
    match payload.len() {
        short @ 0..=125 => frame.push(mask | u8::try_from(short).unwrap()),
        long @ 126..=65_535 => {
            frame.push(mask | 0x7e);
            frame.extend(u16::try_from(long).unwrap().to_be_bytes());
        }
        long => {
            frame.push(mask | 0x7f);
            frame.extend((long as u64).to_be_bytes());
        }
    }
    if is_masked {
        let key = [0x11, 0x22, 0x33, 0x44];
        frame.extend(key);
        frame.extend(payload.iter().zip(key.iter().cycle()).map(|(byte, key)| byte ^ key));
    } else {
        frame.extend(payload);
    }
    frame
}
