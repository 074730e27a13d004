//! Where the parts of a head stand in its bytes.

use bytes::Bytes;

/// Header lines of most heads.
pub(super) const USUAL_FIELDS: usize = 16;

/// The parts of a head, as its reader found them.
#[derive(Debug, Clone, Default)]
pub(super) struct Layout {
    pub(super) method: Part,
    pub(super) target: Part,
    /// HTTP/1.0.
    pub(super) is_old: bool,
    /// Name and value of each line, without what stands around them.
    pub(super) fields: Vec<(Part, Part)>,
}

/// A span of a head's bytes.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Part {
    start: u32,
    len: u32,
}

impl Part {
    pub(super) fn new(start: usize, len: usize) -> Self {
        // No head is so large; one that were would be cut there and understood as nothing.
        let short = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        Self { start: short(start), len: short(len) }
    }

    /// Its bytes.
    pub(super) fn of(self, head: &[u8]) -> &[u8] {
        let (start, end) = self.span(head);
        head.get(start..end).unwrap_or_default()
    }

    /// The same, shared with the head.
    pub(super) fn shared(self, head: &Bytes) -> Bytes {
        let (start, end) = self.span(head);
        head.slice(start..end)
    }

    fn span(self, head: &[u8]) -> (usize, usize) {
        let start = (self.start as usize).min(head.len());
        (start, start.saturating_add(self.len as usize).min(head.len()))
    }
}
