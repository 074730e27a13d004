//! Secrets in running text: what stands behind a telling name, and what looks like a credential.

use std::borrow::Cow;

use super::MASK;

/// Names whose values are masked, lower case; the name may go on (`token_id`) or have begun
/// earlier (`auth_token`).
const NAMES: [&str; 20] = [
    "access-key",
    "access_key",
    "accesskey",
    "api-key",
    "api_key",
    "apikey",
    "authorization",
    "cookie",
    "credential",
    "passphrase",
    "passwd",
    "password",
    "private-key",
    "private_key",
    "pwd",
    "secret",
    "sessid",
    "session",
    "signature",
    "token",
];
/// Names of what a caller keyed or said: private, but no credentials.
const SPOKEN: [&str; 2] = ["digits", "speechresult"];
/// Names whose unquoted values hold blanks and semicolons.
const LONG_VALUES: [&str; 2] = ["authorization", "cookie"];
/// Longest text between a name and its value that is looked at.
const MAX_GLUE: usize = 160;
/// Longest value that is looked for a closing quote.
const MAX_VALUE: usize = 4_096;

/// Masks what follows `token=`, `"password": "`, `<td>SECRET</td><td>`, `Bearer ` and their kin,
/// passwords in URLs, JSON Web Tokens and private keys; with `private` also what stands behind
/// `Digits` and `SpeechResult`, and the users of SIP addresses.
pub(super) fn mask(text: &str, private: bool) -> Cow<'_, str> {
    let Some(first) = next_sign(text.as_bytes(), 0) else { return Cow::Borrowed(text) };
    let lower = text.to_ascii_lowercase();
    let mut masked = String::new();
    let (mut copied, mut next) = (0, Some(first));
    while let Some(at) = next {
        let found = secret_at(text, &lower, at, private);
        if let Some((start, end)) = found {
            masked.push_str(text.get(copied..start).unwrap_or_default());
            masked.push_str(MASK);
            copied = end;
        }
        next = next_sign(text.as_bytes(), found.map_or(at + 1, |(_, end)| end));
    }
    if copied == 0 {
        return Cow::Borrowed(text);
    }
    masked.push_str(text.get(copied..).unwrap_or_default());
    Cow::Owned(masked)
}

/// What else a secret's sign may be, lower case.
const SIGNS: [&str; 6] = ["://", "basic ", "bearer ", "eyj", "private key-----", "sip"];

/// How signs begin: three bytes of each.
static STARTS: [[u8; 3]; NAMES.len() + SPOKEN.len() + SIGNS.len()] = {
    let mut starts = [[0; 3]; NAMES.len() + SPOKEN.len() + SIGNS.len()];
    let lists: [&[&str]; 3] = [&NAMES, &SPOKEN, &SIGNS];
    let (mut list, mut filled) = (0, 0);
    while list < lists.len() {
        let mut at = 0;
        while at < lists[list].len() {
            let sign = lists[list][at].as_bytes();
            starts[filled] = [sign[0], sign[1], sign[2]];
            filled += 1;
            at += 1;
        }
        list += 1;
    }
    starts
};

/// For each byte that begins a sign, in either case: which bytes come second in one, a bit for the
/// low five bits of each.
static SECOND: [u32; 256] = {
    let mut second = [0; 256];
    let mut at = 0;
    while at < STARTS.len() {
        let [first, then, _] = STARTS[at];
        second[first as usize] |= 1 << (then & 31);
        second[first.to_ascii_uppercase() as usize] |= 1 << (then & 31);
        at += 1;
    }
    second
};

/// For the low five bits of each byte that comes second in a sign: which bytes come third, a bit
/// each.
static THIRD: [u32; 32] = {
    let mut third = [0; 32];
    let mut at = 0;
    while at < STARTS.len() {
        let [_, second, then] = STARTS[at];
        third[(second & 31) as usize] |= 1 << (then & 31);
        at += 1;
    }
    third
};

/// The next place, from `at` on, where a sign may begin: most of a text is passed by.
fn next_sign(bytes: &[u8], at: usize) -> Option<usize> {
    let rest = bytes.get(at..)?;
    // Those that come second in a sign that the byte before begins.
    let mut seconds = 0;
    for (place, byte) in rest.iter().enumerate() {
        let third = rest.get(place + 1).copied().unwrap_or_default();
        if seconds >> (byte & 31) & THIRD[usize::from(byte & 31)] >> (third & 31) & 1 == 1 {
            let three = rest.get(place - 1..place + 2).unwrap_or_default();
            if STARTS.iter().any(|start| three.eq_ignore_ascii_case(start)) {
                return Some(at + place - 1);
            }
        }
        seconds = SECOND[usize::from(*byte)];
    }
    None
}

