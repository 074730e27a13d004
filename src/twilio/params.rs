//! The parameters of a webhook request, from its form body or its query.

use std::fmt;
use std::ops::Range;

use memchr::{memchr, memchr_iter, memchr3_iter};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// Decoded parameters in the order in which they came; names may repeat.
///
/// All of them stand in one text; what a reader asks for is borrowed from it.
#[derive(Clone, Default)]
pub struct Params {
    /// The decoded form, its separators included.
    text: String,
    pairs: Vec<Pair>,
    /// A bit for each length that a name has: most names that are asked for are not there.
    lengths: u64,
}

/// Where a parameter stands in the text.
#[derive(Debug, Clone, Copy)]
struct Pair {
    start: usize,
    /// The end of the name; `=` stands there, unless it is the end of all.
    name_end: usize,
    end: usize,
}

/// What stays as it is in a form, as Twilio encodes it.
const PLAIN: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'*');

/// More parameters than this are not read; Twilio sends some thirty.
pub(super) const MAX_PARAMS: usize = 1_000;

impl Params {
    /// Reads `application/x-www-form-urlencoded` bytes. Never fails: what is not UTF-8 after
    /// decoding is read lossily, parameters past the first 1,000 are passed over.
    pub fn from_form(body: &[u8]) -> Self {
        let mut params = Self::default();
        params.append_form(body);
        params
    }

    /// Adds the parameters of another form or query to these.
    pub fn append_form(&mut self, form: &[u8]) {
        let mut reader = Reader::new(form, std::mem::take(self));
        let mut end = form.len();
        for at in memchr3_iter(b'&', b'+', b'%', form) {
            match form.get(at) {
                Some(b'&') => {
                    reader.pair_ends(at);
                    if reader.is_full() {
                        end = at;
                        break;
                    }
                }
                Some(b'+') => reader.replace(at..at + 1, b' '),
                _ => {
                    if let Some(byte) = form.get(at + 1..).and_then(unescaped) {
                        reader.replace(at..at + 3, byte);
                    }
                }
            }
        }
        reader.pair_ends(end);
        *self = reader.end(end);
    }

    /// The first value of a parameter.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.find(name).map(|pair| self.value(pair))
    }

    /// Whether the parameter is there, empty or not.
    pub fn has(&self, name: &str) -> bool {
        self.find(name).is_some()
    }

    /// Names and values in the order in which they came.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.pairs.iter().map(|pair| (self.name(pair), self.value(pair)))
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.pairs.is_empty()
    }

    fn find(&self, name: &str) -> Option<&Pair> {
        if self.lengths & length_bit(name.len()) == 0 {
            return None;
        }
        let is_it = |pair: &&Pair| {
            pair.name_end - pair.start == name.len()
                && self.name(pair).as_bytes() == name.as_bytes()
        };
        self.pairs.iter().find(is_it)
    }
}

impl Params {
    fn new(text: String, pairs: Vec<Pair>) -> Self {
        let bit = |pair: &Pair| length_bit(pair.name_end - pair.start);
        let lengths = pairs.iter().map(bit).fold(0, |all, bit| all | bit);
        Self { text, pairs, lengths }
    }

    fn name(&self, pair: &Pair) -> &str {
        self.text.get(pair.start..pair.name_end).unwrap_or_default()
    }

    fn value(&self, pair: &Pair) -> &str {
        self.text.get(pair.value_start()..pair.end).unwrap_or_default()
    }
}

impl Pair {
    fn value_start(&self) -> usize {
        self.end.min(self.name_end + 1)
    }
}

