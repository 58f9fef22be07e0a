//! Queries of hit counts.

mod counts;
mod managed;
mod record;
mod salts;

pub use counts::{
    Of, Window, counts, daily, first_day, last_of, ledgers, section_total, section_windows,
    site_total, top,
};
pub use managed::{Among, Correction, ManagedSort, correct, managed_page_ids};
pub use record::{Recorded, View, add_history, record, reject, start_from};
pub use salts::{find_salt, salt, tidy};
