//! The real part of the discrete Fourier transform over tokens and channels.

mod backend;
mod cpu;
mod groups;
mod plan;
mod portable;
#[cfg(test)]
mod tests;

use burn::backend::Dispatch;
use burn::tensor::Tensor;

use crate::cpu::serves;
use backend::FourierBackend;
pub use groups::FourierGroups;

/// `Re(F_n · X · F_d)`, the real part of the two-dimensional discrete Fourier transform without normalisation:
/// `y[k,l] = Σ_{m,c} x[m,c] · cos(2π(km/n + lc/d))`.
///
/// `x` and the result are `[batch, n, d]`, of any lengths. Without groups every row of the batch is transformed whole;
/// with them each group is, at its own length, and positions in no group are zero. The map is symmetric: its
/// gradient is itself. Source: Lee-Thorp et al., "FNet: mixing tokens with Fourier transforms", 2021, section 3.2.
///
/// The map is unnormalised as in the paper: `y[0,0]` is the sum of all inputs. On the CPU the cost is
/// `O(n·d·(log n + log d))` and nothing is saved for the backward pass.
///
/// # Panics
/// If a group names a position that does not exist, or one that another group has.
pub fn fourier_mix(x: Tensor<3>, groups: Option<FourierGroups>) -> Tensor<3> {
    assert_fits(&x, groups.as_ref());
    if !serves(&x) {
        return portable::fourier_mix(x, groups);
    }
    Tensor::from_dispatch(Dispatch::fused_fourier_mix(x.into_dispatch(), groups))
}

/// [`fourier_mix`] by products with matrices of cosines and sines: `C_n·X·C_d − S_n·X·S_d`.
///
/// The definition of the operation, and the faster form where products are cheap and sequences short; the cost is
/// `O(n·d·(n + d))`, and a tracked result holds the matrices and the products with them.
///
/// # Panics
/// As [`fourier_mix`].
pub fn fourier_mix_by_product(x: Tensor<3>, groups: Option<FourierGroups>) -> Tensor<3> {
    assert_fits(&x, groups.as_ref());
    portable::fourier_mix(x, groups)
}

fn assert_fits(x: &Tensor<3>, groups: Option<&FourierGroups>) {
    let [batch, n, _] = x.dims();
    if let Some(groups) = groups {
        groups.assert_fits(batch * n);
    }
}
