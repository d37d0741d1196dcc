//! From images to vectors: non-overlapping square patches, each through one affine map.
//!
//! Patches follow each other row by row, and the numbers of a patch by row, column and channel. A class token, if the
//! model reads one, stands in front of them. Source: Dosovitskiy et al., "An image is worth 16×16 words", 2021, equation
//! 1; MLP-Mixer and ResMLP have neither class token nor positions.

use burn::module::{Module, Param};
use burn::tensor::Tensor;
use mixlab_kernels::{Activation, dropout};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::position::Position;
use crate::{Builder, Context, Initialiser, Linear, ModelConfig, ModelError, Norm, Role};

/// How images become sequences.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct PatchConfig {
    /// Side of a square patch, in pixels; divides both sides of the image.
    pub size: usize,
}

impl Default for PatchConfig {
    fn default() -> Self {
        PatchConfig { size: 4 }
    }
}

/// The shape of an image, channels last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImageShape {
    /// Rows.
    pub height: usize,
    /// Columns.
    pub width: usize,
    /// Numbers a pixel.
    pub channels: usize,
}

impl PatchConfig {
    /// Number of patches of an image.
    ///
    /// # Errors
    /// A patch of no pixels, or one that does not divide the sides of the image.
    pub fn count(&self, image: ImageShape) -> Result<usize, ModelError> {
        if self.size == 0 || self.size > 1 << 12 {
            return Err(ModelError::out_of_range("model.patch.size", self.size, "1 to 4096"));
        }
        for (side, pixels) in [("height of the image", image.height), ("width of the image", image.width)] {
            if pixels == 0 || !pixels.is_multiple_of(self.size) {
                return Err(ModelError::NotDivisible {
                    divisor_key: "model.patch.size".to_owned(),
                    divisor: self.size,
                    dividend_key: side.to_owned(),
                    dividend: pixels,
                });
            }
        }
        Ok(image.height / self.size * (image.width / self.size))
    }
}

/// Patches through an affine map, with class token, positions and norm as configured.
#[derive(Module, Debug)]
pub struct PatchEmbedding {
    /// `[size · size · channels, d]`.
    patch: Linear,
    /// `[d]`.
    class_token: Option<Param<Tensor<1>>>,
    position: Option<Position>,
    norm: Option<Norm>,
    #[module(skip)]
    size: usize,
    #[module(skip)]
    dropout: f64,
    #[module(skip)]
    site: String,
}

impl PatchEmbedding {
    /// The embedding of images with `channels` numbers a pixel, of a model whose `max_length` is the number of its
    /// tokens.
    pub(crate) fn new(config: &ModelConfig, channels: usize, class_token: bool, builder: &Builder) -> Self {
        let (size, width) = (config.patch.size, config.width);
        let first = Initialiser::Normal { deviation: 0.02 };
        PatchEmbedding {
            patch: Linear::new([size * size * channels, width], Role::Input, true, &builder.child("patch")),
            class_token: class_token.then(|| builder.parameter("class_token", [width], first)),
            position: config.position.init(width, config.max_length, &builder.child("position")),
            norm: config.embedding.norm.then(|| config.norm.init(width, &builder.child("norm"))),
            size,
            dropout: config.dropout.embedding,
            site: builder.path().to_owned(),
        }
    }

    /// Images `[batch, height, width, channels]` to vectors `[batch, n, d]`.
    ///
    /// # Panics
    /// If a patch does not divide the sides; [`PatchConfig::count`] tells.
    pub fn forward(&self, images: Tensor<4>, context: &Context) -> Tensor<3> {
        let mut x = self.patch.forward(patches(images, self.size), Activation::Identity);
        if let Some(token) = &self.class_token {
            let [batch, _, width] = x.dims();
            let token = token.val().reshape([1, 1, width]).repeat_dim(0, batch);
            x = Tensor::cat(vec![token, x], 1);
        }
        if let Some(position) = &self.position {
            x = position.add(x, 0);
        }
        if let Some(norm) = &self.norm {
            x = norm.forward(x);
        }
        match context.dropout(self.dropout, &self.site) {
            Some(noise) => dropout(x, &noise),
            None => x,
        }
    }
}

/// Images `[b, rows · p, columns · p, c]` as patches `[b, rows · columns, p · p · c]`.
pub(crate) fn patches(images: Tensor<4>, size: usize) -> Tensor<3> {
    let [batch, height, width, channels] = images.dims();
    assert!(
        height.is_multiple_of(size) && width.is_multiple_of(size),
        "patches of {size} in {height}×{width}"
    );
    let (rows, columns) = (height / size, width / size);
    images.reshape([batch, rows, size, columns, size * channels]).swap_dims(2, 3).reshape([
        batch,
        rows * columns,
        size * size * channels,
    ])
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::{DType, Device, TensorData};

    /// An image of 2 × 4 pixels with two channels in patches of 2.
    #[test]
    fn patches_by_hand() {
        let values: Vec<f32> = (0..16u8).map(f32::from).collect();
        let images = Tensor::from_data(TensorData::new(values, [1, 2, 4, 2]), (&Device::flex(), DType::F32));
        let found: Vec<f32> = patches(images, 2).into_data().try_to_vec().expect("floats");
        let expected = [0., 1., 2., 3., 8., 9., 10., 11., 4., 5., 6., 7., 12., 13., 14., 15.];
        assert_eq!(found, expected);
    }

    #[test]
    fn patches_that_do_not_fit_are_refused() {
        let image = ImageShape { height: 28, width: 30, channels: 1 };
        let error = PatchConfig { size: 7 }.count(image).expect_err("30 is no multiple of 7");
        assert!(error.to_string().contains("width of the image"), "{error}");
        assert!(PatchConfig { size: 0 }.count(image).is_err());
        assert_eq!(PatchConfig { size: 2 }.count(image).ok(), Some(14 * 15));
    }
}
