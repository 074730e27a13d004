//! Reading TwiML: strictly, and as far as it can be mended.

pub mod chars;
mod derived;
pub mod document;
pub mod entities;
pub mod grammar;
mod names;
mod namespaces;
mod reader;
mod tags;
pub mod values;

pub use document::{Attribute, Declaration, Document, Element};
pub use reader::{XmlFault, read};
