//! How far a follower has read.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// The layout of a cursor's text.
const LAYOUT: i64 = 1;

/// A place in the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cursor {
    /// Everything up to this `seq` was read.
    pub after: i64,
    /// The end of the log when the first pass began: deletions before it are nothing to tell.
    pub snapshot_until: i64,
}

impl Cursor {
    /// The text for clients, which is none of their business.
    pub fn encode(self) -> String {
        let parts = (LAYOUT, self.after, self.snapshot_until);
        // Numbers always serialise.
        URL_SAFE_NO_PAD.encode(serde_json::to_vec(&parts).unwrap_or_default())
    }

    /// The place of a text that [`Self::encode`] made.
    pub fn decode(text: &str) -> Option<Self> {
        let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
        let (layout, after, snapshot_until): (i64, i64, i64) =
            serde_json::from_slice(&bytes).ok()?;
        let is_one = layout == LAYOUT && after >= 0 && snapshot_until >= 0;
        is_one.then_some(Self {
            after,
            snapshot_until,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_cursor_survives_its_text(after in 0..=i64::MAX, snapshot_until in 0..=i64::MAX) {
            let cursor = Cursor { after, snapshot_until };
            prop_assert_eq!(Cursor::decode(&cursor.encode()), Some(cursor));
        }

        #[test]
        fn no_text_makes_decoding_panic(text in ".{0,100}") {
            let _ = Cursor::decode(&text);
        }
    }
}
