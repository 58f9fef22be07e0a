//! Sign-in, tokens, and who is let in.

crate::facts![];
