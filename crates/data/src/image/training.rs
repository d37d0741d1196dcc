//! The images of every step, as a pure function of (files, seed, step).

use super::augment::Augmenter;
use super::normalisation::Tables;
use super::{AugmentConfig, ImageBatch, ImageSet, Normalisation};
use crate::DataError;
use crate::epochs::Epochs;
use crate::labelled::one_hot;

/// Training images in their order of use, changed as the config says.
///
/// The samples of all steps are one endless sequence, `n = 0, 1, …`; step `s` takes the samples
/// `s·batch·accumulation` onwards, and an epoch is a fresh permutation of all images. What is done to
/// a sample, its partner in a mixture included, is a function of the seed and `n`: neither the size of
/// a batch nor accumulation changes what it looks like.
///
/// There is no position to save: a run resumed at step `s` asks for step `s`.
#[derive(Debug)]
pub struct ImageTraining {
    set: ImageSet,
    tables: Tables,
    augmenter: Augmenter,
    epochs: Epochs,
}

impl ImageTraining {
    /// Images of `set`, in an order given by `seed`; a batch has `batch` of them, and a step
    /// `accumulation` batches.
    ///
    /// # Errors
    /// When a size is zero, the set is empty or does not fit together, or a value of the normalisation
    /// or the changes is out of range for these images.
    pub fn new(
        set: ImageSet,
        normalisation: Normalisation,
        augment: AugmentConfig,
        batch: usize,
        accumulation: usize,
        seed: u64,
    ) -> Result<Self, DataError> {
        set.check()?;
        normalisation.check(set.channels)?;
        let augmenter = Augmenter::new(augment, set.shape(), seed)?;
        let epochs = Epochs::new(set.len(), batch, accumulation, seed)?;
        Ok(ImageTraining { tables: normalisation.tables(), set, augmenter, epochs })
    }

    /// The images of micro-batch `micro` of step `step`. The same arguments always give the same batch.
    pub fn batch(&self, step: u64, micro: usize) -> ImageBatch {
        let mut batch = ImageBatch::new(self.set.shape());
        for sample in self.epochs.samples(step, micro) {
            let row = self.epochs.row(sample);
            let (mut pixels, mut targets) = self.shown(row, sample, 0);
            if let Some(mixup) = self.augmenter.mixup(sample, self.set.len()) {
                let (other_pixels, other_targets) = self.shown(mixup.partner, sample, 1);
                mixup.blend(&mut pixels, &other_pixels);
                mixup.blend(&mut targets, &other_targets);
            }
            batch.push(&pixels, &targets, self.set.labels[row], sample, true);
        }
        batch
    }

    /// Images in one epoch.
    pub fn rows_per_epoch(&self) -> usize {
        self.epochs.rows()
    }

    /// How often the data has been gone through when `steps` steps are done.
    pub fn epochs(&self, steps: u64) -> f64 {
        self.epochs.after(steps)
    }

    /// The images behind the batches.
    pub fn set(&self) -> &ImageSet {
        &self.set
    }

    /// A 128-bit hash of images, labels and classes, in hexadecimal digits: a resumed run can see that
    /// its data has changed.
    pub fn fingerprint(&self) -> String {
        self.set.fingerprint()
    }

    fn shown(&self, row: usize, sample: u64, view: u64) -> (Vec<f32>, Vec<f32>) {
        let image = self.tables.apply(self.set.image(row));
        let targets = one_hot(self.set.labels[row], self.set.classes.len());
        (self.augmenter.apply(image, sample, view), targets)
    }
}
