//! Images without labels, for a trained model to look at.

use std::ops::Range;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::folder::{pictures, read_pictures};
use super::normalisation::Tables;
use super::{Conversion, ImageConfig, ImageSet, ImageShape, Normalisation, idx};
use crate::DataError;

/// What a trained model takes: kept with it, so that images are read later as they were for training.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ImageInput {
    /// The shape of an image.
    pub shape: ImageShape,
    /// Whether images of another size are resized.
    pub resize: bool,
    /// Whether images of another number of channels are converted.
    pub convert: bool,
    /// What is done to the values.
    pub normalisation: Normalisation,
}

impl ImageInput {
    /// What a model takes that is trained on `set`, read as `config` says.
    ///
    /// # Errors
    /// As for [`Normalisation::new`].
    pub fn new(set: &ImageSet, config: &ImageConfig) -> Result<Self, DataError> {
        let normalisation = Normalisation::new(set, config)?;
        let (resize, convert) = (config.size.is_some(), config.channels.is_some());
        Ok(ImageInput { shape: set.shape(), resize, convert, normalisation })
    }

    /// Whether labelled images of `path` are of the shape the model takes.
    ///
    /// # Errors
    /// [`DataError::WrongInput`] with both shapes.
    pub fn check(&self, set: &ImageSet, path: &Path) -> Result<(), DataError> {
        if set.shape() == self.shape {
            return Ok(());
        }
        Err(DataError::WrongInput { path: path.to_owned(), found: set.shape(), expected: self.shape })
    }

    /// Reads one PNG or JPEG file, the pictures in a folder in the order of their names, or the images
    /// of an idx file.
    ///
    /// # Errors
    /// A file that cannot be read, or an image that the model does not take.
    pub fn read(&self, path: &Path) -> Result<ImageRows, DataError> {
        self.normalisation.check(self.shape.channels)?;
        let conversion = Conversion {
            size: self.resize.then_some([self.shape.height, self.shape.width]),
            channels: self.convert.then_some(self.shape.channels),
        };
        let ((shape, pixels), files) = match path.is_dir() {
            true => {
                let files = pictures(path)?;
                (read_pictures(path, &files, conversion)?, files)
            }
            false if idx::is_idx_images(path) => {
                let (shape, pixels) = idx::read_images(path)?;
                (conversion.values(path, shape, pixels)?, Vec::new())
            }
            false => {
                let files = vec![path.to_owned()];
                (read_pictures(path, &files, conversion)?, files)
            }
        };
        if shape != self.shape {
            let path = files.first().map_or(path, PathBuf::as_path).to_owned();
            return Err(DataError::WrongInput { path, found: shape, expected: self.shape });
        }
        let count = pixels.len() / shape.values();
        let names = match files.is_empty() {
            true => (0..count).map(|index| format!("{}[{index}]", path.display())).collect(),
            false => files.iter().map(|file| file.display().to_string()).collect(),
        };
        Ok(ImageRows { shape, names, pixels, tables: self.normalisation.tables() })
    }
}

/// Images without labels, by name.
#[derive(Debug)]
pub struct ImageRows {
    shape: ImageShape,
    names: Vec<String>,
    pixels: Vec<u8>,
    tables: Tables,
}

impl ImageRows {
    /// The name of each image: its file, and for several images in one file the index in it.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// The shape of an image.
    pub fn shape(&self) -> ImageShape {
        self.shape
    }

    /// Number of images.
    pub fn len(&self) -> usize {
        self.names.len()
    }

    /// Whether there is no image.
    pub fn is_empty(&self) -> bool {
        self.names.is_empty()
    }

    /// Normalised values of some of the images, `[rows × height × width × channels]`.
    ///
    /// # Panics
    /// If the range reaches beyond [`ImageRows::len`].
    pub fn pixels(&self, rows: Range<usize>) -> Vec<f32> {
        let values = self.shape.values();
        self.tables.apply(&self.pixels[rows.start * values..rows.end * values])
    }
}
