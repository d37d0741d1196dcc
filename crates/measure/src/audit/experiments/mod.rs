//! The experiments, one function a check. Each adds what it saw to a [`Trial`](super::compare::Trial).

mod kernels;
mod masks;
mod order;
mod past;

use super::Audited;
use super::compare::{EXACT, Finding, Tolerance, Trial, first_difference};
use super::report::Check;
use super::specimen::Specimen;
use burn::tensor::Tensor;

/// Runs the experiments of one check. [`Check::AnyLength`] and [`Check::FiniteOrRefused`] are decided by the plain pass
/// that precedes every other experiment.
pub(super) fn run<A: Audited>(check: Check, specimen: &Specimen<'_, A>, trial: &mut Trial) {
    match check {
        Check::Causal => past::causal(specimen, trial),
        Check::PrefixConsistent => past::prefix_consistent(specimen, trial),
        Check::Streaming => past::streaming(specimen, trial),
        Check::PaddingSafe => masks::padding_safe(specimen, trial),
        Check::Documents => masks::documents_apart(specimen, trial),
        Check::PermutationEquivariant => order::permutation_equivariant(specimen, trial),
        Check::FastEqualsPlain => kernels::fast_equals_plain(specimen, trial),
        Check::AnyLength | Check::FiniteOrRefused => {}
    }
}

impl<A: Audited> Specimen<'_, A> {
    /// The first position at which doubles that should be equal are not.
    fn differs(
        &self,
        found: &Tensor<3>,
        expected: &Tensor<3>,
        seen: impl Fn(usize, usize) -> bool,
        what: impl FnOnce() -> String,
    ) -> Option<Finding> {
        let tolerance = Tolerance { relative: EXACT, scale: self.scale };
        first_difference(found, expected, tolerance, seen, what)
    }
}

/// For results of which every row counts.
fn everywhere(_sample: usize, _position: usize) -> bool {
    true
}
