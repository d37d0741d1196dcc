//! Pixels as the bytes of a PNG file.

use std::io::Cursor;

use image::codecs::png::PngEncoder;
use image::{ExtendedColorType, ImageEncoder};

/// A PNG of pixels `[height × width × channels]`, 1 or 3 channels.
///
/// # Errors
/// Another number of channels or of pixels, in the encoder's words.
pub fn encode_png(pixels: &[u8], width: usize, height: usize, channels: usize) -> Result<Vec<u8>, String> {
    let colour = match channels {
        1 => ExtendedColorType::L8,
        3 => ExtendedColorType::Rgb8,
        other => return Err(format!("{other} channels are neither grey nor colour")),
    };
    if pixels.len() != width * height * channels {
        return Err(format!("{} numbers are no {width} × {height} × {channels} pixels", pixels.len()));
    }
    let mut bytes = Cursor::new(Vec::new());
    PngEncoder::new(&mut bytes)
        .write_image(pixels, width as u32, height as u32, colour)
        .map_err(|error| error.to_string())?;
    Ok(bytes.into_inner())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_encoded_can_be_read() {
        for channels in [1, 3] {
            let pixels: Vec<u8> = (0..6 * channels).map(|i| (40 * i) as u8).collect();
            let bytes = encode_png(&pixels, 3, 2, channels).expect("a picture");
            let read = image::load_from_memory(&bytes).expect("a PNG");
            assert_eq!((read.width(), read.height()), (3, 2));
            assert_eq!(read.into_bytes(), pixels);
        }
        assert!(encode_png(&[0; 4], 2, 1, 2).is_err() && encode_png(&[0; 5], 2, 2, 1).is_err());
    }
}
