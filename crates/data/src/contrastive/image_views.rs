//! Images in two views, each changed in its own way.

use std::ops::Range;

use xxhash_rust::xxh3::xxh3_64;

use super::rows::{COLUMNS, Sampled};
use super::{ContrastiveBatch, RowInputs};
use crate::image::{Augmenter, Tables};
use crate::{AugmentConfig, DataError, ImageSet, Normalisation};

/// Images that are shown twice, changed anew each time. Their labels have no part in the training; embeddings are measured by them.
#[derive(Debug)]
pub struct ImageViews {
    set: ImageSet,
    tables: Tables,
    augmenter: Augmenter,
    identities: Vec<u64>,
}

impl ImageViews {
    /// Images of `set`, whose changes depend on the seed and the number of the sample alone.
    ///
    /// # Errors
    /// A set that does not fit together, values out of range, or mixed images.
    pub fn new(
        set: ImageSet,
        normalisation: &Normalisation,
        augment: AugmentConfig,
        seed: u64,
    ) -> Result<Self, DataError> {
        set.check()?;
        normalisation.check(set.channels)?;
        if augment.mixup != 0.0 {
            let range = "0: a mixture of two images is a view of neither".to_owned();
            let value = augment.mixup.to_string();
            return Err(DataError::OutOfRange { key: "data.augment.mixup", value, range });
        }
        let augmenter = Augmenter::new(augment, set.shape(), seed)?;
        let identities = (0..set.len()).map(|row| xxh3_64(set.image(row))).collect();
        Ok(ImageViews { tables: normalisation.tables(), set, augmenter, identities })
    }

    /// The images.
    pub fn set(&self) -> &ImageSet {
        &self.set
    }

    /// What every image is: images of one number are the same, pixel by pixel.
    pub fn identities(&self) -> &[u64] {
        &self.identities
    }

    /// Two views of each example, one after the other.
    pub fn batch(&self, examples: &[Sampled]) -> ContrastiveBatch {
        let views = examples.iter().flat_map(|&(row, sample)| [0, 1].map(|view| (row, sample, view)));
        let shown = views.clone().flat_map(|(row, sample, view)| {
            self.augmenter.apply(self.tables.apply(self.set.image(row)), sample, view)
        });
        ContrastiveBatch {
            examples: examples.len(),
            rows: 2 * examples.len(),
            inputs: RowInputs::Images { shape: self.set.shape(), pixels: shown.collect() },
            samples: views.clone().map(|(_, sample, view)| COLUMNS * sample + view).collect(),
            identities: views.map(|(row, ..)| self.identities[row]).collect(),
            labels: None,
        }
    }

    /// Some images as they are, for embedding them.
    pub fn plain(&self, examples: Range<usize>) -> ContrastiveBatch {
        let pixels = examples.clone().flat_map(|row| self.tables.apply(self.set.image(row))).collect();
        ContrastiveBatch {
            examples: examples.len(),
            rows: examples.len(),
            inputs: RowInputs::Images { shape: self.set.shape(), pixels },
            samples: examples.clone().map(|row| COLUMNS * row as u64).collect(),
            identities: self.identities[examples].to_vec(),
            labels: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ImageShape;

    fn views(augment: AugmentConfig) -> Result<ImageViews, DataError> {
        let shape = ImageShape { height: 2, width: 3, channels: 1 };
        let pixels = [[1, 2, 3, 4, 5, 6], [9, 8, 7, 6, 5, 4], [1, 2, 3, 4, 5, 6]].concat();
        let set = ImageSet::new(shape, pixels, vec![0, 1, 0], vec!["a".to_owned(), "b".to_owned()])?;
        let normalisation = Normalisation { mean: vec![0.0], deviation: vec![1.0 / 255.0] };
        ImageViews::new(set, &normalisation, augment, 5)
    }

    fn pixels(batch: &ContrastiveBatch) -> Vec<Vec<i32>> {
        let RowInputs::Images { shape, pixels } = &batch.inputs else { panic!("images are pixels") };
        let rows = pixels.chunks(shape.values());
        rows.map(|row| row.iter().map(|x| x.round() as i32).collect()).collect()
    }

    #[test]
    fn every_image_comes_in_two_views_of_its_own() {
        let flipped = views(AugmentConfig { flip: true, ..AugmentConfig::default() }).unwrap();
        let batch = flipped.batch(&[(1, 7), (0, 8)]);
        assert_eq!((batch.examples, batch.rows, batch.labels.clone()), (2, 4, None));
        assert_eq!(batch.samples, [28, 29, 32, 33]);
        for (row, shown) in pixels(&batch).into_iter().enumerate() {
            let ways = if row < 2 {
                [[9, 8, 7, 6, 5, 4], [7, 8, 9, 4, 5, 6]]
            } else {
                [[1, 2, 3, 4, 5, 6], [3, 2, 1, 6, 5, 4]]
            };
            assert!(ways.iter().any(|way| *way == shown[..]), "{shown:?}");
        }
        // Views differ for some samples and are the same for the same one.
        let two = |sample| pixels(&flipped.batch(&[(0, sample)]));
        assert!((0..20).any(|sample| two(sample)[0] != two(sample)[1]));
        assert_eq!(two(3), two(3));
    }

    #[test]
    fn images_to_embed_are_shown_as_they_are() {
        let views = views(AugmentConfig { flip: true, shift: 1, ..AugmentConfig::default() }).unwrap();
        assert_eq!(pixels(&views.plain(1..3)), [[9, 8, 7, 6, 5, 4], [1, 2, 3, 4, 5, 6]]);
    }

    #[test]
    fn the_same_image_is_the_same_thing_and_mixtures_are_refused() {
        let views_of = views(AugmentConfig::default()).unwrap();
        let identities = views_of.identities();
        assert!(identities[0] == identities[2] && identities[0] != identities[1]);
        let error = views(AugmentConfig { mixup: 0.2, ..AugmentConfig::default() }).unwrap_err();
        assert!(error.to_string().contains("data.augment.mixup"), "{error}");
    }
}
