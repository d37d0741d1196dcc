//! Audits of sound models, and of models in which one block does something else than it declares.

mod broken;
mod refuted;
mod sound;
mod spoiled;
