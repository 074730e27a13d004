//! The strict reader: quick-xml cuts the text into markup, the layer here checks everything else
//! that XML 1.0 asks of a document (quick-xml alone is no well-formedness checker).

use std::ops::Range;

use quick_xml::Reader;
use quick_xml::events::Event;

use super::chars::{MAX_NAME, is_blank, is_char, is_plain, is_too_long, name_len};
use super::document::{Document, Element};
use super::{namespaces, tags};

/// Why a text is not a well-formed document.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct XmlFault {
    /// Byte offset in the text.
    pub offset: usize,
    /// What was expected and found.
    pub message: String,
}

impl XmlFault {
    /// A fault at a byte offset.
    pub fn new(offset: usize, message: String) -> Self {
        Self { offset, message }
    }
}

/// Elements nested deeper than this are refused; Twilio's deepest legal nesting is below ten.
const MAX_DEPTH: usize = 256;
/// More elements than this are refused; 64 kB hold some 16,000 of the shortest.
const MAX_ELEMENTS: usize = 50_000;

/// Reads a document strictly, as XML 1.0 (with namespaces) defines a well-formed one.
///
/// `text` starts after any byte order mark. Blanks before the root are fine where no declaration
/// follows. One that declares 1.1 is read as 1.0, too. A document type declaration is noted, not read: the caller refuses it.
pub fn read(text: &str) -> Result<Document, XmlFault> {
    let odd = || text.char_indices().find(|&(_, c)| !is_char(c));
    if !is_plain(text.as_bytes())
        && let Some((at, c)) = odd()
    {
        return Err(XmlFault::new(
            at,
            format!("character U+{:04X} is not allowed in XML", u32::from(c)),
        ));
    }
    let mut reader = Reader::from_str(text);
    let config = reader.config_mut();
    config.check_comments = true;
    config.check_end_names = true;
    config.allow_dangling_amp = false;
    let mut builder =
        Builder { text, document: Document::default(), open: Vec::new(), closed: false };
    let mut start = 0;
    loop {
        let event = reader.read_event().map_err(|error| {
            let at = usize::try_from(reader.error_position()).unwrap_or(start);
            XmlFault::new(at.min(text.len()), error.to_string())
        })?;
        let end = usize::try_from(reader.buffer_position()).unwrap_or(text.len());
        let span = start..end;
        start = end;
        match event {
            Event::Eof => return builder.finish(),
            Event::Start(_) => builder.start(span, false)?,
            Event::Empty(_) => builder.start(span, true)?,
            Event::End(_) => builder.end(&span)?,
            Event::Text(_) | Event::GeneralRef(_) => builder.text(span)?,
            Event::CData(_) => builder.cdata(span)?,
            Event::Comment(_) => builder.comment(&span)?,
            Event::Decl(_) => builder.declaration(span)?,
            Event::PI(_) => builder.instruction(&span)?,
            Event::DocType(_) => builder.doctype(span)?,
        }
    }
}

struct Builder<'t> {
    text: &'t str,
    document: Document,
    /// Indices of the open elements, outermost first.
    open: Vec<usize>,
    /// Whether the root was closed.
    closed: bool,
}

