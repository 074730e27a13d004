//! A document as spans over its text: elements in document order, no copies.

use std::ops::Range;

/// A well-formed document. All spans are byte ranges of the text it was read from.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Document {
    /// The XML declaration.
    pub declaration: Option<Declaration>,
    /// Elements in document order; the root first.
    pub elements: Vec<Element>,
    /// The document type declaration.
    pub doctype: Option<Range<usize>>,
}

/// `<?xml …?>`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Declaration {
    /// From `<?` to `?>`.
    pub span: Range<usize>,
    /// The value of `version`: `1.0` or `1.1`.
    pub version: Range<usize>,
    /// The value of `encoding`.
    pub encoding: Option<Range<usize>>,
}

/// One element.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Element {
    /// Its name.
    pub name: Range<usize>,
    /// Index of its parent in [`Document::elements`]; `None` for the root.
    pub parent: Option<usize>,
    /// Its attributes, in order.
    pub attributes: Vec<Attribute>,
    /// Character data directly inside, in pieces; CDATA without its marks.
    pub texts: Vec<Range<usize>>,
    /// Start tag's first byte to end tag's last.
    pub span: Range<usize>,
}

/// One attribute.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attribute {
    /// Its name.
    pub name: Range<usize>,
    /// Its value, without quotes.
    pub value: Range<usize>,
}

impl Document {
    /// The root element; there always is one.
    pub fn root(&self) -> Option<&Element> {
        self.elements.first()
    }

    /// Elements directly below the root.
    pub fn verbs(&self) -> impl Iterator<Item = &Element> {
        self.elements.iter().filter(|element| element.parent == Some(0))
    }
}

impl Element {
    /// Its name as text.
    pub fn name_in<'t>(&self, text: &'t str) -> &'t str {
        text.get(self.name.clone()).unwrap_or_default()
    }

    /// The span of the name in its end tag; `None` for an element that closes itself.
    pub fn end_name_in(&self, text: &str) -> Option<Range<usize>> {
        let whole = text.get(self.span.clone())?;
        let at = whole.rfind("</").filter(|_| !whole.ends_with("/>"))?;
        let start = self.span.start + at + 2;
        Some(start..start + self.name.len())
    }

    /// The span of an attribute's value.
    pub fn attribute(&self, text: &str, name: &str) -> Option<Range<usize>> {
        self.attributes
            .iter()
            .find(|attribute| text.get(attribute.name.clone()) == Some(name))
            .map(|attribute| attribute.value.clone())
    }
}
