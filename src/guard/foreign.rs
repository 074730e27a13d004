//! What is known of a body that holds no TwiML document to deliver.

use http::{HeaderMap, StatusCode};

use super::media::ContentType;
use super::twiml::XmlFault;
use crate::twilio::Slot;

/// A body that holds no TwiML document to deliver; causes look at it in the catalogue's order and
/// the first that fits names it.
#[derive(Debug, Clone)]
pub struct Foreign<'a> {
    /// The body as text.
    pub text: &'a str,
    /// What Content-Type says.
    pub content_type: &'a ContentType,
    /// The answer's headers.
    pub headers: &'a HeaderMap,
    /// The answer's status.
    pub status: StatusCode,
    /// What Twilio does with the answer.
    pub slot: Slot,
    /// How many `<Response` roots there are.
    pub roots: usize,
    /// Why the one document is a quotation.
    pub quoted: Option<String>,
    /// Why the one document counts as cut off.
    pub truncated: Option<String>,
    /// What the strict reader stumbled over first.
    pub fault: XmlFault,
    /// The root's name, where the body is well-formed XML.
    pub root: Option<String>,
}
