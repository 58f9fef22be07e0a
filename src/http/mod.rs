//! What every feature's handlers share: reading requests, paging, checking members, answering.

pub mod answer;
pub mod body;
pub mod client;
pub mod fields;
pub mod frame;
pub mod keys;
pub mod mount;
pub mod paging;
pub mod params;
pub mod precondition;
pub mod reference;
