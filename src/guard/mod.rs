//! The pure core: facts in, judgement out.
//!
//! [`judge`] decides what leaves for Twilio; [`follow_up`] decides whether the backend is asked a
//! second time. Neither does IO, reads a clock or knows the environment.
#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

mod assess;
mod beside;
pub mod call;
pub mod causes;
pub mod charset;
mod chunks;
pub mod coding;
mod cookies;
mod deliver;
mod doubled;
mod edit;
mod envelope;
pub mod exchange;
pub mod explain;
pub mod fallback;
pub mod finding;
mod fit;
mod follow_up;
pub mod foreign;
mod handed;
pub mod head;
mod hosts;
mod judge;
pub mod judgement;
pub mod link;
mod links;
mod literals;
mod locate;
mod marks;
pub mod media;
mod mend;
mod notices;
mod origins;
mod page_around;
mod pages;
pub mod policy;
pub mod reading;
mod recover;
mod respell;
mod root;
mod rootless;
mod said;
mod shrink;
pub mod stream;
pub mod twiml;
mod unlabelled;
mod unwrap;
pub mod watch;
mod wide;
mod words;

pub use call::CallFacts;
pub use causes::{CAUSES, Cause};
pub use chunks::{begins_as_chunk, is_whole};
pub use exchange::{
    Answer, Attempt, AttemptReason, BodyEnd, Exchange, Failure, OddLine, OddPart, Oddities,
    Outcome, RequestFacts,
};
pub use fallback::{Fallback, Fallbacks};
pub use finding::{Finding, Grade, Place};
pub use fit::{Fit, Seen, fit};
pub use follow_up::resign::{Rebuilt, rebuilt, resign};
pub use follow_up::{RequestBody, SecondRequest, follow_up};
pub use handed::{Handed, Spans, handed_out, handed_out_by, is_document};
pub use judge::{is_challenge, judge, judge_by_reading, judge_in_full};
pub use judgement::{Delivery, DeliveryKind, Judgement, Verdict};
pub use link::{Link, Purpose};
pub use policy::Policy;
