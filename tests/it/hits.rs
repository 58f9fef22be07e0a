//! Hit counts: recorded, read, ranked, corrected.

crate::facts![];
