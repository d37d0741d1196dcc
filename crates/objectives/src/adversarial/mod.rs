//! Adversarial objectives: a critic tells real samples from made ones, a generator makes them.
//!
//! Losses and constraints are plain functions of numbers, one sample each. What they say about f and ‖∇ₓf‖ becomes parameter gradients
//! by one primitive, [`Evaluation`], whose cost is that of about four forward passes.

mod constraint;
mod effective;
mod game;
mod loss;
mod numbers;
mod points;
mod secant;
mod tangent;

pub use constraint::{
    ConstraintConfig, DivergencePoints, Divided, Normalisation, Normalised, Penalty, SpectralNorm, clipped,
};
pub use effective::{Effective, effective};
pub use game::{CriticStep, GeneratorStep, Rules, Samples};
pub use loss::{AdversarialLoss, Scored};
pub use points::between;
pub use secant::secants;
pub use tangent::{Evaluation, Form, first_order};