/// The secret whose sign starts at byte `at`: from where to where it goes. Never empty.
fn secret_at(text: &str, lower: &str, at: usize, private: bool) -> Option<(usize, usize)> {
    let first = *lower.as_bytes().get(at)?;
    let rest = lower.get(at..)?;
    let found = match first {
        b':' => user_info(rest),
        b'e' => web_token(text.get(at..)?, text.as_bytes().get(at.wrapping_sub(1)).copied()),
        b'b' => scheme(text.get(at..)?, rest),
        b's' if private => sip_user(rest),
        _ => None,
    };
    // `numDigits` is how many are asked for.
    let counted =
        lower.get(..at).is_some_and(|before| before.ends_with("num") || before.ends_with("num_"));
    let spoken: &[&str] = if private && !counted { &SPOKEN } else { &[] };
    let named = || named(rest, spoken);
    let (start, end) = found.or_else(|| private_key(rest)).or_else(named)?;
    (start < end).then_some((at + start, at + end))
}

/// `password = "…"`.
fn named(rest: &str, more: &[&str]) -> Option<(usize, usize)> {
    let first = rest.as_bytes().first();
    let is_here = |name: &&&str| name.as_bytes().first() == first && rest.starts_with(**name);
    let name = NAMES.iter().chain(more).find(is_here)?;
    let start = behind_glue(rest, name.len())?;
    let quote =
        rest.as_bytes().get(start - 1).copied().filter(|c| matches!(c, b'"' | b'\'' | b'`'));
    let value = prefix(rest.get(start..)?, MAX_VALUE);
    let length = match quote {
        // A JSON string within a JSON string ends with its own escaped quote.
        Some(quote) => value.find(['\n', char::from(quote)]).map(|end| {
            let inner = value.get(..end).unwrap_or_default();
            inner.trim_end_matches('\\').len()
        }),
        None if LONG_VALUES.contains(name) => value.find(['\n', '\r', '"', '\'', '<']),
        None => value.find(|c: char| {
            c.is_whitespace() || matches!(c, '"' | '\'' | '&' | '<' | '>' | ';' | ',' | ')' | '}')
        }),
    };
    Some((start, start + length.unwrap_or(value.len())))
}

/// Where the value of a name that ends at `at` starts, if one is assigned.
fn behind_glue(rest: &str, at: usize) -> Option<usize> {
    let word = prefix(rest.get(at..)?, MAX_GLUE);
    let name_end = at + span(word, |c| c.is_ascii_alphanumeric() || matches!(c, b'_' | b'-'));
    let glue = prefix(rest.get(name_end..)?, MAX_GLUE);
    let mut here = name_end + quotes(glue);
    let (mut assigned, mut tagged) = (false, false);
    loop {
        let left = prefix(rest.get(here..)?, MAX_GLUE.saturating_sub(here - name_end));
        let step = if left.starts_with("=>") {
            assigned = true;
            2
        } else if left.starts_with([':', '=']) {
            assigned = true;
            1
        } else if left.starts_with("%3d") || left.starts_with("%3a") {
            assigned = true;
            3
        } else if left.starts_with(',') && here > name_end && !assigned {
            // `('token', 'value')`, not `token, and then`.
            let quoted = rest.get(name_end..here)?.contains(['"', '\'']);
            let opens = left.get(1..)?.trim_start().starts_with(['"', '\'']);
            if !(quoted && opens) {
                return None;
            }
            assigned = true;
            1
        } else if left.starts_with('<') {
            // `<td>TOKEN</td><td>value</td>`
            let tag = left.find('>')? + 1;
            assigned |= left.starts_with("</");
            tagged = true;
            tag
        } else if tagged && left.starts_with(['\n', '\r']) {
            1
        } else if left.starts_with("value=") || left.starts_with("content=") {
            assigned = true;
            left.find('=')? + 1
        } else {
            0
        };
        let after = rest.get(here + step..)?;
        let blank = if assigned { quotes(prefix(after, 16)) } else { 0 };
        if step + blank == 0 {
            return assigned.then_some(here);
        }
        here += step + blank;
        if here - name_end > MAX_GLUE {
            return assigned.then_some(here);
        }
    }
}

