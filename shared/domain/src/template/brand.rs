//! How a tenant looks in mails: its colour and its logo.

use core::fmt;

use crate::document::{Faults, Member, Members, Place, Value, parsed};
use crate::time::Timestamp;
use data_encoding::BASE64;

/// Most bytes of a logo's file: it lies in every mail.
pub const MOST_OF_LOGO: usize = 32 * 1024;
/// The most pixels that a logo may be wide or high.
const MOST_PIXELS: u32 = 1200;
/// The height in CSS pixels up to which a logo is shown.
const SHOWN_HEIGHT: u32 = 48;
/// The width in CSS pixels up to which a logo is shown.
const SHOWN_WIDTH: u32 = 240;

/// A colour in sRGB.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Colour([u8; 3]);

impl Colour {
    /// Black.
    pub const BLACK: Self = Self([0, 0, 0]);
    /// White.
    pub const WHITE: Self = Self([255, 255, 255]);

    /// Black or white, whichever has the better contrast on this colour (WCAG 2.2, contrast ratio).
    #[must_use]
    pub fn on(self) -> Self {
        if self.contrast(Self::WHITE) >= self.contrast(Self::BLACK) { Self::WHITE } else { Self::BLACK }
    }

    /// The contrast of two colours, from 1 to 21 (WCAG 2.2, contrast ratio).
    #[must_use]
    pub fn contrast(self, other: Self) -> f64 {
        let (a, b) = (self.luminance(), other.luminance());
        (a.max(b) + 0.05) / (a.min(b) + 0.05)
    }

    /// WCAG 2.2, relative luminance.
    fn luminance(self) -> f64 {
        let linear = |byte: u8| {
            let part = f64::from(byte) / 255.0;
            if part <= 0.040_45 { part / 12.92 } else { ((part + 0.055) / 1.055).powf(2.4) }
        };
        let [red, green, blue] = self.0.map(linear);
        0.2126 * red + 0.7152 * green + 0.0722 * blue
    }
}

impl Default for Colour {
    /// Otpost's blue.
    fn default() -> Self {
        Self([0x1a, 0x56, 0xc4])
    }
}

impl fmt::Display for Colour {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [red, green, blue] = self.0;
        write!(f, "#{red:02x}{green:02x}{blue:02x}")
    }
}

/// What was given is no colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be a colour such as #1a56c4")]
pub struct InvalidColour;

impl TryFrom<&str> for Colour {
    type Error = InvalidColour;

    fn try_from(text: &str) -> Result<Self, InvalidColour> {
        let digits = text.strip_prefix('#').filter(|digits| digits.len() == 6).ok_or(InvalidColour)?;
        let bytes =
            data_encoding::HEXLOWER_PERMISSIVE.decode(digits.as_bytes()).map_err(|_| InvalidColour)?;
        bytes.try_into().map(Self).map_err(|_| InvalidColour)
    }
}

impl Member for Colour {
    fn read(value: &Value, at: &Place, faults: &mut Faults) -> Option<Self> {
        parsed(value, at, faults)
    }

    fn write(&self) -> Value {
        Value::text(self.to_string())
    }
}

/// A picture in PNG that mails show.
#[derive(Clone, PartialEq, Eq)]
pub struct Logo {
    png: Vec<u8>,
    width: u32,
    height: u32,
}

/// Why a file is no logo.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidLogo {
    /// Not Base64.
    #[error("must be a PNG file in Base64 (RFC 4648 section 4)")]
    NotBase64,
    /// Too many bytes.
    #[error("must be a PNG file of at most {MOST_OF_LOGO} bytes: it lies in every mail")]
    TooLarge,
    /// Not a PNG that can be read to its end.
    #[error("must be a PNG file that can be read to its end; other kinds are not shown everywhere")]
    NotPng,
    /// Too many pixels.
    #[error("must be at most {MOST_PIXELS} pixels wide and high")]
    TooManyPixels,
}

