//! Mixlab against independent Python packages: same weights, same inputs, outputs and gradients compared.
//! `tests/fixtures/references/README.md` says what was recorded and how.

mod attention;
mod block;
mod classifiers;
mod convolution;
mod counts;
mod fixture;
mod fnet;
mod gated;
mod gmlp;
mod mapping;
mod models;
mod optimizers;
mod parts;
mod vision;
