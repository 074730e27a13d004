//! JSON with placeholders.

use serde_json::Value;

/// What a placeholder can name, each with a value to judge a template by.
const FIELDS: [(&str, &str); 17] = [
    ("callers", "1"),
    ("cause", "html-page"),
    ("change", "opened"),
    ("code", "12100"),
    ("codes", "12100, 12200"),
    ("command", "twiml-guard incidents show 0"),
    ("count", "1"),
    ("explain", "text"),
    ("held", "0"),
    ("host", "name"),
    ("id", "0-0"),
    ("last", "2026-11-25T08:29:53.614Z"),
    ("remedy", "text"),
    ("route", "/voice"),
    ("since", "2026-11-25T08:29:53.614Z"),
    ("summary", "text"),
    ("text", "text"),
];

/// JSON with placeholders (`{{cause}}`), which is JSON whatever they become.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template {
    /// Text, and the field after it.
    parts: Vec<(String, &'static str)>,
    end: String,
}

impl Template {
    /// Reads a template; `Err` says what is wrong with it.
    pub fn read(text: &str) -> Result<Self, String> {
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once("{{") {
            let Some((name, after)) = after.split_once("}}") else { break };
            let known = FIELDS.iter().find(|(field, _)| *field == name.trim());
            let (field, _) = known.ok_or_else(|| unknown(name))?;
            parts.push((before.to_owned(), *field));
            rest = after;
        }
        let template = Self { parts, end: rest.to_owned() };
        let sample = template.fill(|field| {
            FIELDS
                .iter()
                .find(|(name, _)| *name == field)
                .map_or(String::new(), |(_, v)| (*v).to_owned())
        });
        serde_json::from_str::<Value>(&sample).map(|_| template).map_err(|error| {
            format!("expected JSON once the placeholders are filled in, found a fault: {error}; texts stand in quotes: \"{{{{cause}}}}\"")
        })
    }

    /// The JSON with each placeholder as `value` gives it, escaped to stand in quotes.
    pub fn fill(&self, value: impl Fn(&str) -> String) -> String {
        let mut filled = String::new();
        for (text, field) in &self.parts {
            filled.push_str(text);
            let quoted = Value::String(value(field)).to_string();
            filled.push_str(quoted.get(1..quoted.len() - 1).unwrap_or_default());
        }
        filled + &self.end
    }
}

fn unknown(name: &str) -> String {
    let names: Vec<_> = FIELDS.iter().map(|(name, _)| *name).collect();
    let shown: String = name.chars().take(40).collect();
    format!("expected a known placeholder, found `{{{{{shown}}}}}`; there are {}", names.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn placeholders_are_filled_and_escaped() {
        let template =
            Template::read(r#"{"t": "{{ route }}: {{cause}}", "n": {{count}}, "o": {"p": {}}}"#)
                .unwrap();
        let filled = template.fill(|field| match field {
            "count" => "7".to_owned(),
            "route" => "a\"b\\\n{{cause}}".to_owned(),
            _ => "html-page".to_owned(),
        });
        let json: Value = serde_json::from_str(&filled).unwrap();
        assert_eq!(json["t"], "a\"b\\\n{{cause}}: html-page");
        assert_eq!(json["n"], 7);
    }

    #[test]
    fn what_would_be_no_json_is_refused() {
        for (text, why) in [
            (r#"{"t": "{{causes}}"}"#, "there are callers, cause"),
            (r#"{"t": {{cause}}}"#, "in quotes"),
            (r#"{"t": "{{cause}}""#, "JSON"),
            ("", "JSON"),
        ] {
            let error = Template::read(text).unwrap_err();
            assert!(error.contains(why), "{text}: {error}");
        }
    }
}
