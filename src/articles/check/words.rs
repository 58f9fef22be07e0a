//! The operator's list of words.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use aho_corasick::{AhoCorasick, Match, MatchKind};

use crate::http::fields::trim;

/// The most words of a list.
const MAX_WORDS: usize = 100_000;
/// The longest word, in characters.
const MAX_LENGTH: usize = 100;
/// The largest file, in bytes: 100,000 words of some 14 Han characters.
const MAX_BYTES: u64 = 4 * 1024 * 1024;

/// Finds the words of a list in one pass, whatever their number. It takes some 25 bytes of memory for
/// each byte of the list, and twice that while it is made.
#[derive(Debug)]
pub struct Words(AhoCorasick);

impl Words {
    /// The words of a file: UTF-8, one a line; blank lines and those that begin with `#` are left
    /// out. The error tells what is wrong with the file and how to mend it.
    pub fn read(path: &Path) -> Result<Self, String> {
        let told = |problem: String| format!("{}: {problem}", path.display());
        let mut bytes = Vec::new();
        File::open(path)
            .and_then(|file| file.take(MAX_BYTES + 1).read_to_end(&mut bytes))
            .map_err(|e| {
                told(format!(
                    "the file can't be read ({e}): name a text file with one word a line"
                ))
            })?;
        if bytes.len() as u64 > MAX_BYTES {
            return Err(told(format!(
                "the file has more than {MAX_BYTES} bytes: name a text file with one word a line"
            )));
        }
        Self::parse(&bytes).map_err(told)
    }

    /// The words of a file with these bytes.
    pub fn parse(bytes: &[u8]) -> Result<Self, String> {
        let text = std::str::from_utf8(bytes).map_err(|e| {
            let before = bytes.get(..e.valid_up_to()).unwrap_or_default();
            let line = 1 + before.iter().filter(|byte| **byte == b'\n').count();
            format!("line {line} is not UTF-8: save the file as UTF-8")
        })?;
        let text = text.strip_prefix('\u{FEFF}').unwrap_or(text);
        let mut words = Vec::new();
        for (index, line) in text.lines().enumerate() {
            let (number, word) = (index + 1, trim(line));
            if word.is_empty() || word.starts_with('#') {
                continue;
            }
            if word.chars().count() > MAX_LENGTH {
                return Err(format!(
                    "line {number} has more than {MAX_LENGTH} characters: write one word a line"
                ));
            }
            if words.len() == MAX_WORDS {
                return Err(format!(
                    "line {number} is one word too many: keep {MAX_WORDS} words at most"
                ));
            }
            words.push(word);
        }
        Self::new(&words).map_err(|e| format!("the words can't be looked for ({e}): keep fewer"))
    }

    /// These words.
    fn new(words: &[&str]) -> Result<Self, aho_corasick::BuildError> {
        AhoCorasick::builder()
            .ascii_case_insensitive(true)
            .match_kind(MatchKind::LeftmostLongest)
            .build(words)
            .map(Self)
    }

    /// No words.
    pub fn none() -> Result<Self, String> {
        Self::parse(b"")
    }

    /// Where words are in a text: the leftmost, and the longest of those that begin there; none
    /// within another one. Places are bytes, always between characters.
    pub fn find<'a>(&'a self, text: &'a str) -> impl Iterator<Item = Match> + 'a {
        let has_words = self.0.patterns_len() > 0;
        has_words
            .then(|| self.0.find_iter(text))
            .into_iter()
            .flatten()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn found<'a>(list: &str, text: &'a str) -> Vec<&'a str> {
        let words = Words::parse(list.as_bytes()).expect("a list");
        words.find(text).map(|m| &text[m.range()]).collect()
    }

    #[test]
    fn a_list_has_one_word_a_line() {
        let list = "\u{FEFF}# 不登的词\r\n\r\n  暗礁 \r\nFog Bank\r\n　漩涡　\n#暗流\n";
        assert_eq!(
            found(list, "暗礁、fog bank、FOG BANK、漩涡、暗流、fog"),
            ["暗礁", "fog bank", "FOG BANK", "漩涡"]
        );
        assert_eq!(found("", "暗礁"), [""; 0]);
    }

    #[test]
    fn the_longest_word_counts_once() {
        assert_eq!(
            found("大气\n大\n气象台\n大气压", "大气压气象台大"),
            ["大气压", "气象台", "大"]
        );
    }

    #[test]
    fn a_wrong_list_is_told_with_its_line() {
        let refused = |bytes: &[u8]| Words::parse(bytes).expect_err("it is wrong");
        let long = format!("# a\n\n{}\n", "长".repeat(101));
        assert!(refused(long.as_bytes()).starts_with("line 3 has more than 100"));
        assert!(Words::parse("长".repeat(100).as_bytes()).is_ok());
        let many: String = (0..=MAX_WORDS).map(|n| format!("w{n}\n")).collect();
        assert!(refused(many.as_bytes()).starts_with("line 100001 is one word too many"));
        assert!(refused(b"a\nb\n\xFF\xFEc").starts_with("line 3 is not UTF-8"));
    }

    #[test]
    fn a_missing_file_is_told() {
        let problem = Words::read(Path::new("/nowhere/words.txt")).expect_err("it isn't there");
        assert!(problem.starts_with("/nowhere/words.txt: the file can't be read"));
        assert!(!problem.contains('\n'));
    }

    proptest! {
        #[test]
        fn places_are_between_characters(list in "[a文港🎉\n]{0,40}", text in "[aA文港🎉]{0,60}") {
            let words = Words::parse(list.as_bytes()).expect("a list");
            for m in words.find(&text) {
                let word = text.get(m.range()).expect("between characters").to_lowercase();
                prop_assert!(list.lines().any(|line| line == word));
            }
        }
    }
}
