//! The parameters of a webhook request, from its form body or its query.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode, utf8_percent_encode};

/// Decoded parameters in the order in which they came; names may repeat.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Params(Vec<(String, String)>);

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
        for pair in form.split(|&b| b == b'&').filter(|pair| !pair.is_empty()) {
            if self.0.len() >= MAX_PARAMS {
                return;
            }
            let mut halves = pair.splitn(2, |&b| b == b'=');
            let name = decode(halves.next().unwrap_or_default());
            let value = decode(halves.next().unwrap_or_default());
            self.0.push((name, value));
        }
    }

    /// The first value of a parameter.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(n, _)| n == name).map(|(_, v)| v.as_str())
    }

    /// Whether the parameter is there, empty or not.
    pub fn has(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    /// Names and values in the order in which they came.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(n, v)| (n.as_str(), v.as_str()))
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl FromIterator<(String, String)> for Params {
    fn from_iter<T: IntoIterator<Item = (String, String)>>(iter: T) -> Self {
        Self(iter.into_iter().collect())
    }
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

fn decode(bytes: &[u8]) -> String {
    let spaced: Vec<u8> = bytes.iter().map(|&b| if b == b'+' { b' ' } else { b }).collect();
    percent_decode(&spaced).decode_utf8_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_is_encoded_is_read_alike(params in prop::collection::vec((".{1,8}", ".{0,12}"), 0..6)) {
            let written = form(params.iter().map(|(name, value)| (name.as_str(), value.as_str())));
            prop_assert_eq!(Params::from_form(written.as_bytes()), params.into_iter().collect());
        }
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
