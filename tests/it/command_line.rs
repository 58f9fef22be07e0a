//! The `lanmu` command, as an operator runs it.

crate::facts![];
