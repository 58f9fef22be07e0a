//! Migrations, the schema of both databases, plans, transactions.

crate::facts![];
