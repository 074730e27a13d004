//! What a webhook is told. No number, header or body is ever in it, and of the parameters only
//! CallStatus and the fault that made Twilio fall back.

use serde::Serialize;

use super::Notice;
use crate::config::notify::NotifyFormat;
use crate::incidents::outbreak::Change;
use crate::incidents::view::{OutbreakView, rfc3339, texts};

/// A message about one change of an outbreak.
#[derive(Debug, Clone, Copy)]
pub(super) struct Message<'m> {
    /// The change.
    pub(super) notice: &'m Notice,
    /// How many others were held back before it.
    pub(super) held: u64,
    /// This machine's name.
    pub(super) host: &'m str,
}

/// `format = "json"`
#[derive(Serialize)]
struct Json<'m> {
    change: &'static str,
    text: String,
    command: String,
    host: &'m str,
    held: u64,
    outbreak: OutbreakView,
}

impl Message<'_> {
    /// What is posted: JSON.
    pub(super) fn body(&self, format: &NotifyFormat) -> String {
        match format {
            NotifyFormat::Slack => serde_json::json!({ "text": slack(&self.text()) }).to_string(),
            NotifyFormat::Template(template) => template.fill(|field| self.field(field)),
            NotifyFormat::Json => {
                let json = Json {
                    change: self.notice.change.name(),
                    text: self.text(),
                    command: self.command(),
                    host: self.host,
                    held: self.held,
                    outbreak: self.notice.outbreak.clone().into(),
                };
                // Names and numbers always have a JSON form.
                serde_json::to_string(&json).unwrap_or_default()
            }
        }
    }

    /// The whole message for people.
    fn text(&self) -> String {
        let outbreak = &self.notice.outbreak;
        let (explain, remedy) = texts(&outbreak.cause);
        let what = match self.notice.change {
            Change::Opened => "Outbreak".to_owned(),
            Change::Reopened => "Outbreak again".to_owned(),
            Change::Grew => format!("Outbreak grew to {}", incidents(outbreak.count)),
            Change::Closed => "Outbreak over: no incident for a while".to_owned(),
        };
        let mut lines = vec![format!("{what}: {} on {}", outbreak.cause, outbreak.route)];
        lines.extend((!explain.is_empty()).then(|| explain.to_owned()));
        let mut facts = vec![incidents(outbreak.count)];
        match outbreak.callers {
            0 => {}
            1 => facts.push("1 caller".to_owned()),
            callers => facts.push(format!("{callers} callers")),
        }
        facts.push(format!("since {}", rfc3339(outbreak.since_ms)));
        if outbreak.count > 1 {
            facts.push(format!("last {}", rfc3339(outbreak.last_ms)));
        }
        if !outbreak.codes.is_empty() {
            facts.push(format!("Twilio {}", self.codes()));
        }
        if outbreak.observed > 0 {
            facts.push(format!("{} only observed", outbreak.observed));
        }
        lines.push(facts.join(", "));
        match &outbreak.summary {
            // It ends in what to fix.
            Some(summary) => lines.push(summary.clone()),
            None => lines.extend((!remedy.is_empty()).then(|| format!("Fix: {remedy}"))),
        }
        let at = if self.host.is_empty() { String::new() } else { format!(" (on {})", self.host) };
        lines.push(format!("Look: {}{at}", self.command()));
        if self.held > 0 {
            let s = if self.held == 1 { "" } else { "s" };
            lines.push(format!(
                "{} other message{s} held back or lost since the last one: twiml-guard incidents",
                self.held
            ));
        }
        lines.join("\n")
    }

    fn command(&self) -> String {
        format!("twiml-guard incidents show {}", self.notice.outbreak.id)
    }

    fn codes(&self) -> String {
        let codes = self.notice.outbreak.codes.iter().map(u32::to_string);
        codes.collect::<Vec<_>>().join(", ")
    }

    /// What a placeholder of a template stands for.
    fn field(&self, name: &str) -> String {
        let outbreak = &self.notice.outbreak;
        let (explain, remedy) = texts(&outbreak.cause);
        match name {
            "callers" => outbreak.callers.to_string(),
            "cause" => outbreak.cause.clone(),
            "change" => self.notice.change.name().to_owned(),
            "code" => outbreak.codes.first().map(u32::to_string).unwrap_or_default(),
            "codes" => self.codes(),
            "command" => self.command(),
            "count" => outbreak.count.to_string(),
            "explain" => explain.to_owned(),
            "held" => self.held.to_string(),
            "host" => self.host.to_owned(),
            "id" => outbreak.id.to_string(),
            "last" => rfc3339(outbreak.last_ms),
            "remedy" => remedy.to_owned(),
            "route" => outbreak.route.clone(),
            "since" => rfc3339(outbreak.since_ms),
            "summary" => outbreak.summary.clone().unwrap_or_default(),
            "text" => self.text(),
            _ => String::new(),
        }
    }
}

