//! Images of one shape with their labels.

use std::fmt;

use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::Xxh3;

use crate::DataError;
use crate::labelled::relabel;

/// Height, width and number of channels of an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImageShape {
    /// Rows of pixels.
    pub height: usize,
    /// Pixels in a row.
    pub width: usize,
    /// Values of a pixel: 1 for grey, 3 for colour.
    pub channels: usize,
}

impl ImageShape {
    /// Values of an image.
    pub fn values(&self) -> usize {
        self.height * self.width * self.channels
    }
}

impl fmt::Display for ImageShape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ImageShape { height, width, channels } = self;
        write!(f, "{height} × {width} × {channels}")
    }
}

/// Images of one shape, each with the number of its class.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImageSet {
    /// Rows of pixels.
    pub height: usize,
    /// Pixels in a row.
    pub width: usize,
    /// Values of a pixel.
    pub channels: usize,
    /// Values from 0 for black to 255, `[images × height × width × channels]`, row by row and the
    /// channels of a pixel together.
    pub pixels: Vec<u8>,
    /// Class of each image, `[images]`, an index into `classes`.
    pub labels: Vec<u32>,
    /// Names of the classes.
    pub classes: Vec<String>,
}

impl ImageSet {
    /// A set of images of one shape.
    ///
    /// # Errors
    /// When there is no image, the numbers of pixels and labels do not fit the shape, or a label has
    /// no class.
    pub fn new(
        shape: ImageShape,
        pixels: Vec<u8>,
        labels: Vec<u32>,
        classes: Vec<String>,
    ) -> Result<Self, DataError> {
        let ImageShape { height, width, channels } = shape;
        let set = ImageSet { height, width, channels, pixels, labels, classes };
        set.check()?;
        Ok(set)
    }

    /// Checks what [`ImageSet::new`] does, for a set that was put together by hand.
    ///
    /// # Errors
    /// As there.
    pub fn check(&self) -> Result<(), DataError> {
        let shape = self.shape();
        let values = [shape.height, shape.width, shape.channels, self.len()];
        let values = values.into_iter().try_fold(1, usize::checked_mul);
        if values != Some(self.pixels.len()) || self.pixels.is_empty() {
            return Err(DataError::UnevenSet { shape, pixels: self.pixels.len(), labels: self.len() });
        }
        let classes = self.classes.len();
        match self.labels.iter().enumerate().find(|&(_, &label)| label as usize >= classes) {
            Some((image, &label)) => {
                Err(DataError::LabelRange { place: format!("image {image} of a set"), label, classes })
            }
            None => Ok(()),
        }
    }

    /// Number of images.
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// Whether there is no image.
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }

    /// The shape of every image.
    pub fn shape(&self) -> ImageShape {
        ImageShape { height: self.height, width: self.width, channels: self.channels }
    }

    /// The values of one image, `[height × width × channels]`.
    pub fn image(&self, index: usize) -> &[u8] {
        let values = self.shape().values();
        &self.pixels[index * values..(index + 1) * values]
    }

    /// Number of images of each class.
    pub fn class_counts(&self) -> Vec<usize> {
        crate::labelled::class_counts(&self.labels, self.classes.len())
    }

    /// The same images with the classes of another set, such as the one a model was trained on.
    ///
    /// # Errors
    /// [`DataError::UnseenClass`] when an image has a class that is not among `known`.
    pub fn with_classes(mut self, known: &[String]) -> Result<Self, DataError> {
        relabel(&mut self.labels, &self.classes, known)?;
        self.classes = known.to_vec();
        Ok(self)
    }

    /// Some of the images, in the order of `rows`.
    pub(crate) fn select(&self, rows: &[usize]) -> Self {
        let mut pixels = Vec::with_capacity(rows.len() * self.shape().values());
        rows.iter().for_each(|&row| pixels.extend_from_slice(self.image(row)));
        let labels = rows.iter().map(|&row| self.labels[row]).collect();
        ImageSet { pixels, labels, classes: self.classes.clone(), ..*self }
    }

    /// A 128-bit hash of images, labels and classes, in hexadecimal digits: a resumed run can see that
    /// its data has changed.
    pub fn fingerprint(&self) -> String {
        let mut hash = Xxh3::new();
        for size in [self.height, self.width, self.channels] {
            hash.update(&(size as u64).to_le_bytes());
        }
        hash.update(&self.pixels);
        crate::labelled::hash_labels(&mut hash, &self.labels, &self.classes);
        format!("{:032x}", hash.digest128())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set() -> ImageSet {
        let shape = ImageShape { height: 1, width: 2, channels: 1 };
        let classes = vec!["cat".to_owned(), "dog".to_owned()];
        ImageSet::new(shape, vec![1, 2, 3, 4, 5, 6], vec![0, 1, 1], classes).unwrap()
    }

    #[test]
    fn images_are_found_by_their_index() {
        let set = set();
        assert_eq!((set.len(), set.image(1), set.class_counts()), (3, &[3, 4][..], vec![1, 2]));
        let some = set.select(&[2, 0]);
        assert_eq!((some.pixels, some.labels), (vec![5, 6, 1, 2], vec![1, 0]));
        assert_eq!(set.shape().to_string(), "1 × 2 × 1");
    }

    #[test]
    fn parts_that_do_not_fit_are_refused() {
        let uneven = ImageSet { pixels: vec![0; 5], ..set() };
        assert!(matches!(uneven.check(), Err(DataError::UnevenSet { pixels: 5, labels: 3, .. })));
        let flat = ImageSet { height: 0, pixels: Vec::new(), ..set() };
        assert!(matches!(flat.check(), Err(DataError::UnevenSet { .. })));
        let label = ImageSet { labels: vec![0, 2, 1], ..set() };
        assert!(matches!(label.check(), Err(DataError::LabelRange { label: 2, classes: 2, .. })));
    }

    #[test]
    fn classes_are_matched_by_name() {
        let known = ["bird", "dog", "cat"].map(str::to_owned);
        let matched = set().with_classes(&known).unwrap();
        assert_eq!((matched.labels, matched.classes.len()), (vec![2, 1, 1], 3));
        let error = set().with_classes(&known[..2]).unwrap_err();
        assert_eq!(error.to_string(), "`cat` is no class of the training data");
    }

    #[test]
    fn the_fingerprint_sees_every_part() {
        let others = [
            ImageSet { pixels: vec![1, 2, 3, 4, 5, 7], ..set() },
            ImageSet { labels: vec![1, 1, 1], ..set() },
            ImageSet { classes: vec!["ca".to_owned(), "tdog".to_owned()], ..set() },
            ImageSet { height: 2, width: 1, ..set() },
        ];
        assert!(others.iter().all(|other| other.fingerprint() != set().fingerprint()));
        assert_eq!(set().fingerprint(), set().fingerprint());
    }
}