impl PartialEq for Params {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

impl Eq for Params {}

impl fmt::Debug for Params {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

impl<T: AsRef<str>> FromIterator<(T, T)> for Params {
    fn from_iter<I: IntoIterator<Item = (T, T)>>(iter: I) -> Self {
        let (mut text, mut pairs) = (String::new(), Vec::new());
        for (name, value) in iter {
            let start = text.len();
            text.push_str(name.as_ref());
            let name_end = text.len();
            text.push('=');
            text.push_str(value.as_ref());
            pairs.push(Pair { start, name_end, end: text.len() });
        }
        Self::new(text, pairs)
    }
}

/// Decodes a form in one pass. Between two escapes its bytes are taken as they are, separators
/// included.
struct Reader<'f> {
    form: &'f [u8],
    /// How much of the form is in the text.
    taken: usize,
    text: Vec<u8>,
    pairs: Vec<Pair>,
    /// Where in the text the pair that is being read starts, and where its name ends.
    start: usize,
    name_end: Option<usize>,
    /// Where in the form the first `=` from there on is; its end, if there is none.
    equals: usize,
}

impl<'f> Reader<'f> {
    fn new(form: &'f [u8], Params { text, mut pairs, .. }: Params) -> Self {
        let mut text = text.into_bytes();
        let more = memchr_iter(b'&', form).count() + 1;
        text.reserve_exact(form.len());
        pairs.reserve_exact(more.min(MAX_PARAMS.saturating_sub(pairs.len())));
        let equals = next_equals(form, 0);
        Self { form, taken: 0, start: text.len(), name_end: None, equals, text, pairs }
    }

    /// Where in the text this place of the form is, as far as nothing is escaped before it.
    fn place(&self, at: usize) -> usize {
        self.text.len() + (at - self.taken)
    }

    fn take(&mut self, until: usize) {
        self.text.extend_from_slice(self.form.get(self.taken..until).unwrap_or_default());
        self.taken = until;
    }

    fn replace(&mut self, escape: Range<usize>, byte: u8) {
        self.come_to(escape.start);
        self.take(escape.start);
        self.text.push(byte);
        self.taken = escape.end;
    }

    /// Notes where the name ends, if that is before this place of the form.
    fn come_to(&mut self, at: usize) {
        if self.name_end.is_none() && self.equals < at {
            self.name_end = Some(self.place(self.equals));
        }
    }

    fn pair_ends(&mut self, at: usize) {
        self.come_to(at);
        let (start, end) = (self.start, self.place(at));
        let name_end = self.name_end.take().unwrap_or(end);
        if start < end && !self.is_full() {
            self.pairs.push(Pair { start, name_end, end });
        }
        self.start = end + 1;
        if self.equals < at {
            self.equals = next_equals(self.form, at);
        }
    }

    fn is_full(&self) -> bool {
        self.pairs.len() >= MAX_PARAMS
    }

    /// What was read up to this place.
    fn end(mut self, at: usize) -> Params {
        self.take(at);
        let Self { text, pairs, .. } = self;
        // Separators are ASCII: all of it is UTF-8 just where every name and every value is.
        match String::from_utf8(text) {
            Ok(text) => Params::new(text, pairs),
            Err(error) => lossily(error.as_bytes(), &pairs),
        }
    }
}

/// The bit of a name's length; one for all that are long.
fn length_bit(length: usize) -> u64 {
    1 << length.min(63)
}

fn next_equals(form: &[u8], from: usize) -> usize {
    let rest = form.get(from..).unwrap_or_default();
    memchr(b'=', rest).map_or(form.len(), |at| from + at)
}

/// The same with what is no UTF-8 replaced in each name and value.
fn lossily(text: &[u8], pairs: &[Pair]) -> Params {
    let read =
        |from: usize, to: usize| String::from_utf8_lossy(text.get(from..to).unwrap_or_default());
    let pair = |pair: &Pair| (read(pair.start, pair.name_end), read(pair.value_start(), pair.end));
    pairs.iter().map(pair).collect()
}

/// The byte that two hexadecimal digits stand for.
fn unescaped(digits: &[u8]) -> Option<u8> {
    let [high, low, ..] = digits else { return None };
    let digit = |b: u8| char::from(b).to_digit(16);
    u8::try_from(digit(*high)? << 4 | digit(*low)?).ok()
}

/// One name or value as it stands in a form or a query.
pub fn encode(text: &str) -> String {
    utf8_percent_encode(text, PLAIN).to_string().replace("%20", "+")
}

/// Names and values as a form.
pub fn form<'p>(params: impl IntoIterator<Item = (&'p str, &'p str)>) -> String {
    let pairs =
        params.into_iter().map(|(name, value)| format!("{}={}", encode(name), encode(value)));
    pairs.collect::<Vec<_>>().join("&")
}