impl Logo {
    /// Takes a PNG file.
    ///
    /// # Errors
    /// When it is none, or too large.
    pub fn new(png: Vec<u8>) -> Result<Self, InvalidLogo> {
        if png.len() > MOST_OF_LOGO {
            return Err(InvalidLogo::TooLarge);
        }
        let mut reader =
            png::Decoder::new(std::io::Cursor::new(&png)).read_info().map_err(|_| InvalidLogo::NotPng)?;
        let (width, height) = reader.info().size();
        if width > MOST_PIXELS || height > MOST_PIXELS {
            return Err(InvalidLogo::TooManyPixels);
        }
        let size = reader.output_buffer_size().ok_or(InvalidLogo::TooManyPixels)?;
        reader.next_frame(&mut vec![0; size]).map_err(|_| InvalidLogo::NotPng)?;
        // Nothing rides along behind the last chunk (W3C PNG, section 11.2.5).
        if !png.ends_with(b"IEND\xae\x42\x60\x82") {
            return Err(InvalidLogo::NotPng);
        }
        Ok(Self { png, width, height })
    }

    /// A file that was checked when it was saved.
    fn checked_before(png: Vec<u8>) -> Option<Self> {
        // Width and height stand in the first chunk (W3C PNG, section 11.2.1).
        let number = |at: usize| png.get(at..at + 4)?.try_into().ok().map(u32::from_be_bytes);
        let (width, height) = (number(16)?, number(20)?);
        Some(Self { png, width, height })
    }

    /// The file.
    #[must_use]
    pub fn png(&self) -> &[u8] {
        &self.png
    }

    /// Width and height in CSS pixels as shown: half the file's, for sharp screens, or less where that is too large.
    #[must_use]
    pub fn shown(&self) -> (u16, u16) {
        let (width, height) = (self.width.div_ceil(2).max(1), self.height.div_ceil(2).max(1));
        let fitted = |of: u32, by: u32, to: u32| (of * to / by).max(1);
        let (width, height) = if height > SHOWN_HEIGHT {
            (fitted(width, height, SHOWN_HEIGHT), SHOWN_HEIGHT)
        } else {
            (width, height)
        };
        let (width, height) = if width > SHOWN_WIDTH {
            (SHOWN_WIDTH, fitted(height, width, SHOWN_WIDTH))
        } else {
            (width, height)
        };
        (u16::try_from(width).unwrap_or(u16::MAX), u16::try_from(height).unwrap_or(u16::MAX))
    }
}

impl fmt::Debug for Logo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Logo({} × {}, {} bytes)", self.width, self.height, self.png.len())
    }
}

impl TryFrom<&str> for Logo {
    type Error = InvalidLogo;

    fn try_from(text: &str) -> Result<Self, InvalidLogo> {
        if text.len() > 2 * BASE64.encode_len(MOST_OF_LOGO) {
            return Err(InvalidLogo::TooLarge);
        }
        // Many programs break Base64 into lines.
        let text: String = text.split_ascii_whitespace().collect();
        BASE64.decode(text.as_bytes()).map_err(|_| InvalidLogo::NotBase64).and_then(Self::new)
    }
}

impl Member for Logo {
    fn read(value: &Value, at: &Place, faults: &mut Faults) -> Option<Self> {
        parsed(value, at, faults)
    }

    fn write(&self) -> Value {
        Value::text(BASE64.encode(&self.png))
    }
}

/// What an operator writes of a tenant's look.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BrandDocument {
    /// The colour of bands and buttons.
    pub colour: Colour,
    /// The logo at the top of mails; the tenant's name stands there without one.
    pub logo: Option<Logo>,
}

impl BrandDocument {
    /// Reads a document.
    ///
    /// # Errors
    /// All that is wrong with it.
    pub fn read(value: &Value) -> Result<Self, Faults> {
        let mut faults = Faults::default();
        let read = Members::of(value, &Place::root(), &mut faults).map(|mut members| {
            let colour = members.optional("colour", &mut faults).unwrap_or_default();
            let logo = members.optional("logo", &mut faults);
            members.done(&mut faults);
            Self { colour, logo }
        });
        faults.or(read)
    }

