//! What several tests share.

pub mod ask;
pub mod case;
pub mod coding;
pub mod contract;
pub mod fit;
pub mod http;
pub mod same;
pub mod show;
pub mod spoil;
pub mod stream;
pub mod witness;
