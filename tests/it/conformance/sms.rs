//! Text messages, measured by a provider's own calculator.

use otpost_domain::template::{Encoding, measure};
use serde_json::{Value, json};

/// What the GSM alphabet has: a septet each, and line ends of every kind.
const BASIC: &[&str] = &[
    "a", "e", "Z", "0", "9", " ", " ", "@", "$", "_", "?", ".", "'", "\"", "ä", "ß", "Ü", "é", "à", "Ç", "Ø",
    "¡", "¿", "§", "£", "¤", "Δ", "Ω", "\n", "\r", "\r\n",
];

/// What it has in its extension table: two septets each.
const EXTENSION: &[&str] = &["€", "[", "]", "{", "}", "~", "^", "|", "\\", "\u{c}"];

/// What it has not: letters that look as if it had them, other scripts, marks, and emoji in all their forms.
const OTHER: &[&str] = &[
    "ç",
    "`",
    "„",
    "“",
    "’",
    "–",
    "\t",
    "\u{a0}",
    "\u{200b}",
    "ж",
    "α",
    "漢",
    "한",
    "ᄒ",
    "ᅡ",
    "ᆫ",
    "क",
    "्",
    "ष",
    "ि",
    "\u{301}",
    "\u{302}",
    "\u{600}",
    "😀",
    "🇩🇪",
    "🇬",
    "👍",
    "🏽",
    "👍🏿",
    "☝",
    "❤️",
    "♀",
    "\u{200d}",
    "👩",
    "👨‍👩‍👧‍👦",
    "👩‍❤️‍💋‍👨🏽",
    "🏃🏽‍♀️",
    "🧑🏽‍🚀",
    "🏴󠁧󠁢󠁥󠁮󠁧󠁿",
    "1️⃣",
];

/// Units at which another part begins or almost does.
const EDGES: &[u64] = &[0, 1, 67, 70, 134, 153, 160, 201, 268, 306, 335, 459, 612];

/// Random texts must be told apart from run to run by nothing.
struct Dice(u64);

impl Dice {
    /// A number below `end`, by xorshift.
    fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % end
    }

    fn one_of<T: Copy>(&mut self, these: &[T]) -> T {
        let count = u64::try_from(these.len()).expect("few");
        these[usize::try_from(self.below(count)).expect("few")]
    }

    /// A text about as long as one of the edges.
    fn text(&mut self) -> String {
        let length = usize::try_from(self.one_of(EDGES) + self.below(6)).expect("short");
        // Of a hundred characters, how many are not basic, and whether these need UCS-2.
        let (rare, other) = (self.one_of(&[0, 3, 30, 100]), self.below(3) > 0);
        let (mut text, mut units) = (String::new(), 0);
        while units < length {
            let kind = match self.below(100) < rare {
                false => BASIC,
                true if other => OTHER,
                true => EXTENSION,
            };
            let piece = self.one_of(kind);
            units += piece.encode_utf16().count();
            text.push_str(piece);
        }
        text
    }
}

pub(super) fn twilios_calculator_counts_the_same_parts() {
    let mut dice = Dice(0x0070_6f73_746f_7470);
    let texts: Vec<String> = (0..3_000).map(|_| dice.text()).collect();
    let theirs = super::node("measure_sms.js", json!(texts).to_string().as_bytes());
    let ours = texts.iter().map(|text| {
        let size = measure(text);
        let encoding = match size.encoding {
            Encoding::Gsm7 => "GSM-7",
            Encoding::Ucs2 => "UCS-2",
        };
        json!({ "encoding": encoding, "parts": size.parts })
    });
    let ours: Vec<Value> = ours.collect();
    let theirs = theirs.as_array().expect("a list");
    assert_eq!(ours.len(), theirs.len());
    for ((ours, theirs), text) in ours.iter().zip(theirs).zip(&texts) {
        assert_eq!(ours, theirs, "{text:?}");
    }
    for encoding in ["GSM-7", "UCS-2"] {
        let many = theirs.iter().filter(|size| size["encoding"] == encoding && size["parts"] != 1).count();
        assert!(many > 500, "{many} texts of several parts in {encoding}");
    }
}