/// Quotes in any spelling, brackets and blanks at a text's start.
fn quotes(text: &str) -> usize {
    let mut at = 0;
    while let Some(left) = text.get(at..) {
        let entity = ["&quot;", "&#34;", "&#39;", "&#x27;", "&gt;", "%22", "%27"]
            .iter()
            .find(|entity| left.starts_with(**entity));
        match (entity, left.as_bytes().first()) {
            (Some(entity), _) => at += entity.len(),
            (None, Some(b'"' | b'\'' | b'`' | b'\\' | b' ' | b'\t' | b']')) => at += 1,
            _ => break,
        }
    }
    at
}

/// `Bearer …` and `Basic …`.
fn scheme(text: &str, lower: &str) -> Option<(usize, usize)> {
    let start = ["bearer ", "basic "].iter().find(|name| lower.starts_with(**name))?.len();
    let length = span(text.get(start..)?, |c| {
        c.is_ascii_alphanumeric() || "-._~+/=".contains(char::from(c))
    });
    let value = text.get(start..start + length)?;
    // `basic authentication` and `Bearer realm=…` are words about it.
    let words = value.bytes().all(|c| c.is_ascii_lowercase() || c == b'.');
    let challenge = ["realm=", "error=", "scope=", "charset="];
    let is_challenge = challenge.iter().any(|name| value.to_ascii_lowercase().starts_with(name));
    (length >= 6 && !words && !is_challenge).then_some((start, start + length))
}

/// `://user:password@`.
fn user_info(rest: &str) -> Option<(usize, usize)> {
    let inner = prefix(rest.strip_prefix("://")?, 256);
    let end = inner
        .find(|c: char| c.is_whitespace() || matches!(c, '/' | '?' | '#' | '"' | '\'' | '<' | '>'))
        .unwrap_or(inner.len());
    let authority = inner.get(..end)?;
    let at_sign = authority.rfind('@')?;
    let colon = authority.get(..at_sign)?.find(':')?;
    Some((3 + colon + 1, 3 + at_sign))
}

/// `sip:user@`, unless the user is a number.
fn sip_user(rest: &str) -> Option<(usize, usize)> {
    let start = ["sip:", "sips:", "sip%3a"].iter().find(|name| rest.starts_with(**name))?.len();
    let inner = prefix(rest.get(start..)?, 128);
    let end = inner.find(['@', ' ', '\n', '"', '\'', '<', '>']).or_else(|| inner.find("%40"))?;
    let is_address = inner.get(end..).is_some_and(|rest| rest.starts_with(['@', '%']));
    let has_name = inner.get(..end)?.contains(|c: char| c.is_alphabetic());
    (is_address && has_name).then_some((start, start + end))
}

/// `eyJ….….…`.
fn web_token(text: &str, before: Option<u8>) -> Option<(usize, usize)> {
    if before.is_some_and(|c| c.is_ascii_alphanumeric()) || !text.starts_with("eyJ") {
        return None;
    }
    let token = prefix(text, 2 * MAX_VALUE);
    let end = span(token, |c| c.is_ascii_alphanumeric() || matches!(c, b'_' | b'-' | b'.'));
    let dots = token.get(..end)?.bytes().filter(|&c| c == b'.').count();
    (dots >= 1 && end > 20).then_some((0, end))
}

/// What stands between `PRIVATE KEY-----` and the next dashes.
fn private_key(rest: &str) -> Option<(usize, usize)> {
    const SIGN: &str = "private key-----";
    let key = prefix(rest.strip_prefix(SIGN)?, 4 * MAX_VALUE);
    Some((SIGN.len(), SIGN.len() + key.find("-----").unwrap_or(key.len())))
}

/// Bytes at the start that fit; all of them are ASCII.
fn span(text: &str, fits: impl Fn(u8) -> bool) -> usize {
    text.bytes().take_while(|&c| c.is_ascii() && fits(c)).count()
}

