//! The one line that names the exchange to blame: pure, built from texts that are masked already.

use std::fmt::Write as _;

use super::{line, lined};
use crate::guard::call::Belief;
use crate::twilio::Slot;

/// Most bytes of the line.
pub(in crate::incidents) const MAX: usize = 1_024;
/// Between clauses.
const GLUE: &str = "; ";
/// Before what is to be fixed.
const FIX: &str = "; fix: ";
/// Most known routes that are named.
const ROUTES: usize = 3;

/// What the line is made of.
#[derive(Debug, Clone, Default)]
pub(in crate::incidents) struct Blame {
    /// Twilio's code, the most likely one, and whether that is only inferred.
    pub code: Option<(u32, bool)>,
    /// Whether Twilio got something else than the answer.
    pub averted: bool,
    /// What became of the answer, where no code is to be told.
    pub outcome: &'static str,
    /// Method and path; of a stream its path.
    pub request: String,
    /// What Twilio does with the answer.
    pub slot: Option<Slot>,
    /// As what a document handed the URL out: `action of <Connect> from POST /voice`.
    pub role: Option<String>,
    /// How slot and role are known.
    pub belief: Belief,
    /// A slot that documents say, where the parameters decided against it.
    pub against: Option<Slot>,
    /// Whose fault made Twilio ask here, and its code, where this is a request to a fallback URL.
    pub fell_back: Option<(String, String)>,
    /// What the backend gave: `said 204`, `gave no answer`.
    pub gave: String,
    /// What that is, and what was seen of it.
    pub seen: String,
    /// Whether Twilio needs TwiML here and got none.
    pub needs_twiml: bool,
    /// What is known of the signature, where it matters.
    pub signature: Option<String>,
    /// What became of the stream that the call was handed.
    pub stream: Option<String>,
    /// CallStatus, and whether the call is over.
    pub state: Option<(String, bool)>,
    /// What left instead.
    pub sent: String,
    /// Routes that are known to take TwiML.
    pub known: Vec<String>,
    /// What to fix in the backend.
    pub fix: String,
}

impl Blame {
    /// The line, visible and bounded; the fix is whole in any case.
    pub(in crate::incidents) fn sentence(&self) -> String {
        let mut said = String::with_capacity(MAX);
        self.lead(&mut said);
        self.subject(&mut said);
        let clauses: [&dyn Fn(&mut String); 6] = [
            &|said| self.backend(said),
            &|said| self.signature(said),
            &|said| self.stream(said),
            &|said| self.state(said),
            &|said| said.push_str(&self.sent),
            &|said| self.known(said),
        ];
        for clause in clauses {
            let before = said.len();
            said.push_str(GLUE);
            clause(&mut said);
            if said.len() == before + GLUE.len() {
                said.truncate(before);
            }
        }
        if self.fix.is_empty() {
            return line(said, MAX);
        }
        let fix = lined(&self.fix, MAX / 2);
        let mut said = line(said, MAX.saturating_sub(FIX.len() + fix.len()));
        push(&mut said, &[FIX, &fix]);
        said
    }

    fn lead(&self, said: &mut String) {
        match self.code {
            None => said.push_str(self.outcome),
            Some((code, is_inferred)) => {
                let probably = if is_inferred { "probably " } else { "" };
                let done = if self.averted { "averted" } else { "ahead" };
                // Writing to a String can't fail.
                let _ = write!(said, "{probably}{code} {done}");
            }
        }
        said.push_str(": ");
    }

    /// Which URL, and as what Twilio asked for it.
    fn subject(&self, said: &mut String) {
        said.push_str(&lined(&self.request, 240));
        let slot = self.slot.unwrap_or(Slot::Voice);
        let name = slot.name();
        match (&self.role, self.belief) {
            (Some(role), Belief::Learnt) => {
                push(said, &[" is, as other calls show, the ", &lined(role, 240)]);
            }
            (Some(role), _) => push(said, &[" is the ", &lined(role, 240)]),
            (None, Belief::Configured) => push(said, &[" (", name, ", as configured)"]),
            (None, Belief::Inferred) if slot == Slot::Stream => {
                said.push_str(" (stream, by its handshake)");
            }
            (None, Belief::Inferred) => push(said, &[" (", name, ", by its parameters)"]),
            (None, Belief::Assumed) => push(said, &[" (taken for ", name, ")"]),
            (None, Belief::Learnt | Belief::ThisCall) => push(said, &[" (", name, ")"]),
        }
        if let Some(other) = self.against {
            let how = if self.role.is_some() {
                ", though a route says "
            } else {
                ", though handed out as "
            };
            push(said, &[how, other.name()]);
        }
        if let Some((url, code)) = &self.fell_back {
            push(said, &[GLUE, &fell_back(url, code)]);
        }
    }

