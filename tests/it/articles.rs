//! Articles: written in management, read in delivery.

crate::facts![];
