//! How a text message is cut into parts.
//!
//! A message that keeps to the GSM 7-bit alphabet (3GPP TS 23.038, section 6.2.1) takes a septet for each
//! character and two for those of the extension table; any other character turns all of it into UCS-2. A part
//! holds 140 bytes; of several parts each loses 6 to the header that joins them (3GPP TS 23.040, section
//! 9.2.3.24.1). What a reader sees as one character is never cut in two.

mod clusters;

use super::wildcards::position;
use crate::named::named;
use clusters::clusters;

named! {
    /// How the characters of a text message are written.
    pub enum Encoding {
        /// The GSM 7-bit alphabet.
        Gsm7 = "gsm_7",
        /// Units of 16 bits.
        Ucs2 = "ucs_2",
    }
}

impl Encoding {
    /// The units that fit into a message of one part, and into each of several.
    #[must_use]
    pub const fn room(self) -> (usize, usize) {
        match self {
            Self::Gsm7 => (160, 153),
            Self::Ucs2 => (70, 67),
        }
    }
}

/// How large a text message is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SmsSize {
    /// How it is written.
    pub encoding: Encoding,
    /// Its characters, as Unicode counts them.
    pub characters: usize,
    /// Its septets, or units of 16 bits, without headers.
    pub units: usize,
    /// The parts that it is sent as, each of which is paid for. An empty message has one.
    pub parts: usize,
    /// Why it is not written in the GSM alphabet.
    pub forced_by: Option<Forced>,
}

/// The first character that the GSM alphabet lacks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Forced {
    /// The character.
    pub character: char,
    /// Its line, from 1.
    pub line: usize,
    /// Its column in characters, from 1.
    pub column: usize,
}

/// Measures a text as it is sent.
#[must_use]
pub fn measure(text: &str) -> SmsSize {
    let forced_by = text.char_indices().find(|(_, character)| septets(*character).is_none());
    let (encoding, pieces): (_, Vec<usize>) = if forced_by.is_none() {
        (Encoding::Gsm7, text.chars().filter_map(septets).collect())
    } else {
        (Encoding::Ucs2, clusters(text).map(|cluster| cluster.encode_utf16().count()).collect())
    };
    SmsSize {
        encoding,
        characters: text.chars().count(),
        units: pieces.iter().sum(),
        parts: parts(&pieces, encoding.room()),
        forced_by: forced_by.map(|(byte, character)| {
            let (line, column) = position(text, byte);
            Forced { character, line, column }
        }),
    }
}

/// How many parts hold these pieces, none of which is cut.
fn parts(pieces: &[usize], (alone, each): (usize, usize)) -> usize {
    let (mut parts, mut used) = (1, 0);
    // What the first part keeps once it needs a header too.
    let mut kept = 0;
    for piece in pieces {
        let most = if parts == 1 { alone } else { each };
        used += piece;
        if used > most {
            // The first part fills up before it is known that others follow: its end moves over to the second.
            used = if parts == 1 { used - kept } else { *piece };
            parts += 1;
        } else if parts == 1 && used <= each {
            kept = used;
        }
    }
    parts
}

/// The septets that a character takes, if the GSM alphabet or its extension table has it.
fn septets(character: char) -> Option<usize> {
    if character.is_ascii_alphanumeric() || BASIC.contains(character) {
        Some(1)
    } else {
        EXTENSION.contains(character).then_some(2)
    }
}

/// The GSM alphabet beside letters and digits of ASCII. Not in it are the escape, which is no character, and
/// the backtick.
const BASIC: &str = "\n\r !\"#$%&'()*+,-./:;<=>?@_¡£¤¥§¿ÄÅÆÇÉÑÖØÜßàäåæèéìñòöøùüΓΔΘΛΞΠΣΦΨΩ";

/// The extension table, with its page break.
const EXTENSION: &str = "€[\\]^{|}~\u{c}";

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn size(text: &str) -> (Encoding, usize, usize) {
        let size = measure(text);
        (size.encoding, size.units, size.parts)
    }

    #[test]
    fn the_alphabet_has_127_characters_and_10_more() {
        let counted = |units| ('\0'..=char::MAX).filter(|c| septets(*c) == Some(units)).count();
        // Of 128 places one is the escape to the extension table, which is no character.
        assert_eq!((counted(1), counted(2)), (127, 10));
    }

    #[test]
    fn parts_begin_where_the_room_ends() {
        assert_eq!(size(""), (Encoding::Gsm7, 0, 1));
        for (characters, parts) in [(160, 1), (161, 2), (306, 2), (307, 3), (459, 3), (460, 4)] {
            assert_eq!(size(&"a".repeat(characters)), (Encoding::Gsm7, characters, parts));
        }
        for (characters, parts) in [(70, 1), (71, 2), (134, 2), (135, 3), (201, 3), (202, 4)] {
            assert_eq!(size(&"ж".repeat(characters)), (Encoding::Ucs2, characters, parts));
        }
    }

    #[test]
    fn pairs_stay_whole() {
        assert_eq!(size(&"€".repeat(80)), (Encoding::Gsm7, 160, 1));
        // 76 pairs in a part of 153, so that a third is needed where 306 septets would fit into two.
        assert_eq!(size(&"€".repeat(152)), (Encoding::Gsm7, 304, 2));
        assert_eq!(size(&"€".repeat(153)), (Encoding::Gsm7, 306, 3));
        assert_eq!(size(&"😀".repeat(35)), (Encoding::Ucs2, 70, 1));
        assert_eq!(size(&"😀".repeat(66)), (Encoding::Ucs2, 132, 2));
        assert_eq!(size(&"😀".repeat(67)), (Encoding::Ucs2, 134, 3));
    }

    #[test]
    fn what_is_seen_as_one_character_stays_whole() {
        // A family of eleven units after 60 letters: the second part begins with it and has 56 units left.
        let text = |after| format!("{}👨‍👩‍👧‍👦{}", "ж".repeat(60), "ж".repeat(after));
        assert_eq!(size(&text(56)), (Encoding::Ucs2, 127, 2));
        assert_eq!(size(&text(57)), (Encoding::Ucs2, 128, 3));
    }

    #[test]
    fn the_first_character_that_forces_is_told() {
        assert_eq!(measure("Grüße, 3 € [x]").forced_by, None);
        assert_eq!(measure("ç").forced_by, Some(Forced { character: 'ç', line: 1, column: 1 }));
        let size = measure("Grüße\r\nund „gern“");
        assert_eq!(size.forced_by, Some(Forced { character: '„', line: 2, column: 5 }));
        assert_eq!((size.encoding, size.characters), (Encoding::Ucs2, 17));
        assert_eq!(measure("\t").encoding, Encoding::Ucs2);
    }

    proptest! {
        #[test]
        fn parts_are_neither_wasted_nor_overfull(text in "[a-zß€ж😀\r\n]{0,700}") {
            let size = measure(&text);
            let (alone, each) = size.encoding.room();
            if size.parts == 1 {
                prop_assert!(size.units <= alone);
            } else {
                prop_assert!(size.units > alone.min(size.parts.saturating_sub(1) * (each - 1)));
                prop_assert!(size.units <= size.parts * each);
            }
        }
    }
}
