//! Mixlab against independent Python packages: same weights, same inputs, outputs and gradients compared.
//! `tests/fixtures/references/README.md` says what was recorded and how.

mod attention;
mod block;
mod fixture;
mod gated;
mod mapping;
mod models;
mod optimizers;
mod parts;
