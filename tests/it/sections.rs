//! Sections: the tree, its order, slugs and counts.

crate::facts![];
