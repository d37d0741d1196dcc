//! Adversarial runs: data, options, the two players, what they tell, and the model that comes out.

mod config;
mod data;
mod features;
mod folder;
mod game;
mod latents;
mod picture;
mod quality;
mod terms;
mod traps;

pub use config::{AdversarialConfig, GeneratorGradient};
pub use data::{AdversarialData, RealSamples};
pub use features::FeatureSpace;
pub use folder::{AdversarialDescription, AdversarialFolder};
pub(crate) use folder::{CRITIC, read_vectors, write_critic};
pub use game::TurnTimes;
pub(crate) use game::{Game, Round};
pub(crate) use latents::with_class;
pub use latents::{drawn_labels, spherical};
pub use picture::{sample_grid, sample_scatter};
pub(crate) use quality::steepness;
pub use quality::{SampleQuality, measure_samples};
pub use terms::{AdversarialTerms, ModeTerms, SECANT_RADIUS, SteepnessTerms};
pub(crate) use traps::named as known_traps;
