//! The catalogue of causes: one file each, one word in the list below each.
//!
//! The order of the list is the order in which fetching and reading an answer can fail; among the
//! causes that say what a body is instead of TwiML, the first that fits names it.

use http::StatusCode;

use super::exchange::{Answer, Failure, OddPart};
use super::foreign::Foreign;
use super::media::ContentType;
use super::reading::{Found, Reading};
use super::stream::StreamReport;

/// One named way in which an answer is not acceptable.
#[derive(Debug)]
pub struct Cause {
    /// Its stable name: log field, metric label, argument of `explain`.
    pub slug: &'static str,
    /// Where in the reading of an answer it is looked for.
    pub stage: Stage,
    /// Whether Twilio's caller suffers.
    pub level: Level,
    /// Twilio's codes that such an answer becomes, most likely first.
    pub codes: &'static [u32],
    /// What those codes rest on.
    pub evidence: Evidence,
    /// One line: what it is.
    pub explain: &'static str,
    /// One line: what to fix in the backend.
    pub remedy: &'static str,
    /// What the guard does about it, a few words.
    pub action: &'static str,
    /// How it is found.
    pub check: Check,
}

impl Cause {
    /// Whether both are the same entry of the catalogue.
    pub fn is(&self, other: &Self) -> bool {
        self.slug == other.slug
    }
}

/// How a cause is found.
#[derive(Debug, Clone, Copy)]
pub enum Check {
    /// In how a body ended; gives the evidence.
    Body(fn(&Answer) -> Option<String>),
    /// By the stage that undoes it while it reads.
    Elsewhere,
    /// In how there came no answer; gives the evidence.
    Failure(fn(&Failure) -> Option<String>),
    /// In a body that holds no TwiML document; gives the evidence.
    Foreign(fn(&Foreign<'_>) -> Option<String>),
    /// In the lines of an answer's head that HTTP readers refuse or pass over.
    Head(OddPart),
    /// In a well-formed document.
    Grammar(fn(&Reading<'_>) -> Vec<Found>),
    /// In what a stream came to; gives the evidence.
    Stream(fn(&StreamReport) -> Option<String>),
    /// In the status of an answer.
    Status(fn(StatusCode) -> bool),
    /// In the Content-Type of a document; the flag says whether that is ASCII throughout.
    Type(fn(&ContentType, bool) -> bool),
}

/// The order in which fetching and reading a document can fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Stage {
    /// No whole answer came.
    Transport,
    /// The status line.
    Status,
    /// Content-Encoding.
    Coding,
    /// Bytes to characters.
    Charset,
    /// Characters to a document.
    Document,
    /// The document's verbs.
    Grammar,
    /// The document's URLs.
    Links,
    /// The headers.
    Headers,
    /// A WebSocket, from its handshake to its end.
    Stream,
}

impl Stage {
    /// Its name in docs.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Charset => "charset",
            Self::Coding => "coding",
            Self::Document => "document",
            Self::Grammar => "grammar",
            Self::Headers => "headers",
            Self::Links => "links",
            Self::Status => "status",
            Self::Stream => "stream",
            Self::Transport => "transport",
        }
    }
}

/// How bad a cause is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Level {
    /// The caller hears the application error (or would, unrepaired).
    Fault,
    /// Twilio accepts it; recorded without alarm.
    Warning,
}

/// What a claim about Twilio's behaviour rests on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Evidence {
    /// Twilio's own pages.
    Documented,
    /// Inferred from the others; never to be stated as Twilio's behaviour.
    Inferred,
    /// Reports of users.
    Reported,
}

impl Evidence {
    /// Its name in docs.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Documented => "documented",
            Self::Inferred => "inferred",
            Self::Reported => "reported",
        }
    }
}

macro_rules! catalogue {
    ($($stage:ident { $($name:ident),+ $(,)? })+) => {
        $(
            #[doc = concat!("Causes of the stage `", stringify!($stage), "`.")]
            pub mod $stage { $(pub mod $name;)+ }
        )+

        /// Every cause, in the order of the stages.
        pub static CAUSES: &[&Cause] = &[$($(&$stage::$name::CAUSE,)+)+];
    };
}

