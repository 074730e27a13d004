//! Where the URLs stand that a fit document hands out, without a copy of them.

use std::ops::Range;

use super::last::Last;

/// Where a document's URLs stand that are called, as [`fit`](crate::guard::fit) saw them.
#[derive(Debug, Default)]
pub struct Spans {
    noted: Vec<Span>,
    /// Each `<Gather>` without an action: whether it asks with GET.
    gathers: Vec<bool>,
    /// What they came to the last time.
    pub(super) last: Last,
}

/// One URL.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Span {
    start: u32,
    end: u32,
    /// The index of its attribute among all; none for an element's text.
    pub(super) attribute: Option<u16>,
    /// The index of its element.
    pub(super) element: u8,
    pub(super) is_get: bool,
    pub(super) in_connect: bool,
}

impl Span {
    #[allow(clippy::cast_possible_truncation)] // Documents end at 64 kB.
    fn new(span: &Range<usize>) -> Self {
        Self { start: span.start as u32, end: span.end as u32, ..Self::default() }
    }

    pub(super) fn range(&self) -> Range<usize> {
        self.start as usize..self.end as usize
    }
}

impl Spans {
    /// Notes where a URL stands, blanks at both ends left out: in which element, and which
    /// attribute of it.
    pub(in crate::guard) fn note(
        &mut self,
        span: Range<usize>,
        element: u8,
        attribute: Option<u16>,
        is_get: bool,
        in_connect: bool,
    ) {
        self.noted.push(Span { attribute, element, is_get, in_connect, ..Span::new(&span) });
    }

    /// Notes a `<Gather>` without an action.
    pub(in crate::guard) fn note_gather(&mut self, is_get: bool) {
        self.gathers.push(is_get);
    }

    /// How many URLs were noted so far.
    pub(in crate::guard) fn len(&self) -> usize {
        self.noted.len()
    }

    /// Sets the method of the attributes noted from one on.
    pub(in crate::guard) fn set_methods(&mut self, from: usize, is_get: impl Fn(u16) -> bool) {
        for span in self.noted.iter_mut().skip(from) {
            span.is_get = span.attribute.is_some_and(&is_get);
        }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Span> {
        self.noted.iter()
    }

    /// For each `<Gather>` without an action, whether it asks with GET.
    pub(super) fn gathers(&self) -> impl Iterator<Item = bool> {
        self.gathers.iter().copied()
    }
}