/// At most `max` bytes from the start, whole characters.
fn prefix(text: &str, max: usize) -> &str {
    let end = (0..=max.min(text.len())).rev().find(|&at| text.is_char_boundary(at));
    text.get(..end.unwrap_or_default()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The plain form: every place is looked at.
    fn plain(text: &str, private: bool) -> String {
        let lower = text.to_ascii_lowercase();
        let mut masked = String::with_capacity(text.len());
        let (mut copied, mut at) = (0, 0);
        while at < lower.len() {
            let Some((start, end)) = secret_at(text, &lower, at, private) else {
                at += 1;
                continue;
            };
            masked.push_str(text.get(copied..start).unwrap_or_default());
            masked.push_str(MASK);
            copied = end;
            at = end;
        }
        masked.push_str(text.get(copied..).unwrap_or_default());
        masked
    }

    /// Pieces that secrets, and what only looks like one, are made of.
    const PIECES: &str = "([Aa]uthorization|access[-_]?key|API[-_]?KEY|[Cc]ookie|credential|passphrase|passwd|pass|password|private[-_]?key|PWD|[Ss]ecret|sess(id|ion)|signature|[Tt]oken|num_?|[Dd]igits|SpeechResult|[Bb]earer |[Bb]asic |eyJ[a-z]{3}\\.|://|PRIVATE KEY-----|sips?:|sip%3[aA]|%40|[@:=<>,;&'\"/ \n-]|=>|value=|<td>|</td>|&quot;|[a-z]{1,9}|[ -~]|.)";

    proptest! {
        #[test]
        fn it_is_masked_as_the_plain_form_says(
            pieces in prop::collection::vec(PIECES, 0..16),
            private: bool,
        ) {
            let text = pieces.concat();
            prop_assert_eq!(mask(&text, private), plain(&text, private));
        }
    }

    #[test]
    fn every_sign_is_seen_in_either_case() {
        let all = NAMES.iter().chain(&SPOKEN).chain(&SIGNS);
        for sign in all.flat_map(|sign| [(*sign).to_owned(), sign.to_ascii_uppercase()]) {
            assert_eq!(next_sign(format!("-- {sign}").as_bytes(), 0), Some(3), "{sign}");
        }
    }

    #[test]
    fn secrets_are_gone() {
        for secret in [
            "token=s3cr3t&x=1",
            "{\"auth_token\": \"s3cr3t\"}",
            "Authorization: Bearer s3cr3t",
            "Authorization: Basic s3cr3t==",
            "password='s3cr3t'",
            "password = 'my s3cr3t'",
            "api_key=s3cr3t",
            r#"{\"password\": \"s3cr3t\"}"#,
            "&#x27;SECRET_KEY&#x27;: &#x27;s3cr3t&#x27;",
            "<tr><td>DB_PASSWORD</td><td class=\"v\">s3cr3t</td></tr>",
            "<td>SECRET_KEY</td>\n<td class=\"code\"><pre>s3cr3t</pre></td>",
            "<input type=hidden name=\"csrf_token\" value=\"s3cr3t\">",
            "<meta name=\"csrf-token\" content=\"s3cr3t\">",
            "('auth_token', 's3cr3t')",
            "('SpeechResult', 's3cr3t')",
            "Digits=s3cr3t",
            "$_POST['password'] = 's3cr3t'",
            "HTTP_COOKIE: sid=s3cr3t; b=s3cr3t",
            "['token' => 's3cr3t']",
            "postgres://app:s3cr3t@db.internal/x",
            "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.s3cr3t",
            "-----BEGIN RSA PRIVATE KEY-----\ns3cr3t\n-----END",
            "curl -H 'Bearer s3cr3t-1'",
            "<sip:s3cr3t@pbx.example.com>",
            "From=sip%3As3cr3t%40pbx.example.com",
        ] {
            let masked = mask(secret, true);
            assert!(!masked.contains("s3cr3t") && masked.contains(MASK), "{secret}: {masked}");
        }
    }

    #[test]
    fn words_about_secrets_stay() {
        for same in [
            "the token expired",
            "Unexpected token '<' at position 0",
            "basic authentication is required",
            "Bearer realm=\"app\"",
            "invalid password, try again",
            "http://example.com:8080/a@b",
            "session expired",
            "<Gather numDigits=\"4\" finishOnKey=\"#\">",
            "num_digits=4",
            "סיסמה שגויה",
            "sip: no address",
        ] {
            assert_eq!(mask(same, true), same);
        }
    }

    #[test]
    fn what_a_caller_said_is_no_credential() {
        for said in ["Digits=4711", "{\"SpeechResult\": \"open sesame\"}", "sip:alice@example.com"]
        {
            assert_ne!(mask(said, true), said);
            assert_eq!(mask(said, false), said);
        }
        assert_eq!(mask("token=s3cr3t", false), "token=***");
    }
}
