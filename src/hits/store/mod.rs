//! Queries of hit counts.

mod counts;
mod fold;
mod log;
mod managed;
mod pending;
mod ranks;
mod record;
mod retention;
mod salts;
mod series;

pub use counts::{SectionViews, counts, ledgers, section_views, site_total, totals};
pub use fold::{Gathered, apply, fold_part, move_sums, sweep, take, tell_nodes};
pub use log::{Delta, State, Views, append, append_if, latest_of_others, state, take_up_after};
pub use managed::{
    Among, Correction, Exported, ManagedSort, Refusal, add_history, correct, exported,
    managed_page_ids, start_from,
};
pub use ranks::{Ranking, Window, last_of};
pub use record::{note_hit_ids, note_visits, visited};
pub use retention::{Kept, keep_alive, rank_again, roll_up, tidy};
pub use salts::{find_salt, salt};
pub use series::{Of, Series, daily, hourly, month_of, monthly};
