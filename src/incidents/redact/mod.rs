//! What may be kept or logged: numbers but for their last four, no credentials, nothing keyed or
//! spoken. With `capture = "full"` only credentials are masked, and only in records.

mod known;
mod names;
mod numbers;
mod secrets;

use std::borrow::Cow;
use std::fmt::Write as _;
use std::sync::Arc;

use http::HeaderMap;

use self::known::Known;
use self::names::is_secret_name;
use crate::config::{Capture, Config};
use crate::guard::Oddities;
use crate::twilio::Params;

/// What stands where something was masked.
pub(super) const MASK: &str = "***";

/// Decides what is masked. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Redaction {
    /// Parameters that are private besides the known ones.
    params: Arc<[String]>,
    capture: Capture,
    /// Credentials of the guard itself.
    own: Arc<Known>,
    /// These, and what one request told.
    known: Arc<Known>,
}

impl Redaction {
    /// Everything masked, the values of these parameters too.
    pub fn new(params: impl IntoIterator<Item = String>) -> Self {
        Self { params: params.into_iter().collect(), ..Self::default() }
    }

    /// What this configuration masks: its parameters, and its auth tokens wherever they stand.
    pub fn of(config: &Config) -> Self {
        let tokens = config.signatures.keyring.of(None);
        let own = tokens.into_iter().map(|t| t.reveal().to_owned()).collect();
        let own = Arc::new(Known::own(own));
        let known = Arc::clone(&own);
        Self { own, known, ..Self::new(config.incidents.mask.iter().cloned()) }
    }

    /// The same with as much masked as this says.
    #[must_use]
    pub fn with(&self, capture: Capture) -> Self {
        Self { capture, ..self.clone() }
    }

