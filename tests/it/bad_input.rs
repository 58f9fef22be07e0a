//! Every kind of bad input against every write route: a clear error, nothing written.

crate::facts![];
