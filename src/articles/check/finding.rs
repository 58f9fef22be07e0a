//! What checks find, and which of it keeps an article from being published.

use crate::error::{Fault, FaultCode};

/// The most findings that are told at once.
pub const MAX_TOLD: usize = 200;

/// How bad a finding is; the worst comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// It should not be published.
    Error,
    /// Somebody should look at it.
    Warning,
    /// Good to know.
    Info,
}

impl Severity {
    /// The name in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Info => "info",
        }
    }
}

macro_rules! check_codes {
    ($($(#[$meta:meta])* $name:ident = $severity:ident $code:literal;)*) => {
        /// What is checked: names and severities never change once published.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        pub enum CheckCode { $($(#[$meta])* $name,)* }

        impl CheckCode {
            /// Every check there is.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            /// The stable `snake_case` name.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$name => $code),* }
            }

            /// How bad it is.
            pub fn severity(self) -> Severity {
                match self { $(Self::$name => Severity::$severity),* }
            }
        }
    };
}

check_codes! {
    /// A link that runs a script, or opens a page out of the link itself.
    JavascriptLink = Error "javascript_link";
    /// A word of the operator's list.
    ListedWord = Error "listed_word";
    /// It names no source.
    MissingSource = Warning "missing_source";
    /// It has no summary.
    MissingSummary = Warning "missing_summary";
    /// A picture that says nothing to those who can't see it.
    ImageWithoutAlt = Warning "image_without_alt";
    /// An address without a scheme, which leads elsewhere when the text is read elsewhere.
    RelativeLink = Warning "relative_link";
    /// What is left of text pasted from an office suite.
    OfficeMarkup = Warning "office_markup";
    /// A link to another site.
    ExternalLink = Info "external_link";
}

impl CheckCode {
    /// The check of this name.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|code| code.as_str() == text)
    }
}

/// The texts of an article that findings are in: JSON Pointers into the article as its editors see
/// it, in order.
const POINTERS: [&str; 7] = [
    "/title",
    "/subtitle",
    "/short_title",
    "/summary",
    "/source",
    "/cover/alt",
    "/body/content",
];

/// One thing that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// What it is.
    pub code: CheckCode,
    /// Where it is: JSON Pointer (RFC 6901) into the article as its editors see it.
    pub pointer: &'static str,
    /// Characters (Unicode code points) before it in the text at `pointer`; `None` where it has no
    /// place of its own there.
    pub offset: Option<usize>,
    /// What is wrong, for people.
    pub detail: String,
}

impl Finding {
    /// The worst first, then by place; what has no place of its own stands last in its text.
    fn order(&self) -> impl Ord + use<> {
        let text = POINTERS.iter().position(|pointer| *pointer == self.pointer);
        let place = (self.offset.is_none(), self.offset);
        (self.code.severity(), text, place, self.code)
    }
}

/// All that was found in an article: how often, and of each check the first [`MAX_TOLD`] in full.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Findings {
    counts: [usize; CheckCode::ALL.len()],
    kept: Vec<Finding>,
}

impl Findings {
    /// How often this was found.
    pub fn count(&self, code: CheckCode) -> usize {
        self.counts[code as usize]
    }

    /// At most [`MAX_TOLD`] of them, the worst first, then by place.
    pub fn told(&self) -> &[Finding] {
        &self.kept[..self.kept.len().min(MAX_TOLD)]
    }

    /// Whether anything was found that is checked by these.
    pub fn has_any(&self, codes: &[CheckCode]) -> bool {
        codes.iter().any(|code| self.count(*code) > 0)
    }
}

/// Collects findings, in the order of their places.
#[derive(Debug, Default)]
pub(super) struct Collector {
    found: Findings,
    told: [usize; CheckCode::ALL.len()],
    /// From where on the offsets of what is kept are bytes of the present text.
    settled: usize,
}

impl Collector {
    /// Adds a finding; place (in bytes of the text at the pointer) and detail are asked for only
    /// where it is kept.
    pub(super) fn add(
        &mut self,
        code: CheckCode,
        pointer: &'static str,
        describe: impl FnOnce() -> (Option<usize>, String),
    ) {
        self.found.counts[code as usize] += 1;
        let told = &mut self.told[code as usize];
        if *told < MAX_TOLD {
            *told += 1;
            let (offset, detail) = describe();
            let finding = Finding {
                code,
                pointer,
                offset,
                detail,
            };
            self.found.kept.push(finding);
        }
    }

    /// Adds a finding that has no place in a text.
    pub(super) fn add_plain(&mut self, code: CheckCode, pointer: &'static str, detail: &str) {
        self.add(code, pointer, || (None, detail.to_owned()));
    }

