//! What an element says: its words, whatever elements mark them up.

use std::ops::Range;

use super::reading::Reading;
use super::twiml::chars::{Reference, reference};

/// One element and the words inside it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said {
    /// Index of the element.
    pub at: usize,
    /// Whether any element stands inside.
    pub has_elements: bool,
    /// How many characters are said, blanks at both ends left out; a reference is one.
    pub chars: usize,
}

/// Every element of this name with what it says; the words in elements named `beside` and in
/// elements of the same name are not counted.
pub fn said(reading: &Reading<'_>, name: &str, beside: &str) -> Vec<Said> {
    let elements = &reading.document.elements;
    let mut owners: Vec<Option<usize>> = Vec::with_capacity(elements.len());
    let mut found: Vec<(usize, bool, Vec<Range<usize>>)> = Vec::new();
    // Parents come before their children: one pass tells whose words each element's are.
    for (at, element) in elements.iter().enumerate() {
        let outer = element.parent.and_then(|parent| owners.get(parent).copied().flatten());
        if let Some((_, has_elements, _)) = outer.and_then(|outer| found.get_mut(outer)) {
            *has_elements = true;
        }
        let own = element.name_in(reading.text);
        let owner = if own == name {
            found.push((at, false, Vec::new()));
            Some(found.len() - 1)
        } else {
            outer.filter(|_| own != beside)
        };
        owners.push(owner);
        if let Some((_, _, spans)) = owner.and_then(|owner| found.get_mut(owner)) {
            spans.extend(element.texts.iter().cloned());
        }
    }
    found
        .into_iter()
        .map(|(at, has_elements, spans)| Said {
            at,
            has_elements,
            chars: characters(reading.text, spans),
        })
        .collect()
}

fn characters(text: &str, mut spans: Vec<Range<usize>>) -> usize {
    // An element's own words may go on behind a child's.
    spans.sort_by_key(|span| span.start);
    let (mut chars, mut blanks) = (0, 0);
    for span in spans {
        let before = text.get(..span.start).unwrap_or_default();
        let literal = before.ends_with("<![CDATA[");
        let piece = text.get(span).unwrap_or_default();
        let mut next = 0;
        for (at, c) in piece.char_indices() {
            if at < next {
                continue;
            }
            if c == '&'
                && !literal
                && let Reference::Legal(len) = reference(piece.get(at..).unwrap_or_default())
            {
                next = at + len;
            }
            if c.is_whitespace() {
                blanks += usize::from(chars > 0);
            } else {
                chars += blanks + 1;
                blanks = 0;
            }
        }
    }
    chars
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::guard::twiml;
    use crate::twilio::Slot;

    fn counted(text: &str, name: &str) -> Vec<usize> {
        let document = twiml::read(text).unwrap();
        let reading = Reading {
            text,
            document: &document,
            slot: Slot::Voice,
            own_hosts: &[],
            is_public: false,
            base: None,
        };
        said(&reading, name, "Media").into_iter().map(|said| said.chars).collect()
    }

    #[test]
    fn markup_is_not_counted_and_a_reference_is_one_character() {
        let text = "<Response><Say> a <s>b</s> &amp;<![CDATA[&amp;]]> </Say><Say/></Response>";
        assert_eq!(counted(text, "Say"), [10, 0]);
    }

    #[test]
    fn media_is_not_part_of_a_message() {
        let text =
            "<Response><Message>\n<Body>שלום</Body>\n<Media>/a.png</Media></Message></Response>";
        assert_eq!(counted(text, "Message"), [4]);
    }
}
