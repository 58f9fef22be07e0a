//! Lists: filters, sorts, pages and cursors.

crate::facts![];