#[cfg(test)]
mod tests {
    use percent_encoding::percent_decode;
    use proptest::prelude::*;

    use super::*;

    /// Every pair on its own, each half decoded for itself.
    fn plainly(forms: &[Vec<u8>]) -> Vec<(String, String)> {
        let decode = |bytes: &[u8]| {
            let spaced: Vec<u8> = bytes.iter().map(|&b| if b == b'+' { b' ' } else { b }).collect();
            percent_decode(&spaced).decode_utf8_lossy().into_owned()
        };
        let pairs = forms.iter().flat_map(|form| form.split(|&b| b == b'&'));
        let pairs = pairs.filter(|pair| !pair.is_empty()).take(MAX_PARAMS);
        let halves = pairs.map(|pair| {
            let mut halves = pair.splitn(2, |&b| b == b'=');
            let name = decode(halves.next().unwrap_or_default());
            (name, decode(halves.next().unwrap_or_default()))
        });
        halves.collect()
    }

    fn assert_read_plainly(forms: &[Vec<u8>]) {
        let mut params = Params::default();
        for form in forms {
            params.append_form(form);
        }
        let expected = plainly(forms);
        let found: Vec<_> = params.iter().map(|(n, v)| (n.to_owned(), v.to_owned())).collect();
        assert_eq!(found, expected);
        for (name, _) in &expected {
            let first = expected.iter().find(|(other, _)| other == name).map(|(_, v)| v.as_str());
            assert_eq!(params.get(name), first);
        }
        assert_eq!(params, expected.into_iter().collect());
    }

    proptest! {
        #[test]
        fn what_is_encoded_is_read_alike(params in prop::collection::vec((".{1,8}", ".{0,12}"), 0..6)) {
            let written = form(params.iter().map(|(name, value)| (name.as_str(), value.as_str())));
            prop_assert_eq!(Params::from_form(written.as_bytes()), params.into_iter().collect());
        }

        #[test]
        fn any_bytes_are_read_as_if_each_pair_came_alone(
            forms in prop::collection::vec(
                prop::collection::vec(
                    prop_oneof![
                        4 => prop::sample::select(&b"&=+%ab"[..]).prop_map(|b| vec![b]),
                        2 => any::<u8>().prop_map(|b| vec![b]),
                        2 => any::<u8>().prop_map(|b| format!("%{b:02X}").into_bytes()),
                        1 => any::<u8>().prop_map(|b| format!("%{b:02x}").into_bytes()),
                        1 => any::<char>().prop_map(|c| c.to_string().into_bytes()),
                    ],
                    0..40,
                )
                .prop_map(|parts| parts.concat()),
                0..3,
            )
        ) {
            assert_read_plainly(&forms);
        }
    }

    #[test]
    fn parameters_past_the_first_thousand_are_passed_over() {
        let many = b"a=%41&&".repeat(MAX_PARAMS - 1);
        for rest in [&b"b=2&c=3"[..], b"b=2&", b"&b=%FF&c=3&d=4"] {
            assert_read_plainly(&[[&many, rest].concat(), b"e=5&f".to_vec()]);
        }
        assert_read_plainly(&[many, b"b=2&c=3".to_vec(), b"d=4".to_vec()]);
    }

    #[test]
    fn plus_and_percent_are_decoded_and_order_is_kept() {
        let params = Params::from_form(b"From=%2B1555&Body=a+b%26c&Empty=&Flag");
        let all: Vec<_> = params.iter().collect();
        assert_eq!(all, [("From", "+1555"), ("Body", "a b&c"), ("Empty", ""), ("Flag", "")]);
    }

    #[test]
    fn broken_escapes_are_kept_as_they_are() {
        assert_eq!(Params::from_form(b"a=%zz%e9").get("a"), Some("%zz\u{fffd}"));
    }
}
