//! Names of what is nobody's business.

/// Parts of the names of headers, parameters and JSON fields whose values are nobody's business, by
/// the letter that they begin with.
const fn parts(letter: u8) -> &'static [&'static str] {
    match letter {
        b'a' | b'A' => &["accesskey", "apikey", "authorization"],
        b'c' | b'C' => &["cookie", "credential"],
        b'p' | b'P' => &["passphrase", "passwd", "password", "privatekey", "pwd"],
        b's' | b'S' => &["secret", "session", "signature"],
        b't' | b'T' => &["token"],
        _ => &[],
    }
}

/// Such names that are no part of a longer one.
const fn wholes(letter: u8) -> &'static [&'static str] {
    match letter {
        b'a' | b'A' => &["auth"],
        b'c' | b'C' => &["cvc", "cvv"],
        b'o' | b'O' => &["otp"],
        b'p' | b'P' => &["pass", "pin"],
        _ => &[],
    }
}

/// The second and third letters of parts by the first, a bit for the low five bits of each.
static NEXT: [(u32, u32); 256] = {
    let mut next = [(0, 0); 256];
    let mut letter = 0;
    while letter < 256 {
        #[expect(clippy::cast_possible_truncation, reason = "below 256")]
        let parts = parts(letter as u8);
        let mut at = 0;
        while at < parts.len() {
            let part = parts[at].as_bytes();
            next[letter].0 |= 1 << (part[1] & 31);
            next[letter].1 |= 1 << (part[2] & 31);
            at += 1;
        }
        letter += 1;
    }
    next
};

/// Whether a letter and what follows may begin a part: most do not.
fn may_begin(letter: u8, rest: &[u8]) -> bool {
    let (second, third) = NEXT[usize::from(letter)];
    match *rest {
        _ if second == 0 => false,
        [b'-' | b'_', ..] | [_, b'-' | b'_', ..] => true,
        [then, after, ..] => second >> (then & 31) & third >> (after & 31) & 1 == 1,
        _ => false,
    }
}

/// Whether what goes by this name is nobody's business.
pub(super) fn is_secret_name(name: &str) -> bool {
    !is_usual(name) && reads_secret(name)
}

/// Names that nearly all requests and answers have and that tell nothing.
const USUAL: [&str; 49] = [
    "AccountSid",
    "ApiVersion",
    "CallSid",
    "CallStatus",
    "Called",
    "CalledCity",
    "CalledCountry",
    "CalledState",
    "CalledZip",
    "Caller",
    "CallerCity",
    "CallerCountry",
    "CallerState",
    "CallerZip",
    "Direction",
    "From",
    "FromCity",
    "FromCountry",
    "FromState",
    "FromZip",
    "MessageSid",
    "MessagingServiceSid",
    "NumMedia",
    "NumSegments",
    "SmsMessageSid",
    "SmsSid",
    "To",
    "ToCity",
    "ToCountry",
    "ToState",
    "ToZip",
    "accept",
    "accept-encoding",
    "cache-control",
    "connection",
    "content-length",
    "content-type",
    "date",
    "forwarded",
    "host",
    "server",
    "transfer-encoding",
    "user-agent",
    "via",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-proto",
    "x-home-region",
    "x-real-ip",
];

/// These by their [`place`].
static USUAL_AT: [&str; 256] = {
    let mut placed = [""; 256];
    let mut at = 0;
    while at < USUAL.len() {
        let place = place(USUAL[at].as_bytes());
        assert!(placed[place].is_empty(), "two names have one place: other factors are needed");
        placed[place] = USUAL[at];
        at += 1;
    }
    placed
};

/// Where a name stands among the usual ones, if it is one of them.
const fn place(name: &[u8]) -> usize {
    let [first, .., last] = name else { return 0 };
    let sixth = if name.len() > 5 { name[5] } else { *last };
    (name.len() + *first as usize * 2 + sixth as usize * 43 + *last as usize) % 256
}

/// Whether a name is one of those: known at once.
fn is_usual(name: &str) -> bool {
    USUAL_AT[place(name.as_bytes())] == name && !name.is_empty()
}

/// Whether a name reads like that of a secret.
fn reads_secret(name: &str) -> bool {
    let name = name.as_bytes();
    let mut at = 0;
    while let Some(letter) = name.get(at) {
        at += 1;
        if !may_begin(*letter, name.get(at..).unwrap_or_default()) {
            continue;
        }
        for part in parts(*letter) {
            if spells(name.get(at - 1..).unwrap_or_default(), part).is_some() {
                return true;
            }
        }
    }
    let is_all = |whole: &&str| {
        spells(name, whole).is_some_and(|rest| rest.iter().all(|byte| is_glue(*byte)))
    };
    let first = name.iter().copied().find(|byte| !is_glue(*byte)).unwrap_or_default();
    wholes(first).iter().any(is_all)
}

/// What follows on a word that a name begins with, in any case and however it is hyphenated.
fn spells<'n>(name: &'n [u8], word: &str) -> Option<&'n [u8]> {
    let mut at = 0;
    for letter in word.as_bytes() {
        while name.get(at).copied().is_some_and(is_glue) {
            at += 1;
        }
        if name.get(at)?.to_ascii_lowercase() != *letter {
            return None;
        }
        at += 1;
    }
    name.get(at..)
}

/// What may stand between the letters of a name.
const fn is_glue(byte: u8) -> bool {
    matches!(byte, b'-' | b'_')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn usual_names_are_known_and_read_as_no_secrets() {
        for name in USUAL {
            assert!(
                is_usual(name) && !reads_secret(name) && !super::super::Redaction::is_private(name),
                "{name}"
            );
        }
        for other in ["", "x", "from", "FromCityToken", "x-twilio-signature", "cookie"] {
            assert!(!is_usual(other), "{other}");
        }
    }
}