    /// A document that was checked when it was saved, whatever the rules are now. What cannot be read of it is as if it
    /// had not been given.
    #[must_use]
    pub fn checked_before(value: &Value) -> Self {
        let Value::Object(members) = value else { return Self::default() };
        let text = |name: &str| match members.get(name) {
            Some(Value::Text(text)) => Some(text.as_str()),
            _ => None,
        };
        let logo = text("logo").and_then(|text| BASE64.decode(text.as_bytes()).ok());
        Self {
            colour: text("colour").and_then(|text| Colour::try_from(text).ok()).unwrap_or_default(),
            logo: logo.and_then(Logo::checked_before),
        }
    }

    /// The document as it is written.
    #[must_use]
    pub fn write(&self) -> Value {
        let mut members = vec![("colour", self.colour.write())];
        members.extend(self.logo.as_ref().map(|logo| ("logo", logo.write())));
        Value::object(members)
    }
}

/// A tenant's look.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Brand {
    /// What an operator has written.
    pub document: BrandDocument,
    /// Counts changes; a write names the version that it replaces.
    pub version: u64,
    /// When it was last changed.
    pub updated_at: Timestamp,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::qr;

    #[test]
    fn colours_are_read_and_have_a_readable_partner() {
        let colour = Colour::try_from("#1A56c4").unwrap();
        assert_eq!(colour, Colour::default());
        assert_eq!((colour.to_string().as_str(), colour.on()), ("#1a56c4", Colour::WHITE));
        assert_eq!(Colour::try_from("#ffee00").unwrap().on(), Colour::BLACK);
        assert!((Colour::BLACK.contrast(Colour::WHITE) - 21.0).abs() < 0.001);
        for bad in ["", "1a56c4", "#fff", "#1a56cg", "#1a56c4;", "red", "#ääää"] {
            assert_eq!(Colour::try_from(bad), Err(InvalidColour), "{bad}");
        }
    }

    #[test]
    fn any_colour_can_be_written_on() {
        for part in 0..=255 {
            let colour = Colour([part, part / 2, 255 - part]);
            assert!(colour.contrast(colour.on()) >= 4.5, "{colour}");
        }
    }

    #[test]
    fn a_logo_is_a_small_whole_png() {
        let png = qr::png("otpost", 8).unwrap();
        let logo = Logo::new(png.clone()).unwrap();
        assert_eq!(logo.png(), png);
        let (width, height) = logo.shown();
        assert!(width == height && height == 48);
        assert_eq!(Logo::new(png[..png.len() / 2].to_vec()).unwrap_err(), InvalidLogo::NotPng);
        let tail = [png.as_slice(), b"<script>"].concat();
        assert_eq!(Logo::new(tail).unwrap_err(), InvalidLogo::NotPng);
        let lines = BASE64
            .encode(&png)
            .as_bytes()
            .chunks(76)
            .map(|line| String::from_utf8_lossy(line) + "\n")
            .collect::<String>();
        assert_eq!(Logo::try_from(lines.as_str()).unwrap(), logo);
        assert_eq!(Logo::new(b"GIF89a".to_vec()).unwrap_err(), InvalidLogo::NotPng);
        assert_eq!(Logo::new(vec![0; MOST_OF_LOGO + 1]).unwrap_err(), InvalidLogo::TooLarge);
        assert_eq!(Logo::try_from("?").unwrap_err(), InvalidLogo::NotBase64);
        let value = BrandDocument { colour: Colour::BLACK, logo: Some(logo) };
        assert_eq!(BrandDocument::checked_before(&value.write()), value);
        assert_eq!(BrandDocument::checked_before(&Value::Null), BrandDocument::default());
        assert_eq!(BrandDocument::read(&value.write()), Ok(value));
        assert_eq!(BrandDocument::read(&Value::object([])), Ok(BrandDocument::default()));
    }
}