impl Builder<'_> {
    fn slice(&self, span: &Range<usize>) -> &str {
        self.text.get(span.clone()).unwrap_or_default()
    }

    fn start(&mut self, span: Range<usize>, empty: bool) -> Result<(), XmlFault> {
        if self.closed {
            return Err(XmlFault::new(
                span.start,
                "a second root element follows the first".to_owned(),
            ));
        }
        if self.open.len() >= MAX_DEPTH || self.document.elements.len() >= MAX_ELEMENTS {
            return Err(XmlFault::new(
                span.start,
                format!("more than {MAX_DEPTH} levels or {MAX_ELEMENTS} elements"),
            ));
        }
        let (name, attributes) = tags::start_tag(self.text, span.clone())?;
        let index = self.document.elements.len();
        let parent = self.open.last().copied();
        self.document.elements.push(Element { name, parent, attributes, texts: Vec::new(), span });
        namespaces::check(self.text, &self.document.elements, index)?;
        if empty {
            self.closed = self.open.is_empty();
        } else {
            self.open.push(index);
        }
        Ok(())
    }

    fn end(&mut self, span: &Range<usize>) -> Result<(), XmlFault> {
        let name = tags::end_tag(self.text, span)?;
        let Some(element) = self.open.pop().and_then(|at| self.document.elements.get_mut(at))
        else {
            return Err(XmlFault::new(span.start, "an end tag closes nothing".to_owned()));
        };
        element.span.end = span.end;
        let opened = element.name.clone();
        if self.slice(&opened) != self.slice(&name) {
            let message =
                format!("expected `</{}>`, found `</{}>`", self.slice(&opened), self.slice(&name));
            return Err(XmlFault::new(span.start, message));
        }
        self.closed = self.open.is_empty();
        Ok(())
    }

    fn text(&mut self, span: Range<usize>) -> Result<(), XmlFault> {
        let content = self.slice(&span);
        let Some(&open) = self.open.last() else {
            return match content.char_indices().find(|&(_, c)| !is_blank(c)) {
                None => Ok(()),
                Some((at, _)) => {
                    let place = if self.closed { "after" } else { "before" };
                    Err(XmlFault::new(
                        span.start + at,
                        format!("text stands {place} the root element"),
                    ))
                }
            };
        };
        if let Some(at) = memchr::memmem::find(content.as_bytes(), b"]]>") {
            return Err(XmlFault::new(
                span.start + at,
                "`]]>` stands unescaped in text".to_owned(),
            ));
        }
        tags::references(self.text, span.clone())?;
        if let Some(element) = self.document.elements.get_mut(open) {
            match element.texts.last_mut() {
                Some(last) if last.end == span.start => last.end = span.end,
                _ => element.texts.push(span),
            }
        }
        Ok(())
    }

    fn cdata(&mut self, span: Range<usize>) -> Result<(), XmlFault> {
        let Some(&open) = self.open.last() else {
            return Err(XmlFault::new(
                span.start,
                "a CDATA section stands outside the root element".to_owned(),
            ));
        };
        if let Some(element) = self.document.elements.get_mut(open) {
            element.texts.push(span.start + 9..span.end.saturating_sub(3).max(span.start + 9));
        }
        Ok(())
    }

    fn comment(&self, span: &Range<usize>) -> Result<(), XmlFault> {
        let inner = self.text.get(span.start + 4..span.end.saturating_sub(3)).unwrap_or_default();
        if span.len() < 7 || inner.contains("--") || inner.ends_with('-') {
            return Err(XmlFault::new(span.start, "`--` stands inside a comment".to_owned()));
        }
        Ok(())
    }

    fn declaration(&mut self, span: Range<usize>) -> Result<(), XmlFault> {
        if span.start != 0 {
            return Err(XmlFault::new(
                span.start,
                "the XML declaration stands after the document's first byte".to_owned(),
            ));
        }
        self.document.declaration = Some(tags::declaration(self.text, span)?);
        Ok(())
    }

    fn instruction(&self, span: &Range<usize>) -> Result<(), XmlFault> {
        let inner = self.text.get(span.start + 2..span.end.saturating_sub(2)).unwrap_or_default();
        let len = name_len(inner);
        let target = inner.get(..len).unwrap_or_default();
        let rest = inner.get(len..).unwrap_or_default();
        if len == 0 || target.contains(':') || !(rest.is_empty() || rest.starts_with(is_blank)) {
            return Err(XmlFault::new(span.start, "expected a name after `<?`".to_owned()));
        }
        if is_too_long(target) {
            let message = format!("expected a name of at most {MAX_NAME} characters after `<?`");
            return Err(XmlFault::new(span.start, message));
        }
        if target.eq_ignore_ascii_case("xml") {
            return Err(XmlFault::new(
                span.start,
                format!("`<?{target}` stands where no XML declaration may"),
            ));
        }
        Ok(())
    }

    fn doctype(&mut self, span: Range<usize>) -> Result<(), XmlFault> {
        let keyword = self.slice(&span).starts_with("<!DOCTYPE");
        if !keyword || !self.document.elements.is_empty() || self.document.doctype.is_some() {
            return Err(XmlFault::new(span.start, "a DOCTYPE stands where none may".to_owned()));
        }
        self.document.doctype = Some(span);
        Ok(())
    }

    fn finish(self) -> Result<Document, XmlFault> {
        if self.closed {
            return Ok(self.document);
        }
        let message = match self.open.last().and_then(|&at| self.document.elements.get(at)) {
            Some(element) => format!("expected `</{}>`, found the end", self.slice(&element.name)),
            None => "expected a root element, found none".to_owned(),
        };
        Err(XmlFault::new(self.text.len(), message))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(text: &str) -> String {
        read(text).map(|_| ()).expect_err(text).message
    }

    #[test]
    fn good_documents_are_read() {
        for text in [
            "<Response/>",
            " \n<Response></Response>\n",
            "<?xml version=\"1.0\" encoding='UTF-8' standalone=\"yes\"?><!-- c --><Response a='1' b = \"2\"><Say>a &amp; b &#x5d0;</Say><![CDATA[<x>]]></Response><?pi x?>",
            "<?xml version='1.1'?><Response/>",
            "<Response xmlns:a=\"urn:x\"><a:b a:c=\"1\"/></Response>",
            "<Say>שלום > ]] </Say>",
        ] {
            read(text).unwrap_or_else(|fault| panic!("{text}: {fault:?}"));
        }
    }

    #[test]
    fn what_quick_xml_lets_pass_is_refused() {
        for text in [
            "",
            "   ",
            "text",
            "<Response/><Response/>",
            "<Response/>x",
            "<Response>",
            "</Response>",
            "<a></b>",
            "<a b='1' b='2'/>",
            "<a b='<'/>",
            "<a>\u{1}</a>",
            "<a>&#0;</a>",
            "<a>&nbsp;</a>",
            "<a>&</a>",
            "<a>a & b</a>",
            "<a b='&x'/>",
            "<a b=1/>",
            "<a b/>",
            "<a b='1'c='2'/>",
            "<a>]]></a>",
            "<!-- -- --><a/>",
            "<!-- x ---><a/>",
            "<?xml version='1.0'?><?xml version='1.0'?><a/>",
            "\n<?xml version='1.0'?><a/>",
            "<?XML version='1.0'?><a/>",
            "<?xml version='1.2'?><a/>",
            "<?xml encoding='UTF-8'?><a/>",
            "<?xml version='1.0' encoding='u t'?><a/>",
            "<a><?xml version='1.0'?></a>",
            "<a:b/>",
            "<a::b/>",
            "< a/>",
            "<1/>",
            "<a/ >",
            "<a>< /a>",
            "<![CDATA[x]]><a/>",
            "<a><!DOCTYPE b></a>",
            "<a",
            "<a b='",
            "<!--",
            "<a><![CDATA[",
            "<?xml version='1.0'",
            "<a></a",
            "</>",
            "<>",
            "<a / b='1'>",
            "<a\u{feff}/>",
            "<a 🙂='1'/>",
            "<a b='1'/></a>",
        ] {
            assert!(read(text).is_err(), "{text}");
        }
    }

    #[test]
    fn faults_say_what_was_expected_and_found() {
        assert_eq!(fault("<a b=1/>"), "expected a quoted attribute value, found `1`");
        assert_eq!(fault("<Response><Say>x</Say>"), "expected `</Response>`, found the end");
        assert_eq!(fault("<a>&nbsp;</a>"), "entity `&nbsp;` is not declared");
    }

    #[test]
    fn spans_point_into_the_text() {
        let text = "<Response><Say voice=\"alice\">Hi &amp; bye</Say></Response>";
        let document = read(text).unwrap();
        let say = &document.elements[1];
        assert_eq!(say.name_in(text), "Say");
        assert_eq!(&text[say.attribute(text, "voice").unwrap()], "alice");
        assert_eq!(&text[say.texts[0].clone()], "Hi &amp; bye");
        assert_eq!(&text[say.span.clone()], "<Say voice=\"alice\">Hi &amp; bye</Say>");
    }
}
