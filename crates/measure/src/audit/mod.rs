//! Every promise of a model, executed on that model.
//!
//! Mixers declare what they keep ([`mixlab_nn::Promises`]), and the tests of that crate execute the declarations on small
//! mixers. An audit does the same to a whole model: to every block with its residual scheme and channel mixer, with the
//! weights it has, on activations that reach it. A [`Subject`] is a [`Stack`] of blocks, or anything else that is
//! [`Audited`]; [`audit()`] gives an [`AuditReport`], whose first violation names block, sample and position.
//!
//! Arithmetic is in double precision, so that equal means equal up to 1e-10 of the largest value. In the precision of the
//! model itself, outputs must be finite and kernels must equal their definitions up to 1e-4.

mod audited;
mod cached;
mod compare;
mod experiments;
mod lengths;
mod mixers;
mod report;
mod run;
mod specimen;
mod stack;
mod subject;
mod watch;

pub use audited::{Audited, Differentiated};
pub use cached::{CachedGradientsReport, ParameterGap, audit_cached_gradients};
pub use lengths::{LENGTHS, default_lengths};
pub use mixers::{MixerAudit, audit_mixers};
pub use report::{AuditReport, Check, Checked, LayerReport, Outcome, Violation};
pub use run::{Progress, audit};
pub use stack::{Reads, Stack};
pub use subject::Subject;
pub use watch::is_watched;
