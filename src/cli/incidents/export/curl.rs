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
    let mut text = String::from("\n");
    for line in told::lines(record, request) {
        text += &format!("# {}\n", comment(&line));
    }
    text += "curl --include --silent --show-error --max-time 15 --globoff --path-as-is \\\n";
    text += &format!("  --request {} \\\n", shell(request.method.as_str()));
    for (name, value) in &request.headers {
        let value = String::from_utf8_lossy(value.as_bytes());
        // `Name:` alone would take the header away.
        let header = if value.is_empty() { format!("{name};") } else { format!("{name}: {value}") };
        text += &format!("  --header {} \\\n", shell(&header));
    }
    if !request.body.is_empty() {
        let body = String::from_utf8_lossy(&request.body);
        text += &format!("  --data-raw {} \\\n", shell(&body));
    }
    let target = shell(request.target.as_str());
    text += &format!("  \"${{APP_URL:-http://127.0.0.1:5000}}\"{target}\n");
    text
}
