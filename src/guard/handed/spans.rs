//! Where the URLs stand that a fit document hands out, without a copy of them.

use std::ops::Range;

/// Most URLs that are noted; a document with more is read again.
const MOST: usize = 12;

/// Where a document's URLs stand that are called, as [`fit`](crate::guard::fit) saw them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Spans {
    noted: [Span; MOST],
    len: u8,
    /// Each `<Gather>` without an action, a bit: whether it asks with GET.
    gathers: u16,
    gather_count: u8,
    /// Whether there were more than have room.
    is_cut: bool,
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

impl Default for Spans {
    fn default() -> Self {
        Self { noted: [Span::default(); MOST], len: 0, gathers: 0, gather_count: 0, is_cut: false }
    }
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
        match self.noted.get_mut(usize::from(self.len)) {
            Some(place) => {
                *place = Span { attribute, element, is_get, in_connect, ..Span::new(&span) };
                self.len += 1;
            }
            None => self.is_cut = true,
        }
    }

    /// Notes a `<Gather>` without an action.
    pub(in crate::guard) fn note_gather(&mut self, is_get: bool) {
        if u32::from(self.gather_count) < u16::BITS {
            self.gathers |= u16::from(is_get) << self.gather_count;
            self.gather_count += 1;
        } else {
            self.is_cut = true;
        }
    }

    /// How many URLs were noted so far.
    pub(in crate::guard) fn len(&self) -> usize {
        usize::from(self.len)
    }

    /// Sets the method of the attributes noted from one on.
    pub(in crate::guard) fn set_methods(&mut self, from: usize, is_get: impl Fn(u16) -> bool) {
        for span in self.noted.iter_mut().take(usize::from(self.len)).skip(from) {
            span.is_get = span.attribute.is_some_and(&is_get);
        }
    }

    /// Whether every URL was noted.
    pub(super) fn are_whole(&self) -> bool {
        !self.is_cut
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Span> {
        self.noted.iter().take(usize::from(self.len))
    }

    /// For each `<Gather>` without an action, whether it asks with GET.
    pub(super) fn gathers(&self) -> impl Iterator<Item = bool> {
        let gathers = self.gathers;
        (0..self.gather_count).map(move |at| gathers >> at & 1 != 0)
    }
}
