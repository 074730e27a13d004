//! What causes have in common once it comes to mending the program.

/// What has to change in the program.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Need {
    /// The source files begin with a byte order mark.
    ByteOrderMark,
    /// The answer's bytes aren't what its headers say of compression.
    Compression,
    /// An empty answer, or `OK`, where a document belongs.
    Document,
    /// Nobody answers behind this server.
    Down,
    /// The text isn't UTF-8.
    Encoding,
    /// An error shows as a page, as JSON or as text.
    ErrorPage,
    /// The document is put together by hand and breaks.
    Escaping,
    /// The request is turned away: login, signature or address.
    Forbidden,
    /// A check of forms turns Twilio's POST away.
    Forgery,
    /// The framework made JSON of it.
    Json,
    /// A warning or a stray print goes out before or after the document.
    Output,
    /// A web page of the site is at this URL.
    Page,
    /// The form's fields weren't found where the program looks.
    Parameters,
    /// Another URL is meant.
    Redirect,
    /// No such route.
    Route,
    /// The route takes another method.
    Verb,
    /// Content-Type.
    Type,
    /// A template escaped the document.
    Wrapped,
}

impl Need {
    /// Every need.
    pub const ALL: [Self; 18] = [
        Self::ByteOrderMark,
        Self::Compression,
        Self::Document,
        Self::Down,
        Self::Encoding,
        Self::ErrorPage,
        Self::Escaping,
        Self::Forbidden,
        Self::Forgery,
        Self::Json,
        Self::Output,
        Self::Page,
        Self::Parameters,
        Self::Redirect,
        Self::Route,
        Self::Verb,
        Self::Type,
        Self::Wrapped,
    ];
}

/// What a cause needs; `None` where the catalogue's own remedy says all.
pub(super) fn of(slug: &str, status: u16, text: &str) -> Option<Need> {
    Some(match slug {
        "byte-order-mark" => Need::ByteOrderMark,
        "unauthorized" | "client-error" | "csrf-refused" if is_forgery(status, text) => {
            Need::Forgery
        }
        "unauthorized" | "redirect-target-unauthorized" => Need::Forbidden,
        "csrf-refused" => Need::Forgery,
        "client-error" => Need::Parameters,
        "not-found" => Need::Route,
        "wrong-method" | "method-refused" => Need::Verb,
        "redirect-followed" | "redirect-refused" => Need::Redirect,
        "connection-refused" | "connect-timeout" | "backend-unreachable" => Need::Down,
        "server-error" | "html-page" | "json-answer" | "program-output" | "prose" | "not-twiml"
            if matches!(status, 502..=504 | 520..=530) =>
        {
            Need::Down
        }
        "server-error" => Need::ErrorPage,
        "html-page" | "json-answer" | "program-output" | "prose" | "not-twiml" if status >= 500 => {
            Need::ErrorPage
        }
        // The status says it already.
        "html-page" | "json-answer" | "program-output" | "prose" | "not-twiml" if status >= 400 => {
            return None;
        }
        "html-page" if is_php(text, &["Fatal error", "Parse error"]) => Need::ErrorPage,
        "html-page" if is_php(text, &["Warning", "Notice", "Deprecated"]) => Need::Output,
        "html-page" | "single-page-app" => Need::Page,
        "json-answer" | "wrapped-in-json" => Need::Json,
        "program-output"
        | "text-before"
        | "text-after"
        | "program-output-inside"
        | "document-truncated"
            if is_php(text, &["Fatal error", "Parse error"]) =>
        {
            Need::ErrorPage
        }
        "program-output"
        | "text-before"
        | "text-after"
        | "declaration-misplaced"
        | "program-output-inside"
        | "several-documents" => Need::Output,
        "no-content" | "empty-body" | "acknowledgement" | "prose" | "not-twiml" => Need::Document,
        "content-type-missing"
        | "content-type-doubled"
        | "content-type-malformed"
        | "content-type-html"
        | "content-type-wrong" => Need::Type,
        "wrapped-escaped" | "wrapped-in-page" | "wrapped-in-literal" | "wrapped-encoded"
        | "wrapped-in-cdata" => Need::Wrapped,
        "charset-not-utf8"
        | "charset-doubled"
        | "undecodable"
        | "charset-label-untrue"
        | "declaration-untrue" => Need::Encoding,
        "bare-ampersand" | "bare-less-than" | "html-entity" | "cdata-end-in-text"
        | "control-character" | "comment-malformed" | "not-well-formed" | "letter-case"
        | "root-missing" | "root-misspelt" | "verb-unknown" | "attribute-unknown" => Need::Escaping,
        slug if slug.starts_with("attribute-") || slug.starts_with("end-tag") => Need::Escaping,
        slug if slug.starts_with("coding-") => Need::Compression,
        _ => return None,
    })
}

/// Django's 403, Laravel's 419 and Rails' 422 for a form without a token.
fn is_forgery(status: u16, text: &str) -> bool {
    status == 419
        || text.contains("CSRF")
        || text.contains("InvalidAuthenticityToken")
        || (status == 422 && text.contains("The change you wanted was rejected"))
}

/// Whether PHP shows one of its messages, by the word that it sets in bold.
fn is_php(text: &str, words: &[&str]) -> bool {
    words.iter().any(|word| text.contains(&format!("<b>{word}</b>")))
}
