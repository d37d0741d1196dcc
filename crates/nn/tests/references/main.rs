//! Mixlab against independent Python packages: same weights, same inputs, outputs and gradients compared.
//! `tests/fixtures/references/README.md` says what was recorded and how.

mod fixture;
mod parts;

/// Largest absolute difference on data of unit scale, after spec: a block in single precision, and in double.
const SINGLE: f64 = 1e-5;
const DOUBLE: f64 = 1e-12;