fn incidents(count: u64) -> String {
    if count == 1 { "1 incident".to_owned() } else { format!("{count} incidents") }
}

/// Slack reads three characters as markup.
fn slack(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
pub(super) mod tests {
    use serde_json::Value;
    use uuid::Uuid;

    use super::*;
    use crate::config::Template;
    use crate::incidents::outbreak::Outbreak;

    pub(in crate::incidents::notify) fn notice(change: Change, id: u128) -> Notice {
        let outbreak = Outbreak {
            id: Uuid::from_u128(id),
            route: "/a<b>&\"c".to_owned(),
            cause: "html-page".to_owned(),
            codes: vec![12_100, 12_200],
            since_ms: 1_795_595_393_614,
            last_ms: 1_795_595_394_000,
            closed_ms: None,
            reopened: 0,
            count: 100,
            callers: 7,
            observed: 0,
            summary: Some("12100 averted: POST /a".to_owned()),
        };
        Notice { change, outbreak }
    }

    fn body(format: &NotifyFormat, held: u64) -> Value {
        let notice = notice(Change::Grew, 1);
        let message = Message { notice: &notice, held, host: "pbx-1" };
        serde_json::from_str(&message.body(format)).unwrap()
    }

    #[test]
    fn slack_gets_an_escaped_text_that_says_it_all() {
        let json = body(&NotifyFormat::Slack, 3);
        let text = json["text"].as_str().unwrap();
        for part in [
            "grew to 100 incidents: html-page on /a&lt;b&gt;&amp;\"c\n",
            texts("html-page").0,
            "\n12100 averted: POST /a\n",
            "7 callers, since 2026-11-25T08:29:53.614Z, last 2026-11-25T08:29:54.000Z, Twilio 12100, 12200",
            "twiml-guard incidents show 00000000-0000-0000-0000-000000000001 (on pbx-1)",
            "3 other messages held back",
        ] {
            assert!(text.contains(part), "{part}: {text}");
        }
        assert!(!text.contains('<'), "{text}");
        assert!(!body(&NotifyFormat::Slack, 0).to_string().contains("held back"));
        let mut older = notice(Change::Opened, 1);
        older.outbreak.summary = None;
        let text = Message { notice: &older, held: 0, host: "" }.text();
        assert!(text.contains(&format!("\nFix: {}\n", texts("html-page").1)), "{text}");
    }

    #[test]
    fn json_has_the_outbreak_as_the_commands_show_it() {
        let json = body(&NotifyFormat::Json, 0);
        assert_eq!((&json["change"], &json["held"]), (&"grew".into(), &0.into()));
        assert_eq!(json["outbreak"]["route"], "/a<b>&\"c");
        assert_eq!(json["outbreak"]["count"], 100);
        assert_eq!(json["outbreak"]["open"], true);
    }

    #[test]
    fn every_placeholder_is_filled() {
        let text = r#"{"a": [{{count}}, {{callers}}, {{held}}], "b": "{{change}} {{cause}} {{route}} {{code}} {{host}} {{since}} {{last}} {{id}}",
            "c": "{{explain}}", "d": "{{remedy}}", "e": "{{codes}}", "f": "{{command}}", "g": "{{text}}", "h": "{{summary}}"}"#;
        let json = body(&NotifyFormat::Template(Template::read(text).unwrap()), 2);
        assert_eq!(json["a"], serde_json::json!([100, 7, 2]));
        assert_eq!(
            json["b"],
            "grew html-page /a<b>&\"c 12100 pbx-1 2026-11-25T08:29:53.614Z 2026-11-25T08:29:54.000Z 00000000-0000-0000-0000-000000000001"
        );
        for field in ["c", "d", "e", "f", "g", "h"] {
            assert!(!json[field].as_str().unwrap().is_empty(), "{field}");
        }
    }
}
