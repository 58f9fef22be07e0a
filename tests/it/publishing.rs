//! The life of an article: publish, schedule, expire, trash.

crate::facts![];
