//! Reads QR codes from PNG pictures, with a decoder that shares no code with Otpost's encoder.

use anyhow::{Context as _, Result, bail};

/// A QR code that was found in a picture.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decoded {
    /// What it says.
    pub text: String,
    /// The picture's width in pixels.
    pub width: usize,
    /// The picture's height in pixels.
    pub height: usize,
}

/// Reads the one QR code of a PNG.
///
/// # Errors
/// It is no PNG, or holds no readable QR code, or more than one.
pub fn decode_png(bytes: &[u8]) -> Result<Decoded> {
    let (width, height, grey) = grey_pixels(bytes)?;
    let pixel = |x: usize, y: usize| grey.get(y * width + x).copied().unwrap_or(u8::MAX);
    let mut image = rqrr::PreparedImage::prepare_from_greyscale(width, height, pixel);
    let grids = image.detect_grids();
    let [grid] = grids.as_slice() else { bail!("{} QR codes in the picture", grids.len()) };
    let (_, text) = grid.decode().map_err(|error| anyhow::anyhow!("the QR code cannot be read: {error}"))?;
    Ok(Decoded { text, width, height })
}

/// One byte for each pixel, whatever the PNG's colour type.
fn grey_pixels(bytes: &[u8]) -> Result<(usize, usize, Vec<u8>)> {
    let mut decoder = png::Decoder::new(std::io::Cursor::new(bytes));
    decoder.set_transformations(png::Transformations::normalize_to_color8());
    let mut reader = decoder.read_info().context("no PNG")?;
    let mut pixels = vec![0; reader.output_buffer_size().context("the PNG is too large")?];
    let frame = reader.next_frame(&mut pixels).context("the PNG is broken")?;
    pixels.truncate(frame.buffer_size());
    let samples = frame.color_type.samples();
    let grey = pixels.chunks_exact(samples).map(|pixel| brightness(frame.color_type, pixel)).collect();
    Ok((frame.width as usize, frame.height as usize, grey))
}

fn brightness(colour: png::ColorType, pixel: &[u8]) -> u8 {
    let transparent = match colour {
        png::ColorType::GrayscaleAlpha | png::ColorType::Rgba => {
            pixel.last().is_some_and(|alpha| *alpha < 128)
        }
        _ => false,
    };
    // Mail programs show transparent pixels on white.
    if transparent { u8::MAX } else { pixel.first().copied().unwrap_or(u8::MAX) }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A one-bit PNG of the QR code for `text`.
    pub(crate) fn picture(text: &str, scale: usize) -> Vec<u8> {
        let code = qrcode::QrCode::new(text).unwrap();
        let (modules, colours) = (code.width(), code.to_colors());
        let width = (modules + 8) * scale;
        let dark = |x: usize, y: usize| {
            let (column, row) = (x / scale, y / scale);
            let inside = (4..modules + 4).contains(&column) && (4..modules + 4).contains(&row);
            inside && colours[(row - 4) * modules + column - 4] == qrcode::Color::Dark
        };
        let mut bits = Vec::new();
        for y in 0..width {
            for block in 0..width.div_ceil(8) {
                let bit = |i: usize| u8::from(block * 8 + i < width && !dark(block * 8 + i, y)) << (7 - i);
                bits.push((0..8).map(bit).sum::<u8>());
            }
        }
        let mut png = Vec::new();
        let side = u32::try_from(width).unwrap();
        let mut encoder = png::Encoder::new(&mut png, side, side);
        encoder.set_color(png::ColorType::Grayscale);
        encoder.set_depth(png::BitDepth::One);
        encoder.write_header().unwrap().write_image_data(&bits).unwrap();
        png
    }

    #[test]
    fn a_one_bit_code_is_read() {
        let link = "http://127.0.0.1:8400/e/q0FvY3Jw-some_code";
        let decoded = decode_png(&picture(link, 5)).unwrap();
        assert_eq!(decoded.text, link);
        assert_eq!(decoded.width % 5, 0);
    }

    #[test]
    fn what_holds_no_code_is_an_error() {
        assert!(decode_png(b"GIF89a").is_err());
        let mut png = Vec::new();
        let mut encoder = png::Encoder::new(&mut png, 8, 8);
        encoder.set_color(png::ColorType::Grayscale);
        encoder.write_header().unwrap().write_image_data(&[255; 64]).unwrap();
        assert!(decode_png(&png).unwrap_err().to_string().contains("0 QR codes"));
    }
}
