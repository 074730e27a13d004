//! Recorded requests as commands of `curl`.

use super::quote::{comment, shell};
use super::told;
use crate::incidents::record::Record;
use crate::incidents::replay::Request;

/// The beginning of a file.
pub(super) const HEAD: &str = "#!/bin/sh
# Requests whose answers Twilio would not have taken, recorded by twiml-guard.
# APP_URL names the backend: APP_URL=http://127.0.0.1:5000 sh FILE
# They go unsigned; `twiml-guard incidents replay` signs them, and judges the answers.
";

/// One request.
pub(super) fn text(record: &Record, request: &Request) -> String {
    let mut words = vec![
        "curl --include --silent --show-error --max-time 15 --globoff --path-as-is".to_owned(),
        format!("--request {}", shell(request.method.as_str())),
    ];
    for (name, value) in &request.headers {
        let value = String::from_utf8_lossy(value.as_bytes());
        // `Name:` alone would take the header away.
        let header = if value.is_empty() { format!("{name};") } else { format!("{name}: {value}") };
        words.push(format!("--header {}", shell(&header)));
    }
    if !request.body.is_empty() {
        words.push(format!("--data-raw {}", shell(&String::from_utf8_lossy(&request.body))));
    }
    let target = shell(request.target.as_str());
    words.push(format!("\"${{APP_URL:-http://127.0.0.1:5000}}\"{target}"));
    let told =
        told::lines(record, request).into_iter().map(|line| format!("# {}\n", comment(&line)));
    format!("\n{}{}\n", told.collect::<String>(), words.join(" \\\n  "))
}
