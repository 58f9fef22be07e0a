//! How titles sort.

use std::sync::LazyLock;

use icu_collator::options::CollatorOptions;
use icu_collator::{Collator, CollatorBorrowed};
use icu_locale_core::locale;

static COLLATOR: LazyLock<CollatorBorrowed<'static>> = LazyLock::new(|| {
    Collator::try_new(locale!("zh").into(), CollatorOptions::default())
        .expect("the data of zh is compiled in")
});

/// How much of a key is kept, in bytes: some 300 Chinese characters. Some letters sort as dozens
/// (the longest title would have a key of 12,000 bytes), and a row of an index has no place for it.
const MAX_TITLE_KEY: usize = 1000;

/// The key that a title sorts by: bytes that compare as ICU's zh collator does (by pinyin,
/// Chinese before other scripts).
pub fn title_key(title: &str) -> Vec<u8> {
    let mut key = Vec::new();
    let Ok(()) = COLLATOR.write_sort_key_to(title, &mut key);
    key.truncate(MAX_TITLE_KEY);
    key
}