    /// The same for what belongs to one request: what its private parameters and its credentials
    /// were is masked wherever it is repeated, escaped or not.
    #[must_use]
    pub fn knowing<'h>(
        &self,
        params: &Params,
        headers: impl IntoIterator<Item = &'h HeaderMap>,
    ) -> Self {
        let known = Known::of(self, params, headers.into_iter());
        Self { known: Arc::new(known), ..self.clone() }
    }

    /// How much is masked.
    pub fn capture(&self) -> Capture {
        self.capture
    }

    /// Headers of a record, one `name: value` each, credentials masked.
    pub fn headers(&self, headers: &HeaderMap) -> Vec<(String, String)> {
        headers
            .iter()
            .map(|(name, value)| {
                let value = String::from_utf8_lossy(value.as_bytes());
                (name.as_str().to_owned(), self.header(name.as_str(), &value).into_owned())
            })
            .collect()
    }

    /// The lines of a head that no HTTP reader takes, credentials masked.
    pub fn odd_lines(&self, odd: &Oddities) -> Vec<(String, String)> {
        let lines = odd.lines.iter().filter(|odd| !odd.line.is_empty());
        lines
            .map(|odd| {
                let (name, value) = odd.named().unwrap_or((&odd.line, &[]));
                let name = String::from_utf8_lossy(name);
                let value = String::from_utf8_lossy(value);
                let value = self.header(&name.to_ascii_lowercase(), &value).into_owned();
                (self.text(&name), value)
            })
            .collect()
    }

    /// The value of a header with this name in lower case.
    pub(super) fn header<'v>(&self, name: &str, value: &'v str) -> Cow<'v, str> {
        match name {
            "set-cookie" => {
                let (cookie, attributes) =
                    value.split_once(';').map_or((value, ""), |(cookie, rest)| (cookie, rest));
                let glue = if attributes.is_empty() { "" } else { ";" };
                match cookie.split_once('=') {
                    Some((name, _)) => format!("{name}={MASK}{glue}{attributes}").into(),
                    None => format!("{MASK}{glue}{attributes}").into(),
                }
            }
            "content-length" => value.into(),
            "location" | "content-location" | "referer" => self.masked_target(value),
            name if is_secret_name(name) => MASK.into(),
            _ => self.masked(value),
        }
    }

    /// Whether a parameter is a credential, or configured as private.
    fn is_secret(&self, name: &str) -> bool {
        is_secret_name(name) || self.params.iter().any(|own| own.eq_ignore_ascii_case(name))
    }

    /// Whether a parameter tells what a caller keyed in, spoke or wrote, or who they are.
    fn is_private(name: &str) -> bool {
        let is_payment = name.get(..7).is_some_and(|start| start.eq_ignore_ascii_case("payment"));
        is_payment || PRIVATE_PARAMS.iter().any(|own| own.eq_ignore_ascii_case(name))
    }

    /// The value of a webhook's parameter.
    pub fn param(&self, name: &str, value: &str) -> String {
        self.masked_param(name, value).into_owned()
    }

    /// The same, borrowed where nothing is masked.
    pub(super) fn masked_param<'v>(&self, name: &str, value: &'v str) -> Cow<'v, str> {
        if self.is_secret(name) || self.capture == Capture::Masked && Self::is_private(name) {
            MASK.into()
        } else if PLAIN_PARAMS.contains(&name) {
            // A caller may have said just that word.
            self.masked_of(&self.own, value)
        } else {
            self.masked(value)
        }
    }

    /// The name of a parameter. One without a value that does not read like a name is a value itself.
    pub fn name(&self, name: &str, value: &str) -> String {
        let reads_like_one = name.len() <= 40
            && name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
            && name.chars().all(|c| c.is_ascii_alphanumeric() || "_-.[]".contains(c));
        let is_value = value.is_empty() && !name.is_empty() && !reads_like_one;
        if self.capture == Capture::Masked && is_value { MASK.to_owned() } else { self.text(name) }
    }

    /// A path and query, or a whole URL: values of the query as [`param`](Self::param), the rest as
    /// [`text`](Self::text).
    pub fn target(&self, target: &str) -> String {
        self.masked_target(target).into_owned()
    }

    /// The same, borrowed where nothing is masked and there is no query.
    pub(super) fn masked_target<'t>(&self, target: &'t str) -> Cow<'t, str> {
        let Some((path, query)) = target.split_once('?') else { return self.masked(target) };
        let pairs: Vec<String> = query
            .split('&')
            .map(|pair| match pair.split_once('=') {
                Some((name, value)) => {
                    let plain =
                        |part| percent_encoding::percent_decode_str(part).decode_utf8_lossy();
                    let value_plain = plain(value);
                    let masked = self.param(&plain(name), &value_plain);
                    if masked == value_plain {
                        format!("{}={value}", self.text(name))
                    } else {
                        format!("{}={masked}", self.text(name))
                    }
                }
                None => {
                    self.name(&percent_encoding::percent_decode_str(pair).decode_utf8_lossy(), "")
                }
            })
            .collect();
        format!("{}?{}", self.masked(path), pairs.join("&")).into()
    }

    /// Any text: secrets behind telling names masked, then every number that could be a
    /// telephone's, a card's or a code's but for its last four digits. Takes time linear in the
    /// text's length.
    pub fn text(&self, text: &str) -> String {
        self.masked(text).into_owned()
    }

    /// The same, borrowed where nothing is masked.
    pub(super) fn masked<'t>(&self, text: &'t str) -> Cow<'t, str> {
        self.masked_of(&self.known, text)
    }

    /// The same where this is what is known.
    fn masked_of<'t>(&self, known: &Known, text: &'t str) -> Cow<'t, str> {
        let text = then(text.into(), |text| known.mask_values(text, self.capture).map(Cow::Owned));
        match self.capture {
            Capture::Full => then(text, |text| Some(secrets::mask(text, false))),
            Capture::Masked => {
                let text = then(text, |text| Some(secrets::mask(text, true)));
                let text = then(text, |text| Some(numbers::mask(text)));
                then(text, |text| known.mask_numbers(text).map(Cow::Owned))
            }
        }
    }

    /// The same for text that was read from these bytes. Where it hides what the bytes plainly say,
    /// as UTF-16 that is none does, they are shown instead.
    pub fn read(&self, text: &str, bytes: &[u8]) -> String {
        let masked = self.text(text);
        if masked == text && std::str::from_utf8(bytes).is_err() {
            let plain = with_escapes(bytes);
            let plain_masked = self.text(&plain);
            if plain_masked != plain {
                return plain_masked;
            }
        }
        masked
    }

    /// What a backend said about a request with these parameters: their private values masked.
    pub fn echo<'t>(&self, text: &'t str, params: &Params) -> Cow<'t, str> {
        let known = Known::of(self, params, std::iter::empty());
        known.mask_values(text, self.capture).map_or(Cow::Borrowed(text), Cow::Owned)
    }
}

/// What a step makes of a text; `None` and what is borrowed: nothing.
fn then<'t>(
    text: Cow<'t, str>,
    step: impl for<'s> FnOnce(&'s str) -> Option<Cow<'s, str>>,
) -> Cow<'t, str> {
    match step(&text) {
        Some(Cow::Owned(changed)) => Cow::Owned(changed),
        Some(Cow::Borrowed(_)) | None => text,
    }
}

