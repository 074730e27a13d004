//! PHP's notices and warnings, as it prints them before what the program says.

/// More of them than this are not passed over.
const MAX_NOTICES: usize = 40;

/// What one begins with, behind its blanks and tags.
const KINDS: [&str; 5] = ["Notice:", "Warning:", "Deprecated:", "Strict Standards:", "PHP "];

/// A text without the notices that it begins with.
pub fn without_notices(text: &str) -> &str {
    let mut rest = text;
    for _ in 0..MAX_NOTICES {
        let Some(after) = behind(rest) else { break };
        rest = after;
    }
    rest
}

/// Where the notice begins that names its line at `mark`.
pub fn start(text: &str, mark: usize) -> Option<usize> {
    let before = text.get(..mark)?;
    let from = before.len().saturating_sub(MAX_NOTICE);
    let from = (from..before.len()).find(|&at| text.is_char_boundary(at))?;
    let near = before.get(from..)?;
    let said =
        KINDS.iter().filter_map(|kind| near.rfind(kind.trim_end_matches([':', ' ']))).max()?;
    let head = near.get(..said)?;
    let head = head.strip_suffix("<b>").unwrap_or(head);
    let tagged = head.trim_end();
    let head =
        tagged.strip_suffix("<br />").or_else(|| tagged.strip_suffix("<br>")).unwrap_or(tagged);
    Some(from + head.len())
}

/// A notice is not longer than this.
const MAX_NOTICE: usize = 600;

/// What follows the notice that a text begins with.
pub fn behind(text: &str) -> Option<&str> {
    let marks = text.trim_start_matches(|c: char| c.is_whitespace() || c == '\u{feff}');
    let in_html = marks.strip_prefix("<br />").or_else(|| marks.strip_prefix("<br>"));
    let body = in_html.unwrap_or(marks).trim_start();
    let said = body.strip_prefix("<b>").map(|bold| bold.replacen("</b>", "", 1));
    let said = said.as_deref().unwrap_or(body);
    KINDS.iter().find(|kind| said.starts_with(**kind))?;
    let place = body.find(" on line ")?;
    if body.get(..place)?.lines().count() > 3 {
        return None;
    }
    let behind = body.get(place + 9..)?;
    let behind = behind.strip_prefix("<b>").unwrap_or(behind);
    let behind = behind.trim_start_matches(|c: char| c.is_ascii_digit());
    let behind = behind.strip_prefix("</b>").unwrap_or(behind);
    let end =
        behind.strip_prefix("<br />").or_else(|| behind.strip_prefix("<br>")).unwrap_or(behind);
    Some(end.trim_start_matches(['\r', '\n', ' ']))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notices_end_at_their_line() {
        for notices in [
            "",
            "<br />\n<b>Notice</b>:  Undefined index: From in <b>/srv/a.php</b> on line <b>12</b><br />\n",
            "\nWarning: Undefined variable $x in /srv/a.php on line 3\n",
            "PHP Notice:  Undefined index: From in /srv/a.php on line 12\n<br />\n<b>Deprecated</b>: x in <b>/a.php</b> on line <b>1</b><br />\n",
        ] {
            assert_eq!(
                without_notices(&format!("{notices}&lt;Response/&gt;")),
                "&lt;Response/&gt;"
            );
        }
    }

    #[test]
    fn what_is_said_otherwise_stays() {
        for text in [
            "Notice: this call may be recorded.",
            "<br /><b>Fatal error</b>: x in <b>/a.php</b> on line <b>1</b>",
            "",
        ] {
            assert_eq!(without_notices(text), text);
        }
    }
}
