//! Fused tensor operations. Each has a portable definition in plain tensor operations, which is its
//! meaning on every device, and may have a CPU kernel that must equal it in value and gradient.
//!
//! This is the only crate that may contain `unsafe`, SIMD or knowledge of a particular back end.

mod activation;
mod affine;
mod affine_rotary;
mod allocations;
#[cfg(feature = "mimalloc")]
mod allocator;
mod attention;
mod batch_norm;
mod contrastive;
mod convolution;
mod cpu;
mod cross_entropy;
mod dropout;
mod embedding;
mod epilogue;
mod fourier_mix;
mod gated;
mod gradients;
#[cfg(test)]
mod harness;
mod image_convolution;
mod linear;
mod linear_attention;
mod mask;
mod mixed_chunk_attention;
mod norm;
mod operand;
mod optimizer;
mod portable;
pub mod profile;
mod rectifier;
mod rotary;
mod row_sums;
mod score_attention;
mod softmax;
mod softmax_attention;
mod tiled;
mod token_linear;

pub use activation::{Activation, activation};
pub use affine::{add_scaled, affine};
pub use affine_rotary::affine_rotary;
pub use allocations::{AllocationCount, CountingAllocator};
#[cfg(feature = "mimalloc")]
pub use allocator::keep_freed_pages;
pub use batch_norm::{BatchNormed, batch_norm};
pub use contrastive::{
    AnchorStatistics, Contrasted, ContrastiveOptions, Pairing, Part, Rounding, RowLoss, Special,
    contrastive_loss,
};
pub use convolution::{ChannelMap, ConvolutionOptions, depthwise_convolution, dynamic_convolution};
pub use cross_entropy::cross_entropy;
pub use dropout::{Dropout, dropout};
pub use embedding::embedding;
pub use epilogue::{Epilogue, Gate};
pub use fourier_mix::{FourierGroups, fourier_mix, fourier_mix_by_product};
pub use gated::{gated_product, glu};
pub use image_convolution::{
    ConvolutionWindow, image_convolution, image_convolution_weights, image_convolution_with,
    transposed_image_convolution, transposed_image_convolution_with,
};
pub use linear::{linear, linear_weights, linear_with};
pub use linear_attention::{LinearOptions, linear_attention};
pub use mask::{Geometry, Mask};
pub use mixed_chunk_attention::{ChunkNormaliser, MixedChunkOptions, mixed_chunk_attention};
pub use norm::{NormKind, add_norm, norm};
pub use optimizer::{AdaptiveMoments, Slot, UpdateRule, UpdateStep, Updated, global_norm, optimizer_update};
pub use portable::portable;
pub use rectifier::{leaky_relu, rectifier_gate};
pub use rotary::{Positions, RotaryLayout, RotaryOptions, rotary};
pub use row_sums::row_sums;
pub use score_attention::{ScoreOptions, ScoreWeight, score_attention};
pub use softmax::softmax;
pub use softmax_attention::{SoftmaxOptions, softmax_attention};
pub use token_linear::{TokenOptions, token_linear};

/// Name of the widest instruction set that the CPU kernels use here: `baseline`, `avx2` or `avx512`.
///
/// The variable `MIXLAB_INSTRUCTIONS` of the environment can lower it. All give the same bits, products of matrices aside.
pub fn instruction_set() -> &'static str {
    cpu::Level::detect().name()
}