catalogue! {
    transport { connection_refused, connect_timeout, backend_unreachable, connection_reset, closed_early, not_http, headers_too_late, guard_failure, guard_full, request_unfit, status_line_malformed, head_malformed, content_length_invalid, transfer_coding_invalid, body_truncated, body_too_late, answer_too_large }
    status { unauthorized, genuine_request_refused, signature_resigned, csrf_refused, not_found, method_refused, rate_limited, client_error, server_error, odd_success, redirect_followed, redirect_refused, redirect_target_unauthorized, wrong_method, double_slash_in_request, post_lost, rewrite_refused }
    coding { coding_unasked, coding_undeclared, coding_untrue, coding_identity, coding_tail_damaged, coding_corrupt, coding_bomb }
    charset { byte_order_mark, charset_not_utf8, charset_doubled, undecodable }
    document { no_content, empty_body, several_documents, twiml_quoted, doctype_with_subset, document_truncated, not_well_formed, single_page_app, html_page, json_answer, root_not_response, program_output, acknowledgement, audio_unsuited, prose, not_twiml, text_before, text_after, wrapped_in_page, wrapped_in_json, wrapped_escaped, wrapped_encoded, wrapped_in_cdata, wrapped_in_literal, declaration_untrue, declaration_misplaced, bare_ampersand, html_entity, bare_less_than, cdata_end_in_text, control_character, comment_malformed, doctype, attribute_unquoted, attribute_curly_quoted, attribute_blank_missing, attribute_doubled, attribute_quote_missing, attribute_quote_escaped, attribute_separator_stray, tag_blank_inside, bracket_doubled, name_prefixed, end_tag_missing, end_tag_needless, end_tag_misspelt, end_tags_crossed, end_tag_foreign, root_missing, root_misspelt, root_doubled }
    grammar { twiml_too_large, letter_case, verb_forbidden_in_wait, dial_in_whisper, verb_wrong_channel, verb_unknown, attribute_unknown, callback_misplaced, value_out_of_range, value_unknown, keys_malformed, number_malformed, sip_address_malformed, sid_malformed, name_unfit, task_not_json, values_at_odds, nouns_mixed, messages_too_many, nesting_wrong, text_misplaced, say_empty, say_too_long, message_empty, message_too_long, track_refused, program_output_inside, placeholder_unfilled }
    links { scheme_doubled, own_host_double_slash, own_host_without_scheme, stream_scheme_wrong, link_malformed, foreign_link_odd, link_private, link_foreign }
    headers { content_type_missing, content_type_doubled, content_type_malformed, content_type_html, content_type_wrong, charset_label_untrue, cookie_refused, header_malformed, answer_slow, callback_failed, callback_slow }
    stream { stream_upgrade_lost, stream_refused, stream_unreachable, stream_garbage, stream_closed_with_error, stream_lost, stream_never_started, stream_died_at_once, stream_binary_message, stream_message_rejected, stream_relay_error }
}

/// The cause with this slug.
pub fn by_slug(slug: &str) -> Option<&'static Cause> {
    CAUSES.iter().copied().find(|cause| cause.slug == slug)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::twilio::codes;

    #[test]
    fn slugs_are_unique_and_fit_labels() {
        let slugs: BTreeSet<_> = CAUSES.iter().map(|cause| cause.slug).collect();
        assert_eq!(slugs.len(), CAUSES.len());
        for slug in slugs {
            assert!(
                slug.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-'),
                "{slug}"
            );
        }
    }

    #[test]
    fn stages_come_in_order() {
        assert!(CAUSES.is_sorted_by_key(|cause| cause.stage));
    }

    #[test]
    fn every_code_is_in_the_dictionary() {
        for cause in CAUSES {
            for &code in cause.codes {
                assert!(codes::lookup(code).is_some(), "{}: {code}", cause.slug);
            }
        }
    }

    #[test]
    fn texts_are_one_line_each() {
        for cause in CAUSES {
            for text in [cause.explain, cause.remedy, cause.action] {
                assert!(
                    !text.is_empty() && !text.contains('\n') && !text.ends_with('.'),
                    "{}: {text}",
                    cause.slug
                );
            }
        }
    }
}
