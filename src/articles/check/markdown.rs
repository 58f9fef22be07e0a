//! Markdown as its author wrote it: the links, pictures and HTML that are made of it.

use std::ops::Range;

use comrak::arena_tree::NodeEdge;
use comrak::nodes::{LineColumn, NodeValue, Sourcepos};

use crate::articles::text::markdown_options;

use super::body::Look;
use super::markup;

/// How many bytes before the end of a link its address is looked for: a title may follow it.
const MAX_TITLE: usize = 2048;
/// How many bytes show that HTML stands at a place.
const MAX_SAME: usize = 64;

/// Looks at Markdown.
pub(super) fn read(source: &str, look: &mut Look<'_>) {
    let arena = comrak::Arena::new();
    let root = comrak::parse_document(&arena, source, &markdown_options());
    let lines = Lines::of(source);
    // Within a picture, everything is its alternative text.
    let (mut pictures, mut alt) = (0_usize, String::new());
    for edge in root.traverse() {
        let (node, is_start) = match edge {
            NodeEdge::Start(node) => (node, true),
            NodeEdge::End(node) => (node, false),
        };
        let data = node.data();
        let place = lines.range(data.sourcepos);
        match &data.value {
            NodeValue::Image(image) if is_start => {
                pictures += 1;
                if pictures == 1 {
                    look.address(&image.url, false, || address(source, &place, &image.url));
                    look.say(&image.title);
                }
            }
            NodeValue::Image(_) => {
                pictures -= 1;
                if pictures == 0 {
                    look.picture(&alt, || at(source, place.start, "!["));
                    look.say(&alt);
                    alt.clear();
                }
            }
            _ if !is_start => {}
            NodeValue::Text(text) if pictures > 0 => alt.push_str(text),
            NodeValue::Code(code) if pictures > 0 => alt.push_str(&code.literal),
            NodeValue::SoftBreak | NodeValue::LineBreak if pictures > 0 => alt.push(' '),
            _ if pictures > 0 => {}
            NodeValue::Text(text) => look.text(text),
            NodeValue::Code(code) => look.text(&code.literal),
            NodeValue::CodeBlock(code) => look.text(&code.literal),
            NodeValue::Link(link) => {
                look.address(&link.url, true, || address(source, &place, &link.url));
                look.say(&link.title);
            }
            NodeValue::HtmlInline(html) => inline(html, source, place.start, look),
            NodeValue::HtmlBlock(block) => {
                block_of(&block.literal, source, &lines, data.sourcepos, look);
            }
            _ => {}
        }
    }
}

/// The place of an address within its link, where it is written out there.
fn address(source: &str, link: &Range<usize>, url: &str) -> Option<usize> {
    let written = |url: &str| {
        let mut from = link
            .end
            .saturating_sub(url.len() + MAX_TITLE)
            .max(link.start)
            .min(source.len());
        while !source.is_char_boundary(from) {
            from += 1;
        }
        let text = source.get(from..link.end)?;
        (!url.is_empty()).then(|| text.rfind(url).map(|at| from + at))?
    };
    // Addresses that begin with www are links without a scheme, too.
    written(url).or_else(|| url.strip_prefix("http://").and_then(written))
}

/// The place, where this stands there.
fn at(source: &str, place: usize, expected: &str) -> Option<usize> {
    let text = source.get(place..)?;
    text.starts_with(expected).then_some(place)
}

/// HTML within a paragraph.
fn inline(html: &str, source: &str, start: usize, look: &mut Look<'_>) {
    markup::read(html, |piece| {
        let place = |within: usize| same(html, within, source, start + within);
        look.piece(&piece, html, place);
    });
}

/// HTML that is a block. What lists and quotations put before its lines is not in it, so that places
/// are counted from the end of each line.
fn block_of(html: &str, source: &str, lines: &Lines, pos: Sourcepos, look: &mut Look<'_>) {
    let own = Lines::of(html);
    markup::read(html, |piece| {
        let place = |within: usize| {
            let line = own.line_at(within);
            let to_end = own.end(html, line).checked_sub(within)?;
            let end = lines.end(source, pos.start.line.saturating_sub(1) + line);
            same(html, within, source, end.checked_sub(to_end)?)
        };
        look.piece(&piece, html, place);
    });
}

/// The place in the source, where the same stands there as in the HTML, up to the line's end.
fn same(html: &str, within: usize, source: &str, place: usize) -> Option<usize> {
    let rest = html.get(within..)?;
    let mut ends = rest.char_indices().take(MAX_SAME + 1);
    let end = ends.find(|(index, c)| matches!(c, '\r' | '\n') || *index >= MAX_SAME);
    at(
        source,
        place,
        &rest[..end.map_or(rest.len(), |(end, _)| end)],
    )
}

/// Where the lines of a text begin, in bytes.
struct Lines(Vec<usize>);

impl Lines {
    fn of(text: &str) -> Self {
        let bytes = text.as_bytes();
        let ends = bytes.iter().enumerate().filter(|(at, byte)| {
            **byte == b'\n' || (**byte == b'\r' && bytes.get(at + 1) != Some(&b'\n'))
        });
        Self(
            std::iter::once(0)
                .chain(ends.map(|(at, _)| at + 1))
                .collect(),
        )
    }

    /// Which line, from 0 on, this byte is in.
    fn line_at(&self, place: usize) -> usize {
        self.0
            .partition_point(|start| *start <= place)
            .saturating_sub(1)
    }

    /// Where a line ends, before its line break.
    fn end(&self, text: &str, line: usize) -> usize {
        let end = self.0.get(line + 1).copied().unwrap_or(text.len());
        let start = self.0.get(line).copied().unwrap_or(end);
        let line = text.get(start..end).unwrap_or_default();
        start + line.trim_end_matches(['\r', '\n']).len()
    }

    /// The bytes of a node.
    fn range(&self, pos: Sourcepos) -> Range<usize> {
        let start = self.place(pos.start).saturating_sub(1);
        start..self.place(pos.end).max(start)
    }

    /// What stands before a line's column, and the column itself.
    fn place(&self, at: LineColumn) -> usize {
        let line = self.0.get(at.line.saturating_sub(1)).copied();
        line.unwrap_or_default() + at.column
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_looked_for_in_its_link_alone() {
        let source = "x.html [潮](x.html \"汐\") www.tide.example";
        let link = 7..source.len() - 17;
        assert_eq!(address(source, &link, "x.html"), Some(13));
        assert_eq!(address(source, &link, "y.html"), None);
        assert_eq!(address(source, &link, ""), None);
        let bare = source.len() - 16..source.len();
        let found = address(source, &bare, "http://www.tide.example");
        assert_eq!(found, Some(bare.start));
        // A link that is told to stand where there is nothing has no place.
        assert_eq!(address(source, &(900..950), "x.html"), None);
        assert_eq!(address("潮", &(1..2), "x"), None);
    }

    #[test]
    fn lines_end_as_commonmark_says() {
        let text = "一\r\n二\r三\n";
        let lines = Lines::of(text);
        assert_eq!(lines.0, [0, 5, 9, 13]);
        assert_eq!(lines.line_at(4), 0);
        assert_eq!((lines.end(text, 0), lines.end(text, 9)), (3, text.len()));
    }
}
