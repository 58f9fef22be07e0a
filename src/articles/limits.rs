//! What a body may cost: small texts exist that parsers turn into gigabytes, or into minutes.

use std::io::{self, Read};
use std::time::{Duration, Instant};

/// How long the work on one body may take. What people write takes some milliseconds.
const TIME: Duration = Duration::from_secs(2);
/// The most cells that the tables of a body may have. (A row that is short is filled up with empty
/// ones, so that a table is as wide as its widest line.)
const MAX_CELLS: usize = 200_000;
/// The most references to footnotes. (Each brings a link to every other one of the same note.)
const MAX_FOOTNOTES: usize = 2_000;
/// The most `&` and `<` in HTML: a sanitiser's work grows with the square of the number of those that
/// are no references and no tags.
const MAX_AMPERSANDS: usize = 50_000;
const MAX_TAGS: usize = 100_000;
/// How large HTML made from Markdown may be: so many bytes for each of the text, and as many besides.
const MAX_GROWTH: usize = 4;
const FREE_BYTES: usize = 256 * 1024;

/// A body costs more than anything that people write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TooComplex;

/// The time that is left for a body.
#[derive(Debug, Clone, Copy)]
pub struct Budget {
    end: Instant,
}

impl Budget {
    /// A budget that begins now.
    pub fn begin() -> Self {
        Self {
            end: Instant::now() + TIME,
        }
    }

    /// Whether there is time left.
    pub fn check(self) -> Result<(), TooComplex> {
        if Instant::now() <= self.end {
            Ok(())
        } else {
            Err(TooComplex)
        }
    }

    /// A reader of the text that fails when the time is up.
    pub fn reader(self, text: &str) -> impl Read {
        Budgeted {
            rest: text.as_bytes(),
            budget: self,
        }
    }
}

struct Budgeted<'a> {
    rest: &'a [u8],
    budget: Budget,
}

impl Read for Budgeted<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let told = |TooComplex| io::Error::other("the body takes too long");
        self.budget.check().map_err(told)?;
        self.rest.read(buffer)
    }
}

/// The text in pieces of a few kilobytes: parsers slow down when they are given all of it at once.
pub fn pieces(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let mut end = rest.len().min(4096);
        while !rest.is_char_boundary(end) {
            end += 1;
        }
        let (piece, after) = rest.split_at(end);
        rest = after;
        Some(piece)
    })
}

/// Whether Markdown can be rendered without growing out of all proportion.
pub fn check_markdown(text: &str) -> Result<(), TooComplex> {
    let (mut cells, mut widest, mut lines) = (0_usize, 0_usize, 0_usize);
    for line in text.lines().chain([""]) {
        if line.trim().is_empty() {
            cells = cells.saturating_add(widest.saturating_mul(lines));
            (widest, lines) = (0, 0);
        } else {
            widest = widest.max(line.bytes().filter(|byte| *byte == b'|').count());
            lines += 1;
        }
    }
    let footnotes = text.matches("[^").count();
    if cells > MAX_CELLS || footnotes > MAX_FOOTNOTES {
        Err(TooComplex)
    } else {
        Ok(())
    }
}

/// Whether HTML can be sanitised in time.
pub fn check_html(html: &str) -> Result<(), TooComplex> {
    let count = |sign: u8| html.bytes().filter(|byte| *byte == sign).count();
    if count(b'&') > MAX_AMPERSANDS || count(b'<') > MAX_TAGS {
        Err(TooComplex)
    } else {
        Ok(())
    }
}

/// Whether HTML made from Markdown is still in proportion to it.
pub fn check_growth(text: &str, html: &str) -> Result<(), TooComplex> {
    let most = text
        .len()
        .saturating_mul(MAX_GROWTH)
        .saturating_add(FREE_BYTES);
    if html.len() > most {
        Err(TooComplex)
    } else {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn tables_and_footnotes_have_an_end() {
        let row = format!("|{}\n|{}\n", "a|".repeat(200), "-|".repeat(200));
        assert!(check_markdown(&row).is_ok());
        assert!(check_markdown(&format!("{row}{}", "x\n".repeat(2450))).is_err());
        let many = format!("{row}{}\n", "x\n".repeat(200)).repeat(40);
        assert!(check_markdown(&many).is_err());
        assert!(check_markdown(&"[^1]".repeat(3000)).is_err());
        assert!(check_html(&"&".repeat(50_001)).is_err());
        assert!(check_markdown(&"一|二\n".repeat(2000)).is_ok());
    }

    proptest! {
        #[test]
        fn pieces_are_the_text(text in "[a文🎉]{0,9000}") {
            prop_assert_eq!(pieces(&text).collect::<String>(), text);
        }
    }
}
