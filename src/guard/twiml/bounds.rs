//! Numbers in TwiML's attributes, and what they may be.
//!
//! Source: the names of Twilio's warnings (13xxx) and the schema that Twilio used to publish
//! (whole numbers; `loop` from 0, `numDigits` from 1). Only bounds that both bear out are here.

/// What one attribute may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bound {
    /// The attribute.
    pub attribute: &'static str,
    /// The element that it stands on.
    pub element: &'static str,
    /// The least number.
    pub least: u32,
    /// A word that may stand in place of a number.
    pub word: Option<&'static str>,
}

/// The bounds of the attributes of an element.
pub fn bounds(element: &str) -> impl Iterator<Item = &'static Bound> {
    BOUNDS.iter().filter(move |bound| bound.element == element)
}

impl Bound {
    /// Whether Twilio takes a value.
    pub fn allows(&self, value: &str) -> bool {
        let value = value.trim();
        if Some(value) == self.word {
            return true;
        }
        let digits = value.strip_prefix('+').unwrap_or(value);
        let whole = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
        // What is too large to be read is large enough.
        whole && digits.parse::<u32>().map_or(true, |number| number >= self.least)
    }
}

const fn from(
    least: u32,
    element: &'static str,
    attribute: &'static str,
    word: Option<&'static str>,
) -> Bound {
    Bound { attribute, element, least, word }
}

static BOUNDS: &[Bound] = &[
    from(0, "Dial", "timeLimit", None),
    from(0, "Dial", "timeout", None),
    from(0, "Gather", "maxSpeechTime", None),
    from(1, "Gather", "numDigits", None),
    from(0, "Gather", "speechTimeout", Some("auto")),
    from(0, "Gather", "timeout", Some("auto")),
    from(0, "Pause", "length", None),
    from(0, "Play", "loop", None),
    from(0, "Record", "maxLength", None),
    from(0, "Record", "timeout", None),
    from(0, "Say", "loop", None),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::guard::twiml::grammar;

    #[test]
    fn every_bound_is_of_an_attribute_that_is_known() {
        for bound in BOUNDS {
            let known = grammar::attributes(bound.element);
            assert!(known.contains(&bound.attribute), "{} {}", bound.element, bound.attribute);
        }
    }

    #[test]
    fn numbers_are_whole_and_large_enough() {
        let [digits] = bounds("Gather").filter(|b| b.least == 1).collect::<Vec<_>>()[..] else {
            panic!("one bound from 1");
        };
        for value in ["1", " 20 ", "+3", "99999999999"] {
            assert!(digits.allows(value), "{value}");
        }
        for value in ["0", "-1", "", "1.5", "one", "5s", "auto", "+", "٣"] {
            assert!(!digits.allows(value), "{value}");
        }
    }
}
