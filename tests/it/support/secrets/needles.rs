//! Many texts sought at once in much text.

use std::collections::HashMap;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::SHORTEST;

/// From this length on, in bytes, the second half of a secret is as secret as the whole: it is what
/// is left of a key whose public prefix was cut off.
const HALVED_FROM: usize = 32;
/// The filter has this many bits, as a power of two.
const FILTER_BITS: u32 = 20;

/// The forms in which a secret can stand in text: as it is, as JSON and as Rust's `Debug` write it.
pub fn as_text(secret: &str) -> Vec<String> {
    let telling = telling_part(secret);
    let json = serde_json::Value::from(telling).to_string();
    let debug = format!("{telling:?}");
    let unquoted = |text: String| text[1..text.len() - 1].to_owned();
    let mut forms = vec![telling.to_owned(), unquoted(json), unquoted(debug)];
    forms.sort();
    forms.dedup();
    forms
}

/// The forms in which a secret can stand in a column: as text, in hexadecimal, and as the bytes that
/// a token is the base64 of.
pub fn as_stored(secret: &str) -> Vec<Vec<u8>> {
    let mut forms: Vec<Vec<u8>> = as_text(secret)
        .into_iter()
        .map(String::into_bytes)
        .collect();
    let hex: String = secret.bytes().map(|byte| format!("{byte:02x}")).collect();
    forms.push(hex.to_uppercase().into_bytes());
    forms.push(hex.into_bytes());
    let decoded = URL_SAFE_NO_PAD.decode(secret);
    forms.extend(decoded.ok().filter(|bytes| bytes.len() >= 2 * SHORTEST));
    forms
}

fn telling_part(secret: &str) -> &str {
    let middle = secret.len() / 2;
    match secret.len() >= HALVED_FROM && secret.is_ascii() {
        true => &secret[middle..],
        false => secret,
    }
}

/// Texts to be found, each with what it stands for. They are found by their last eight bytes: the
/// first ones of all access tokens are the same.
pub struct Needles<T> {
    all: Vec<(Vec<u8>, T)>,
    by_end: HashMap<u64, Vec<usize>>,
    filter: Vec<bool>,
}

impl<T> Needles<T> {
    /// Needles of eight bytes and more; shorter ones are left out.
    pub fn new(all: impl IntoIterator<Item = (Vec<u8>, T)>) -> Self {
        let mut all: Vec<_> = all.into_iter().collect();
        all.retain(|(needle, _)| needle.len() >= SHORTEST);
        let mut by_end: HashMap<u64, Vec<usize>> = HashMap::new();
        let mut filter = vec![false; 1 << FILTER_BITS];
        for (index, (needle, _)) in all.iter().enumerate() {
            let end = needle.iter().fold(0, roll);
            filter[slot(end)] = true;
            by_end.entry(end).or_default().push(index);
        }
        Self {
            all,
            by_end,
            filter,
        }
    }

    /// Where needles stand in the text: first byte, length and meaning of each.
    pub fn find(&self, text: &[u8]) -> Vec<(usize, usize, &T)> {
        let mut found = Vec::new();
        let mut window = 0;
        for (at, byte) in text.iter().enumerate() {
            window = roll(window, byte);
            if !self.filter[slot(window)] {
                continue;
            }
            for index in self.by_end.get(&window).into_iter().flatten() {
                let (needle, meaning) = &self.all[*index];
                if text[..=at].ends_with(needle) {
                    found.push((at + 1 - needle.len(), needle.len(), meaning));
                }
            }
        }
        found
    }
}

/// The last eight bytes, one byte on.
fn roll(window: u64, byte: &u8) -> u64 {
    (window << 8) | u64::from(*byte)
}

/// Where the filter tells of this end: multiplicative hashing.
fn slot(end: u64) -> usize {
    (end.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> (64 - FILTER_BITS)) as usize
}