    fn backend(&self, said: &mut String) {
        let (gave, seen) = (lined(&self.gave, 120), lined(&self.seen, 360));
        match self.slot {
            Some(Slot::Stream) if self.gave.is_empty() => said.push_str(&seen),
            _ if self.seen.is_empty() => push(said, &["the backend ", &gave]),
            _ => push(said, &["the backend ", &gave, " (", &seen, ")"]),
        }
        if self.needs_twiml {
            said.push_str(", Twilio needs TwiML");
        }
    }

    /// What is known of the signature, unless that is what was seen.
    fn signature(&self, said: &mut String) {
        if let Some(words) = &self.signature
            && !self.seen.contains("the signature is valid")
        {
            said.push_str(words);
        }
    }

    /// What became of the stream, unless that is what was seen.
    fn stream(&self, said: &mut String) {
        if let Some(words) = &self.stream
            && !self.seen.contains(words.as_str())
        {
            let whose = if self.slot == Some(Slot::Stream) { "it " } else { "its stream " };
            push(said, &[whose, words]);
        }
    }

    fn state(&self, said: &mut String) {
        let Some((status, is_over)) = &self.state else { return };
        let status = lined(status, 40);
        match (is_over, &*status) {
            (true, _) => push(said, &["the call was over (", &status, ")"]),
            (false, "in-progress") => said.push_str("the caller is still on the line"),
            (false, _) => push(said, &["the call is ", &status]),
        }
    }

    fn known(&self, said: &mut String) {
        for (at, route) in self.known.iter().take(ROUTES).enumerate() {
            let glue = if at == 0 { "known TwiML routes here: " } else { ", " };
            push(said, &[glue, &lined(route, 100)]);
        }
    }
}

fn push(said: &mut String, parts: &[&str]) {
    for part in parts {
        said.push_str(part);
    }
}