/// Parameters whose values a caller keyed in, spoke or wrote, or that tell who the caller is.
const PRIVATE_PARAMS: [&str; 12] = [
    "Address",
    "Body",
    "Digits",
    "Latitude",
    "Longitude",
    "SpeechResult",
    "StableSpeechResult",
    "TranscriptionText",
    "UnstableSpeechResult",
    "CallerName",
    "ProfileName",
    "HandoffData",
];

/// Parameters whose values are Twilio's own words.
const PLAIN_PARAMS: [&str; 6] =
    ["CallStatus", "DialCallStatus", "Direction", "MessageStatus", "QueueResult", "SmsStatus"];

/// Bytes as text; those that are no UTF-8 stand as `\xNN`.
pub fn with_escapes(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        text.push_str(chunk.valid());
        for byte in chunk.invalid() {
            // Writing to a String can't fail.
            let _ = write!(text, "\\x{byte:02x}");
        }
    }
    text
}

/// A SID for people: `CA…1f03`.
pub fn short_sid(sid: &str) -> String {
    let count = sid.chars().count();
    if count <= 10 {
        return sid.to_owned();
    }
    let head: String = sid.chars().take(2).collect();
    let tail: String = sid.chars().skip(count - 4).collect();
    format!("{head}…{tail}")
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use http::HeaderValue;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_guards_own_tokens_are_masked_wherever_they_stand() {
        let mut sources = crate::config::Sources::default();
        let tokens = "s3cr3tone\nAC1:s3cr3ttwo\n".to_owned();
        sources.env.insert("TWIML_GUARD_AUTH_TOKEN".to_owned(), tokens);
        let redaction = Redaction::of(&crate::config::load(&sources).unwrap().config);
        let params = Params::from_form(b"Note=s3cr3ttwo");
        let said = "expected s3cr3tone, not s3cr3ttwo or s3cr3t%6Fne";
        for redaction in [redaction.clone(), redaction.knowing(&params, [])] {
            assert_eq!(redaction.text(said), "expected ***, not *** or ***");
            assert_eq!(redaction.with(Capture::Full).text(said), "expected ***, not *** or ***");
            assert_eq!(redaction.param("CallStatus", "s3cr3tone"), "***");
        }
    }

    #[test]
    fn headers_keep_what_helps_and_no_credential() {
        let mut map = HeaderMap::new();
        for (name, value) in [
            ("set-cookie", "sid=s3cr3t; Path=/; HttpOnly"),
            ("set-cookie", "s3cr3t"),
            ("x-twilio-signature", "s3cr3t"),
            ("authorization", "Basic s3cr3t"),
            ("proxy-authorization", "s3cr3t"),
            ("x-api-key", "s3cr3t"),
            ("location", "/next?Digits=77421&auth%5Ftoken=s3cr3t&From=%2B15550104477&step=2"),
            ("content-length", "12345678"),
            ("server", "gunicorn/20.1.0"),
        ] {
            map.append(name, HeaderValue::from_static(value));
        }
        let shown = format!("{:?}", Redaction::default().headers(&map));
        for secret in ["s3cr3t", "77421", "5550104477"] {
            assert!(!shown.contains(secret), "{shown}");
        }
        for kept in ["sid=***; Path=/; HttpOnly", "&step=2", "12345678", "gunicorn/20.1.0", "…4477"]
        {
            assert!(shown.contains(kept), "{kept}: {shown}");
        }
    }

    #[test]
    fn what_a_caller_keyed_or_said_is_gone() {
        assert_eq!(Redaction::default().param("Digits", "12"), "***");
        assert_eq!(Redaction::default().param("PaymentCardNumber", "4111"), "***");
        assert_eq!(Redaction::default().param("CallStatus", "ringing"), "ringing");
        assert_eq!(
            Redaction::default().target("/a?Digits=99&From=%2B15550104477&x=1"),
            "/a?Digits=***&From=+1555…4477&x=1"
        );
    }

    #[test]
    fn a_piece_of_a_query_without_a_name_is_a_value() {
        let masked = |target| Redaction::default().target(target);
        assert_eq!(masked("/a?debug&open%20sesame&4711"), "/a?debug&***&***");
        assert_eq!(Redaction::default().name("open sesame", ""), "***");
        assert_eq!(Redaction::default().name("a b", "1"), "a b");
    }

    #[test]
    fn a_page_that_repeats_the_request_repeats_no_private_value() {
        let params = Params::from_form(b"Digits=4711&SpeechResult=open+sesame&CallStatus=ringing");
        let page = "KeyError: 4711 in {'said': 'open sesame', 'CallStatus': 'ringing'}";
        assert_eq!(
            Redaction::default().echo(page, &params),
            "KeyError: *** in {'said': '***', 'CallStatus': 'ringing'}"
        );
        assert!(matches!(
            Redaction::default().echo("menu 1", &Params::from_form(b"Digits=1")),
            Cow::Borrowed(_)
        ));
    }

    #[test]
    fn what_a_wrong_reading_hides_is_masked() {
        let redaction = Redaction::default();
        let bytes = b"\xff\xfepassword=s3cr3t!";
        let (misread, _, _) = encoding_rs::UTF_16LE.decode(bytes);
        assert_eq!(redaction.read(&misread, bytes), "\\xff\\xfepassword=***");
        let (hebrew, _, _) = encoding_rs::WINDOWS_1255.encode("שלום");
        assert_eq!(redaction.read("שלום", &hebrew), "שלום");
    }

    #[test]
    fn a_secret_is_told_by_its_name() {
        for name in
            ["X-Twilio-Signature", "auth_token", "PASSWD", "my-Api-Key2", "pin", "sessionid"]
        {
            assert!(is_secret_name(name), "{name}");
        }
        for name in ["", "From", "spin", "authority", "toke", "pass-through", "apike", "caller"] {
            assert!(!is_secret_name(name), "{name}");
        }
    }

    #[test]
    fn sids_are_short_for_people() {
        assert_eq!(short_sid("CA0123456789abcdef0123456789ab1f03"), "CA…1f03");
    }

    #[test]
    fn hostile_text_takes_linear_time() {
        for unit in [
            "token ",
            "\"",
            "://a:",
            "1 ",
            "eyJ",
            "%2B",
            "<td>",
            "password=\"",
            "secret<a",
            "token",
            "eyJa.",
            "a@",
            "sip:",
            "<a",
            "%25",
            "&amp;",
            "555",
            "5<a>",
            "0167823",
            "4711",
        ] {
            let text_of_256k = unit.repeat(256 * 1024 / unit.len());
            let params = Params::from_form(b"From=%2B15550167823&Digits=4711");
            let start = Instant::now();
            Redaction::default().knowing(&params, []).text(&text_of_256k);
            // Quadratic time would be minutes.
            assert!(start.elapsed() < Duration::from_secs(5), "{unit}: {:?}", start.elapsed());
        }
    }

    /// The plain form: every part is looked for.
    fn is_secret_name_plain(name: &str) -> bool {
        let name = name.to_ascii_lowercase().replace(['-', '_'], "");
        ["auth", "cvc", "cvv", "otp", "pass", "pin"].contains(&&*name)
            || "accesskey apikey authorization cookie credential passphrase passwd password privatekey pwd secret session signature token"
                .split(' ')
                .any(|part| name.contains(part))
    }

    proptest! {
        #[test]
        fn names_of_secrets_are_known(
            glue in prop::collection::vec("[-_]?", 0..24),
            name in "([Aa]-?_?ccess|ACCESS|[Kk]e-?y|api|Auth|orization|coo|kie|cred-|ential|pass|phrase|w-?d|word|private_|p-wd|se|cret|session|sig|nature|To|ken|cvc|CVV|OTP|Pin|[-_a-z]|א){0,4}",
        ) {
            let mut glue = glue.iter();
            let letter = |letter| format!("{letter}{}", glue.next().map_or("", String::as_str));
            let glued: String = name.chars().map(letter).collect();
            for name in [name, glued] {
                prop_assert_eq!(is_secret_name(&name), is_secret_name_plain(&name), "{}", name);
            }
        }

        #[test]
        fn any_text_is_taken_and_letters_stay(hostile: String, hebrew in "[א-ת ]{0,40}") {
            Redaction::default().text(&hostile);
            prop_assert_eq!(Redaction::default().text(&hebrew), hebrew);
        }

        #[test]
        fn a_telephone_number_never_survives(
            number in "[2-9][0-9]{9,11}",
            before in prop::sample::select(vec!["", " ", "(", "\"", "ל", "%2B", "+", "tel:", "sip:", "_", "\\u002b", "&#43;"]),
            after in prop::sample::select(vec!["", " ", ")", "\"", "ש", "<", ".", ", ", "\n", "@"]),
        ) {
            let masked = Redaction::default().text(&format!("{before}{number}{after}"));
            prop_assert!(!masked.contains(&number), "{}", masked);
        }
    }
}
