//! Measurement: [`study`], the one harness for every set of runs that is compared; [`step`], the time of one
//! update; [`decode`], that of one more token; [`breakeven`], from which length a mixer is cheaper than softmax
//! attention; [`cost`], the arithmetic in an update; [`plan`], what a config will take before it runs; [`audit`], the
//! promises of a model; [`depth`], which residual scheme stays trainable at which depth; [`nce`], what rounding
//! takes from contrastive losses; [`chunks`], what cached gradients cost; [`lipschitz`], how steep a
//! critic is; [`turns`], what its updates take.

#![forbid(unsafe_code)]

mod atomic;
pub mod audit;
pub mod breakeven;
pub mod chunks;
mod contrastive;
pub mod cost;
pub mod decode;
pub mod depth;
pub mod latents;
pub mod lipschitz;
mod memory;
pub mod nce;
mod picture;
pub mod plan;
pub mod sentences;
pub mod step;
pub mod study;
pub mod turns;

pub use memory::peak_memory_mib;
pub use picture::{PictureError, check_picture, write_picture};
