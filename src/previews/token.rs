//! Tokens of preview links.
//!
//! 57 bytes in base64url without padding (RFC 4648 §5): the layout's version, the article's id, the
//! end in Unix seconds, the serial (64 bits each, big-endian), and the HMAC-SHA256 (RFC 2104) of all
//! that.

use aws_lc_rs::hmac;
use aws_lc_rs::rand;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::db::Timestamp;

const LAYOUT: u8 = 1;
/// Bytes that are signed.
const SIGNED: usize = 1 + 3 * 8;
/// Bytes of an HMAC-SHA256.
const MAC: usize = 32;
/// Characters of a token. 57 bytes leave no bits over: each token has but one text.
const CHARACTERS: usize = (SIGNED + MAC) / 3 * 4;

/// What a token says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Claims {
    /// The only article that it shows.
    pub article_id: i64,
    /// From when on it is worth nothing: a whole second.
    pub expires_at: Timestamp,
    /// Tells the link from those made before for the same article.
    pub serial: i64,
}

impl Claims {
    /// A new link to this article, good until this whole second.
    pub fn new(article_id: i64, expires_at: Timestamp) -> Self {
        let serial = i64::from_be_bytes(random()) & i64::MAX;
        Self {
            article_id,
            expires_at,
            serial,
        }
    }

    /// The token, signed with this key.
    pub fn sign(&self, key: &[u8]) -> String {
        let mut bytes = Vec::with_capacity(SIGNED + MAC);
        bytes.push(LAYOUT);
        let end = self.expires_at.millis().div_euclid(1000);
        for number in [self.article_id, end, self.serial] {
            bytes.extend(number.to_be_bytes());
        }
        let mac = hmac::sign(&hmac_key(key), &bytes);
        bytes.extend(mac.as_ref());
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// What a token says, where it was signed with this key; its end may be past.
    pub fn verify(token: &str, key: &[u8]) -> Option<Self> {
        if token.len() != CHARACTERS {
            return None;
        }
        let bytes = URL_SAFE_NO_PAD.decode(token).ok()?;
        let (signed, mac) = bytes.split_at_checked(SIGNED)?;
        // In constant time.
        hmac::verify(&hmac_key(key), signed, mac).ok()?;
        let (layout, numbers) = signed.split_first()?;
        if *layout != LAYOUT {
            return None;
        }
        let mut numbers = numbers
            .chunks_exact(8)
            .filter_map(|chunk| chunk.try_into().ok().map(i64::from_be_bytes));
        Some(Self {
            article_id: numbers.next()?,
            expires_at: numbers
                .next()?
                .checked_mul(1000)
                .and_then(Timestamp::from_millis)?,
            serial: numbers.next()?,
        })
    }
}

fn hmac_key(key: &[u8]) -> hmac::Key {
    hmac::Key::new(hmac::HMAC_SHA256, key)
}

/// Random bytes from the system's secure source.
fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    // The system's random source fails only where the process can't go on in any case.
    rand::fill(&mut bytes).expect("the system has a random source");
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SECRET: &[u8] = &[7; 32];

    fn claims() -> impl Strategy<Value = Claims> {
        let seconds = -62_000_000_000_i64..253_000_000_000;
        (any::<i64>(), seconds, any::<i64>()).prop_map(|(article_id, seconds, serial)| Claims {
            article_id,
            expires_at: Timestamp::from_millis(seconds * 1000).expect("in range"),
            serial,
        })
    }

    fn bytes_of(token: &str) -> Vec<u8> {
        URL_SAFE_NO_PAD.decode(token).expect("base64url")
    }

    fn signed(bytes: &[u8]) -> String {
        let mac = hmac::sign(&hmac_key(SECRET), bytes);
        URL_SAFE_NO_PAD.encode([bytes, mac.as_ref()].concat())
    }

    proptest! {
        #[test]
        fn a_token_says_what_was_signed(claims in claims()) {
            let token = claims.sign(SECRET);
            prop_assert_eq!(token.len(), CHARACTERS);
            prop_assert!(token.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b)));
            prop_assert_eq!(Claims::verify(&token, SECRET), Some(claims));
        }

        #[test]
        fn another_key_refuses_it(claims in claims(), key in any::<[u8; 32]>()) {
            prop_assume!(key != SECRET);
            prop_assert_eq!(Claims::verify(&claims.sign(&key), SECRET), None);
        }

        #[test]
        fn no_bit_can_be_changed(claims in claims()) {
            let bytes = bytes_of(&claims.sign(SECRET));
            for bit in 0..bytes.len() * 8 {
                let mut changed = bytes.clone();
                changed[bit / 8] ^= 1 << (bit % 8);
                prop_assert_eq!(Claims::verify(&URL_SAFE_NO_PAD.encode(changed), SECRET), None);
            }
        }

        #[test]
        fn no_character_can_be_changed(claims in claims(), at in 0..CHARACTERS, other in any::<char>()) {
            let token = claims.sign(SECRET);
            let changed: Vec<char> = token.chars().enumerate()
                .map(|(index, c)| if index == at { other } else { c }).collect();
            let changed: String = changed.into_iter().collect();
            prop_assume!(changed != token);
            prop_assert_eq!(Claims::verify(&changed, SECRET), None);
        }

        #[test]
        fn no_text_does_harm(text in any::<String>(), bytes in any::<Vec<u8>>(),
                             whole in prop::collection::vec(any::<u8>(), SIGNED + MAC)) {
            for text in [text, URL_SAFE_NO_PAD.encode(bytes), URL_SAFE_NO_PAD.encode(whole)] {
                prop_assert_eq!(Claims::verify(&text, SECRET), None);
            }
        }

        #[test]
        fn no_number_does_harm(numbers in any::<[i64; 3]>()) {
            let mut bytes = vec![LAYOUT];
            bytes.extend(numbers.iter().flat_map(|number| number.to_be_bytes()));
            let in_range = numbers[1].checked_mul(1000).and_then(Timestamp::from_millis);
            let read = Claims::verify(&signed(&bytes), SECRET);
            prop_assert_eq!(read.map(|claims| claims.expires_at), in_range);
        }
    }

    #[test]
    fn another_layout_is_refused() {
        let expires_at = Timestamp::from_millis(1_800_000_000_000).expect("in range");
        let mut bytes = bytes_of(&Claims::new(12, expires_at).sign(SECRET));
        bytes.truncate(SIGNED);
        assert!(Claims::verify(&signed(&bytes), SECRET).is_some());
        bytes[0] = LAYOUT + 1;
        assert_eq!(Claims::verify(&signed(&bytes), SECRET), None);
    }

    #[test]
    fn each_link_has_a_serial_of_its_own() {
        let expires_at = Timestamp::from_millis(1_800_000_000_000).expect("in range");
        let serials: Vec<i64> = (0..100)
            .map(|_| Claims::new(12, expires_at).serial)
            .collect();
        assert!(serials.iter().all(|serial| *serial >= 0));
        let distinct: std::collections::HashSet<&i64> = serials.iter().collect();
        assert_eq!(distinct.len(), serials.len());
    }
}
