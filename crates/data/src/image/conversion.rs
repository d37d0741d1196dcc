//! Images to the size and the channels of the config.

use std::path::Path;

use image::imageops::FilterType;
use image::{DynamicImage, GrayImage, RgbImage, RgbaImage};
use rayon::prelude::*;

use super::{ImageConfig, ImageSet, ImageShape};
use crate::DataError;

/// What is done to every image after it is read; nothing where both are absent.
///
/// Grey is made from colour by the luma of ITU-R BT.709 and colour from grey by repetition.
/// Resizing interpolates linearly over as many pixels as become one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Conversion {
    pub size: Option<[usize; 2]>,
    pub channels: Option<usize>,
}

impl Conversion {
    pub fn of(config: &ImageConfig) -> Self {
        Conversion { size: config.size, channels: config.channels }
    }

    /// Shape and values of a picture.
    pub fn picture(&self, path: &Path, picture: DynamicImage) -> Result<(ImageShape, Vec<u8>), DataError> {
        let channels = match self.channels {
            Some(channels) => channels,
            None if is_transparent(&picture) => {
                return Err(DataError::Transparent { path: path.to_owned() });
            }
            None if picture.color().has_color() => 3,
            None => 1,
        };
        let picture = match channels {
            1 => DynamicImage::ImageLuma8(picture.into_luma8()),
            _ => DynamicImage::ImageRgb8(picture.into_rgb8()),
        };
        let own = [picture.height() as usize, picture.width() as usize];
        let [height, width] = self.size.unwrap_or(own);
        let picture = match own == [height, width] {
            true => picture,
            false => picture.resize_exact(width as u32, height as u32, FilterType::Triangle),
        };
        Ok((ImageShape { height, width, channels }, picture.into_bytes()))
    }

    /// Shape and values of many images of one shape.
    pub fn values(
        &self,
        path: &Path,
        shape: ImageShape,
        pixels: Vec<u8>,
    ) -> Result<(ImageShape, Vec<u8>), DataError> {
        let size = [shape.height, shape.width];
        if self.size.is_none_or(|wanted| wanted == size)
            && self.channels.is_none_or(|wanted| wanted == shape.channels)
        {
            return Ok((shape, pixels));
        }
        let images: Vec<(ImageShape, Vec<u8>)> = pixels
            .par_chunks_exact(shape.values())
            .map(|image| self.picture(path, as_picture(path, shape, image)?))
            .collect::<Result<_, _>>()?;
        let shape = images.first().map_or(shape, |(shape, _)| *shape);
        Ok((shape, images.into_iter().flat_map(|(_, image)| image).collect()))
    }

    /// A set with all its images converted.
    pub fn set(&self, path: &Path, set: ImageSet) -> Result<ImageSet, DataError> {
        let shape = set.shape();
        let (shape, pixels) = self.values(path, shape, set.pixels)?;
        ImageSet::new(shape, pixels, set.labels, set.classes)
    }
}

fn as_picture(path: &Path, shape: ImageShape, values: &[u8]) -> Result<DynamicImage, DataError> {
    let (height, width, values) = (shape.height as u32, shape.width as u32, values.to_vec());
    let picture = match shape.channels {
        1 => GrayImage::from_raw(width, height, values).map(DynamicImage::ImageLuma8),
        3 => RgbImage::from_raw(width, height, values).map(DynamicImage::ImageRgb8),
        4 => RgbaImage::from_raw(width, height, values).map(DynamicImage::ImageRgba8),
        _ => None,
    };
    picture.ok_or_else(|| DataError::Unconvertible { path: path.to_owned(), channels: shape.channels })
}

/// Whether anything behind the picture would shine through. An alpha channel that says "opaque"
/// everywhere says nothing.
fn is_transparent(picture: &DynamicImage) -> bool {
    picture.color().has_alpha() && picture.to_rgba8().pixels().any(|pixel| pixel[3] != u8::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn converted(
        size: Option<[usize; 2]>,
        channels: Option<usize>,
        shape: [usize; 3],
        values: &[u8],
    ) -> Vec<u8> {
        let [height, width, count] = shape;
        let shape = ImageShape { height, width, channels: count };
        Conversion { size, channels }.values(Path::new("a"), shape, values.to_vec()).unwrap().1
    }

    #[test]
    fn channels_follow_the_luma_and_repeat_grey() {
        // 0.2126·255 = 54.2, 0.7152·255 = 182.4, 0.0722·255 = 18.4.
        let colours = [255, 0, 0, 0, 255, 0, 0, 0, 255, 200, 200, 200];
        assert_eq!(converted(None, Some(1), [2, 2, 3], &colours), [54, 182, 18, 200]);
        assert_eq!(converted(None, Some(3), [1, 2, 1], &[7, 9]), [7, 7, 7, 9, 9, 9]);
    }

    #[test]
    fn resizing_averages_and_interpolates() {
        assert_eq!(converted(Some([1, 1]), None, [2, 2, 1], &[0, 100, 40, 60]), [50]);
        // Centres of the new pixels lie at −0.25, 0.25, 0.75 and 1.25 of the old ones.
        assert_eq!(converted(Some([1, 4]), None, [1, 2, 1], &[0, 100]), [0, 25, 75, 100]);
    }

    #[test]
    fn nothing_is_done_where_nothing_is_asked_for() {
        let five = [1, 2, 3, 4, 5];
        assert_eq!(converted(None, None, [1, 1, 5], &five), five);
        assert_eq!(converted(Some([1, 5]), Some(1), [1, 5, 1], &five), five);
        let shape = ImageShape { height: 1, width: 1, channels: 5 };
        let refused =
            Conversion { size: None, channels: Some(1) }.values(Path::new("a"), shape, five.to_vec());
        assert!(matches!(refused, Err(DataError::Unconvertible { channels: 5, .. })));
    }
}
