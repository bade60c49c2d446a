//! QR codes as small PNG pictures, for a mail's inline image and for the enrolment page.

use png::{BitDepth, ColorType, Compression, Encoder};
use qrcode::types::Color;
use qrcode::{EcLevel, QrCode};

/// The empty margin that readers need, in modules (ISO/IEC 18004 section 6.3.8 asks for four).
pub const QUIET_ZONE: usize = 4;
/// The largest scale: pixels per module.
pub const LARGEST_SCALE: u8 = 32;

/// Why there is no picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum QrError {
    /// The text is longer than a QR code can hold at this error correction (about 2,300 bytes).
    #[error("the text is too long for a QR code")]
    TooLong,
    /// The scale is 0 or above [`LARGEST_SCALE`].
    #[error("a module has 1 to 32 pixels")]
    Scale,
    /// The picture could not be encoded.
    #[error("the picture could not be encoded")]
    Encoding,
}

/// Draws `text` as a QR code with error correction level M, each module `scale` pixels wide, with the
/// quiet zone around it: a grey-scale PNG of 1 bit per pixel.
///
/// # Errors
/// [`QrError::TooLong`] and [`QrError::Scale`] name what to change.
pub fn png(text: &str, scale: u8) -> Result<Vec<u8>, QrError> {
    if !(1..=LARGEST_SCALE).contains(&scale) {
        return Err(QrError::Scale);
    }
    let code = QrCode::with_error_correction_level(text, EcLevel::M).map_err(|_| QrError::TooLong)?;
    let pixels = Pixels::draw(&code, usize::from(scale));

    let mut file = Vec::new();
    let side = u32::try_from(pixels.side).map_err(|_| QrError::Encoding)?;
    let mut encoder = Encoder::new(&mut file, side, side);
    encoder.set_color(ColorType::Grayscale);
    encoder.set_depth(BitDepth::One);
    encoder.set_compression(Compression::High);
    // Rows repeat `scale` times and are not gradients: plain rows compress best.
    encoder.set_filter(png::Filter::NoFilter);
    encoder
        .write_header()
        .and_then(|mut writer| {
            writer.write_image_data(&pixels.rows)?;
            writer.finish()
        })
        .map_err(|_| QrError::Encoding)?;
    Ok(file)
}

/// Rows of packed pixels, the leftmost in the highest bit, 1 = white (PNG third edition, section 7.2).
struct Pixels {
    side: usize,
    rows: Vec<u8>,
}

impl Pixels {
    fn draw(code: &QrCode, scale: usize) -> Self {
        let modules = code.to_colors();
        let side = (code.width() + 2 * QUIET_ZONE) * scale;
        let margin = vec![Color::Light; QUIET_ZONE];
        let blank_row = vec![0xff; side.div_ceil(8)];

        let mut rows = blank_row.repeat(QUIET_ZONE * scale);
        for line in modules.chunks(code.width()) {
            let padded = [margin.as_slice(), line, margin.as_slice()].concat();
            let wide: Vec<Color> =
                padded.iter().flat_map(|&module| core::iter::repeat_n(module, scale)).collect();
            let row: Vec<u8> = wide.chunks(8).map(packed).collect();
            rows.extend(row.repeat(scale));
        }
        rows.extend(blank_row.repeat(QUIET_ZONE * scale));
        Self { side, rows }
    }
}

/// Up to eight pixels in one byte; what is missing on the right is white.
fn packed(pixels: &[Color]) -> u8 {
    pixels.iter().zip((0..8).rev()).fold(0xff, |byte, (&pixel, bit)| match pixel {
        Color::Light => byte,
        Color::Dark => byte & !(1 << bit),
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A 125-byte link: what a usual tenant and mail address come to.
    const LINK: &str = "otpauth://totp/Demo:janet%40example.org?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ\
                        &issuer=Demo&algorithm=SHA1&digits=6&period=30";

    struct Picture {
        side: usize,
        depth: BitDepth,
        color: ColorType,
        /// Row by row, true = white.
        white: Vec<bool>,
    }

    impl Picture {
        fn read(file: &[u8]) -> Self {
            let mut reader = png::Decoder::new(std::io::Cursor::new(file)).read_info().unwrap();
            let mut bytes = vec![0; reader.output_buffer_size().unwrap()];
            let frame = reader.next_frame(&mut bytes).unwrap();
            assert_eq!(frame.width, frame.height);
            let side = frame.width as usize;
            let white = bytes
                .chunks(frame.line_size)
                .take(side)
                .flat_map(|row| (0..side).map(|x| row[x / 8] & (0x80 >> (x % 8)) != 0))
                .collect();
            Self { side, depth: frame.bit_depth, color: frame.color_type, white }
        }

        fn decode(&self) -> String {
            let grey = |x, y| if self.white[y * self.side + x] { 255 } else { 0 };
            let mut image = rqrr::PreparedImage::prepare_from_greyscale(self.side, self.side, grey);
            let grids = image.detect_grids();
            assert_eq!(grids.len(), 1);
            let (meta, text) = grids[0].decode().unwrap();
            // The format bits write level M as 00 (ISO/IEC 18004 table 12).
            assert_eq!(meta.ecc_level, 0);
            text
        }
    }

    #[test]
    fn a_reader_gets_the_text_back() {
        assert_eq!(LINK.len(), 125);
        for scale in [2, 4, 8] {
            assert_eq!(Picture::read(&png(LINK, scale).unwrap()).decode(), LINK);
        }
    }

    #[test]
    fn it_is_one_bit_grey_and_small() {
        let file = png(LINK, 6).unwrap();
        let picture = Picture::read(&file);
        assert_eq!((picture.depth, picture.color), (BitDepth::One, ColorType::Grayscale));
        assert!(file.len() < 1_024, "{} bytes", file.len());
    }

    #[test]
    fn the_quiet_zone_is_white_and_the_code_touches_it() {
        for scale in [1, 3, 5] {
            let picture = Picture::read(&png(LINK, scale).unwrap());
            let margin = QUIET_ZONE * usize::from(scale);
            let inner = margin..picture.side - margin;
            for y in 0..picture.side {
                for x in 0..picture.side {
                    let in_code = inner.contains(&x) && inner.contains(&y);
                    assert!(in_code || picture.white[y * picture.side + x], "({x}, {y})");
                }
            }
            // The finder patterns begin at three corners of the code.
            let black = |x: usize, y: usize| !picture.white[y * picture.side + x];
            assert!(black(inner.start, inner.start));
            assert!(black(inner.end - 1, inner.start));
            assert!(black(inner.start, inner.end - 1));
        }
    }

    #[test]
    fn limits_are_named() {
        assert_eq!(png("x", 0).unwrap_err(), QrError::Scale);
        assert_eq!(png("x", 33).unwrap_err(), QrError::Scale);
        assert_eq!(png(&"x".repeat(2_332), 1).unwrap_err(), QrError::TooLong);
        assert!(png(&"x".repeat(2_331), 1).is_ok());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]

        #[test]
        fn any_link_is_read_back(path in "[A-Za-z0-9_-]{1,120}", scale in 3_u8..=8) {
            let link = format!("https://otp.example.org/e/{path}");
            prop_assert_eq!(Picture::read(&png(&link, scale).unwrap()).decode(), link);
        }
    }
}