/// Why Twilio asked for a fallback URL.
pub(in crate::incidents) fn fell_back(url: &str, code: &str) -> String {
    let url = if url.is_empty() { "another URL" } else { url };
    let gave =
        if code.is_empty() { "failed".to_owned() } else { format!("gave {}", line(code, 16)) };
    format!("Twilio fell back because {} {gave}; this URL is not the culprit", line(url, 240))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The `action` of `<Connect>` that answered 204 while the caller was there.
    fn action() -> Blame {
        Blame {
            code: Some((12_100, false)),
            averted: true,
            outcome: "replaced",
            request: "POST /webhook/stream_ended".to_owned(),
            slot: Some(Slot::Action),
            role: Some("action of <Connect> from POST /webhook/incoming_call".to_owned()),
            belief: Belief::ThisCall,
            gave: "said 204".to_owned(),
            needs_twiml: true,
            stream: Some("lasted 0.3 s, 13 frames in, 0 audio out".to_owned()),
            state: Some(("in-progress".to_owned(), false)),
            sent: "answered fallback \"action\"".to_owned(),
            fix: "return `<Response/>` instead of 204".to_owned(),
            ..Blame::default()
        }
    }

    #[test]
    fn the_right_url_is_blamed_in_one_line() {
        assert_eq!(
            action().sentence(),
            "12100 averted: POST /webhook/stream_ended is the action of <Connect> from POST /webhook/incoming_call; \
             the backend said 204, Twilio needs TwiML; its stream lasted 0.3 s, 13 frames in, 0 audio out; \
             the caller is still on the line; answered fallback \"action\"; fix: return `<Response/>` instead of 204"
        );
    }

    #[test]
    fn how_a_role_is_known_is_said() {
        let learnt = Blame { belief: Belief::Learnt, ..action() }.sentence();
        assert!(learnt.contains("/webhook/stream_ended is, as other calls show, the action of"));
        let bare = |belief| Blame { role: None, belief, ..action() }.sentence();
        for (belief, part) in [
            (Belief::Configured, "/webhook/stream_ended (action, as configured); "),
            (Belief::Inferred, "/webhook/stream_ended (action, by its parameters); "),
            (Belief::Assumed, "/webhook/stream_ended (taken for action); "),
            (Belief::ThisCall, "/webhook/stream_ended (action); "),
        ] {
            assert!(bare(belief).contains(part), "{}", bare(belief));
        }
        let against = Blame { against: Some(Slot::Callback), ..action() };
        let route = against.sentence();
        assert!(route.contains(", though a route says callback; "), "{route}");
        let document = Blame { role: None, ..against }.sentence();
        assert!(document.contains(", though handed out as callback; "), "{document}");
    }

    #[test]
    fn only_what_was_changed_was_averted() {
        let ahead = Blame { averted: false, ..action() }.sentence();
        assert!(ahead.starts_with("12100 ahead: "), "{ahead}");
        let inferred = Blame { code: Some((12_100, true)), ..action() }.sentence();
        assert!(inferred.starts_with("probably 12100 averted: "), "{inferred}");
        let none = Blame { code: None, outcome: "noticed", ..action() }.sentence();
        assert!(none.starts_with("noticed: POST "), "{none}");
    }

    #[test]
    fn the_state_of_the_call_is_said_as_people_say_it() {
        for (status, is_over, said) in [
            ("completed", true, "the call was over (completed)"),
            ("in-progress", false, "the caller is still on the line"),
            ("ringing", false, "the call is ringing"),
        ] {
            let state = Some((status.to_owned(), is_over));
            let sentence = Blame { state, ..action() }.sentence();
            assert!(sentence.contains(&format!("; {said}; ")), "{sentence}");
        }
    }

    #[test]
    fn a_fallback_request_is_not_the_culprit() {
        let fell_back = Some(("https://pbx.example.com/end".to_owned(), "12100".to_owned()));
        let sentence = Blame { fell_back, ..action() }.sentence();
        let said = "Twilio fell back because https://pbx.example.com/end gave 12100; this URL is not the culprit; ";
        assert!(sentence.contains(said), "{sentence}");
        assert_eq!(
            super::fell_back("", ""),
            "Twilio fell back because another URL failed; this URL is not the culprit"
        );
    }

    #[test]
    fn a_page_names_the_routes_that_are_known() {
        let known: Vec<_> = (0..9).map(|n| format!("POST /voice{n} (voice)")).collect();
        let page = Blame {
            gave: "said 200 text/html".to_owned(),
            seen: "a web page instead of TwiML: Not Found".to_owned(),
            needs_twiml: false,
            known,
            ..action()
        };
        let sentence = page.sentence();
        assert!(
            sentence.contains(
                "; the backend said 200 text/html (a web page instead of TwiML: Not Found); "
            ),
            "{sentence}"
        );
        let routes = "known TwiML routes here: POST /voice0 (voice), POST /voice1 (voice), POST /voice2 (voice); fix: ";
        assert!(sentence.contains(routes), "{sentence}");
    }

    #[test]
    fn a_stream_is_told_by_what_was_seen() {
        let stream = Blame {
            code: Some((31_920, false)),
            averted: false,
            request: "stream /ws/media".to_owned(),
            slot: Some(Slot::Stream),
            role: Some("url of <Stream> from POST /voice".to_owned()),
            gave: String::new(),
            seen: "the handshake was answered with 400 instead of 101".to_owned(),
            needs_twiml: false,
            stream: None,
            state: None,
            sent: String::new(),
            ..action()
        };
        assert_eq!(
            stream.sentence(),
            "31920 ahead: stream /ws/media is the url of <Stream> from POST /voice; the handshake was answered with 400 instead of 101; fix: return `<Response/>` instead of 204"
        );
    }

    #[test]
    fn it_is_one_visible_line_and_bounded_with_its_fix() {
        for unit in ["x", "\u{feff}", "ש", "\n\r\u{202e}", "\"\\"] {
            let long = unit.repeat(3_000);
            let sentence = Blame {
                request: long.clone(),
                role: Some(long.clone()),
                gave: long.clone(),
                seen: long.clone(),
                stream: Some(long.clone()),
                signature: Some(long.clone()),
                fell_back: Some((long.clone(), long.clone())),
                known: vec![long; 9],
                ..action()
            }
            .sentence();
            assert!(sentence.len() <= MAX, "{unit:?}: {}", sentence.len());
            assert!(sentence.ends_with("; fix: return `<Response/>` instead of 204"), "{sentence}");
            assert!(!sentence.contains(|c: char| c.is_control() || "\u{202e}\u{feff}".contains(c)));
        }
    }
}