    /// Turns the places in the text that was looked at last from bytes into characters.
    pub(super) fn settle(&mut self, text: &str) {
        let new = &mut self.found.kept[self.settled..];
        new.sort_by_key(|finding| finding.offset);
        let (mut bytes, mut characters) = (0, 0);
        for finding in new {
            let Some(place) = finding.offset else {
                continue;
            };
            let between = text.get(bytes..place).unwrap_or_default();
            characters += between.chars().count();
            bytes = place;
            finding.offset = Some(characters);
        }
        self.settled = self.found.kept.len();
    }

    pub(super) fn finish(mut self) -> Findings {
        self.found.kept.sort_by_cached_key(Finding::order);
        self.found
    }
}

/// The faults that keep an article from being published: findings of the checks that block. Where
/// it was public already, `before` is what was found in it then, and a check blocks only where it
/// finds more than before: what is old must not keep a correction from readers.
pub fn blocked(before: Option<&Findings>, after: &Findings, blocks: &[CheckCode]) -> Vec<Fault> {
    let had = |code| before.map_or(0, |before| before.count(code));
    let is_blocking = |code| blocks.contains(&code) && after.count(code) > had(code);
    let blocking = after.kept.iter().filter(|found| is_blocking(found.code));
    let fault = |found: &Finding| {
        let detail = format!("{}: {}", found.code.as_str(), found.detail);
        Fault::member(found.pointer, FaultCode::CheckFailed, detail)
    };
    blocking.take(MAX_TOLD).map(fault).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use CheckCode::{ExternalLink, ListedWord, MissingSource, MissingSummary, RelativeLink};

    /// Findings of these checks.
    fn found(codes: &[CheckCode]) -> Findings {
        let mut collector = Collector::default();
        for code in codes {
            collector.add_plain(*code, "/body/content", "it is there");
        }
        collector.finish()
    }

    /// The checks that faults name.
    fn names(faults: &[Fault]) -> Vec<&str> {
        let name = |fault: &'_ Fault| fault.detail.split(':').next().map(str::len);
        faults
            .iter()
            .map(|fault| &fault.detail[..name(fault).unwrap_or_default()])
            .collect()
    }

    #[test]
    fn names_are_unique_and_parsed() {
        for code in CheckCode::ALL {
            assert_eq!(CheckCode::parse(code.as_str()), Some(*code));
        }
        assert_eq!(CheckCode::parse("Listed_Word"), None);
    }

    #[test]
    fn nothing_blocks_unless_it_is_named() {
        let after = found(&[ListedWord, MissingSource]);
        assert_eq!(blocked(None, &after, &[]), []);
        assert_eq!(blocked(None, &after, &[MissingSummary]), []);
        let faults = blocked(None, &after, &[MissingSource]);
        assert_eq!(names(&faults), ["missing_source"]);
        assert_eq!(faults[0].pointer.as_deref(), Some("/body/content"));
        assert_eq!(faults[0].code, "check_failed");
    }

    #[test]
    fn what_is_public_is_blocked_by_new_findings_alone() {
        let before = found(&[ListedWord, ListedWord, MissingSource]);
        let blocks = [ListedWord, MissingSource, RelativeLink];
        assert_eq!(blocked(Some(&before), &before, &blocks), []);
        let fewer = found(&[ListedWord]);
        assert_eq!(blocked(Some(&before), &fewer, &blocks), []);
        let more = found(&[ListedWord, MissingSource, RelativeLink]);
        let faults = blocked(Some(&before), &more, &blocks);
        assert_eq!(names(&faults), ["relative_link"]);
        let more = found(&[ListedWord, ListedWord, ListedWord]);
        assert_eq!(blocked(Some(&before), &more, &blocks).len(), 3);
    }

    #[test]
    fn counts_are_whole_and_what_is_told_has_an_end() {
        let many = vec![RelativeLink; 1000];
        let findings = found(&[&many[..], &[ExternalLink, ListedWord]].concat());
        assert_eq!(findings.count(RelativeLink), 1000);
        assert_eq!(findings.told().len(), MAX_TOLD);
        assert_eq!(findings.told()[0].code, ListedWord);
        // What is not told blocks as well.
        let faults = blocked(None, &findings, &[ExternalLink]);
        assert_eq!(names(&faults), ["external_link"]);
        let one_more = found(&vec![RelativeLink; 1001]);
        let faults = blocked(Some(&findings), &one_more, &[RelativeLink]);
        assert_eq!(faults.len(), MAX_TOLD);
        assert_eq!(blocked(Some(&one_more), &findings, &[RelativeLink]), []);
    }

    #[test]
    fn offsets_are_characters() {
        let mut collector = Collector::default();
        let text = "港a湾🎉b";
        for place in [text.len(), 0, 3, 7] {
            collector.add(RelativeLink, "/body/content", || {
                (Some(place), String::new())
            });
        }
        collector.settle(text);
        let findings = collector.finish();
        let offsets = findings.told().iter().filter_map(|found| found.offset);
        assert_eq!(offsets.collect::<Vec<_>>(), [0, 1, 3, 5]);
    }
}
