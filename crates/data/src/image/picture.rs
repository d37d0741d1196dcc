//! One PNG or JPEG file.

use std::io::{Cursor, ErrorKind};
use std::path::Path;

use image::metadata::Orientation;
use image::{DynamicImage, ImageDecoder, ImageError, ImageFormat, ImageReader, Limits};

use crate::{DataError, read};

/// The most that a decoded picture may take in memory. A header can promise anything; this is a
/// picture of 9400 × 9400 pixels in colour.
const LARGEST: u64 = 1 << 28;

/// Whether a name is that of a picture.
pub(crate) fn is_picture(path: &Path) -> bool {
    let ending = path.extension().map(|ending| ending.to_string_lossy().to_lowercase());
    matches!(ending.as_deref(), Some("png" | "jpg" | "jpeg"))
}

/// Decodes a picture, turned the way its camera says. What it is goes by its first bytes, not its name.
pub(super) fn read(path: &Path) -> Result<DynamicImage, DataError> {
    let bytes = read::bytes(path, read::Compression::None)?;
    if bytes.is_empty() {
        return Err(DataError::NoImages { path: path.to_owned() });
    }
    // The decoder fills up a JPEG picture that was cut short with grey.
    if image::guess_format(&bytes).ok() == Some(ImageFormat::Jpeg) && !ends(&bytes) {
        return Err(DataError::ShortPicture { path: path.to_owned(), bytes: bytes.len() });
    }
    decode(&bytes).map_err(|source| match source {
        ImageError::IoError(error) if error.kind() == ErrorKind::UnexpectedEof => {
            DataError::ShortPicture { path: path.to_owned(), bytes: bytes.len() }
        }
        source => DataError::BrokenPicture { path: path.to_owned(), source },
    })
}

fn decode(bytes: &[u8]) -> Result<DynamicImage, ImageError> {
    let mut limits = Limits::default();
    limits.max_alloc = Some(LARGEST);
    let mut reader = ImageReader::new(Cursor::new(bytes)).with_guessed_format()?;
    reader.limits(limits.clone());
    let mut decoder = reader.into_decoder()?;
    limits.reserve(decoder.total_bytes())?;
    let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
    let mut picture = DynamicImage::from_decoder(decoder)?;
    picture.apply_orientation(orientation);
    Ok(picture)
}

/// Whether a JPEG stream comes to its end marker. A marker is 0xff and a code; those before the
/// compressed data carry a length, inside of which anything may stand.
///
/// Source: ITU-T T.81, annex B.
fn ends(bytes: &[u8]) -> bool {
    const END: u8 = 0xd9;
    let mut at = 2;
    while let Some(&[mark, code]) = bytes.get(at..).and_then(|rest| rest.first_chunk::<2>()) {
        at += match (mark, code) {
            (0xff, END) => return true,
            // Compressed data: zero after 0xff means 0xff itself, 0xd0 to 0xd7 are restart marks.
            (0xff, 0x00 | 0x01 | 0xd0..=0xd8) => 2,
            // Fill bytes before a marker.
            (0xff, 0xff) => 1,
            (0xff, _) => match bytes.get(at + 2..).and_then(|rest| rest.first_chunk::<2>()) {
                Some(&length) => 2 + usize::from(u16::from_be_bytes(length)),
                None => return false,
            },
            _ => 1,
        };
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pictures_are_known_by_their_ending() {
        for (name, expected) in
            [("a.png", true), ("b/c.JPG", true), ("d.jpeg", true), ("png", false), ("e.gif", false)]
        {
            assert_eq!(is_picture(Path::new(name)), expected, "{name}");
        }
    }

    #[test]
    fn an_end_marker_counts_only_outside_of_segments() {
        let thumbnail = [0xff, 0xd8, 0xff, 0xe1, 0, 6, 1, 0xff, 0xd9, 2, 0xff, 0xda, 0, 2, 7, 0xff, 0, 8];
        assert!(!ends(&thumbnail));
        assert!(ends(&[&thumbnail[..], &[0xff, 0xd3, 9, 0xff, 0xff, 0xd9]].concat()));
        assert!(!ends(&[0xff, 0xd8, 0xff]) && !ends(&[]) && !ends(&[0xff, 0xd8, 0xff, 0xe0, 0]));
    }
}
