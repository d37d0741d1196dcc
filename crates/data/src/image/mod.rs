//! Images: readers, what is done to their values, and batches of them.

mod augment;
mod batch;
mod cifar;
mod config;
mod conversion;
mod evaluation;
mod folder;
mod idx;
mod input;
mod normalisation;
mod picture;
mod png;
mod set;
mod training;

use std::path::Path;

pub use augment::AugmentConfig;
pub(crate) use augment::Augmenter;
pub use batch::ImageBatch;
pub(crate) use cifar::Cifar;
pub use config::{Cifar100Label, ImageConfig};
pub(crate) use conversion::Conversion;
pub use evaluation::ImageEvaluation;
pub(crate) use folder::has_class_folders;
pub(crate) use idx::{find_labels, is_idx_images, is_idx_labels};
pub use input::{ImageInput, ImageRows};
pub use normalisation::Normalisation;
pub(crate) use normalisation::Tables;
pub(crate) use picture::is_picture;
pub use png::encode_png;
pub use set::{ImageSet, ImageShape};
pub use training::ImageTraining;
pub(crate) use {
    cifar::is_cifar, cifar::read as read_cifar, folder::read as read_folder, idx::read as read_idx,
};

/// Whether the name of a file says beyond doubt that it holds images or their labels.
pub(crate) fn is_image_name(path: &Path) -> bool {
    is_picture(path) || is_idx_images(path) || is_idx_labels(path)
}
