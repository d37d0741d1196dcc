//! Mixlab.
