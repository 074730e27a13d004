//! Reading TwiML: strictly, and as far as it can be mended.

mod attributes;
pub mod bounds;
pub mod chars;
pub mod document;
pub mod entities;
pub mod grammar;
mod names;
mod namespaces;
mod reader;
mod tags;

pub use document::{Attribute, Declaration, Document, Element};
pub use reader::{XmlFault, read};
