//! What the order of the tokens must not do.

use burn::tensor::{DType, Int, Tensor, TensorData};
use mixlab_kernels::Mask;

use super::everywhere;
use crate::audit::Audited;
use crate::audit::compare::Trial;
use crate::audit::specimen::Specimen;

/// Permutes the tokens, at random and by one place. The outputs are permuted alike.
pub(super) fn permutation_equivariant<A: Audited>(specimen: &Specimen<'_, A>, trial: &mut Trial) {
    let n = specimen.length();
    if n < 2 {
        return;
    }
    let random = specimen.key.site("permutation").sample(0).permutation(n);
    let turned: Vec<usize> = (0..n).map(|position| (position + 1) % n).collect();
    for (name, order) in [("at random", random), ("by one place", turned)] {
        let indices: Vec<i64> = order.iter().map(|&position| position as i64).collect();
        let indices: Tensor<1, Int> =
            Tensor::from_data(TensorData::new(indices, [n]), (&specimen.x.device(), DType::I64));
        let permuted = |x: &Tensor<3>| x.clone().select(1, indices.clone());
        let found = specimen.forward(permuted(&specimen.x), Mask::default());
        let what = || format!("which is another one than before the tokens were permuted {name}");
        trial.expect_none(specimen.differs(&found, &permuted(&specimen.y), everywhere, what));
    }
}
