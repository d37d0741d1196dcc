use burn::tensor::Tensor;

use super::row_sums;
use crate::harness::{Inputs, PRECISIONS, assert_close, normals, numbers, same_bits, untracked};
use crate::portable;

fn check<const D: usize>(shape: [usize; D]) {
    for (precision, tolerance) in PRECISIONS {
        let t = untracked(precision);
        let x: Tensor<D> = t.constant(normals("x", shape.iter().product()), shape);
        let shares = t.constant(normals("shares", shape[0]), [shape[0]]);
        for shares in [None, Some(shares)] {
            let name = format!("{shape:?} shares {} {precision:?}", shares.is_some());
            let sums = |_: &Inputs| vec![("sums".to_owned(), numbers(row_sums(x.clone(), shares.clone())))];
            assert_close(&name, &sums(&t), &portable(|| sums(&t)), tolerance);
            same_bits(&name, || sums(&t));
        }
    }
}

#[test]
fn sums_equal_the_portable_definition() {
    check([1, 1]);
    check([3, 5]);
    check([70, 33]);
    check([2, 3, 4, 5]);
    check([19, 2, 3, 16]);
}

/// Samples that are part of a larger tensor.
#[test]
fn a_part_of_the_samples() {
    let t = untracked(mixlab_core::Precision::F64);
    let x: Tensor<3> = t.constant(normals("x", 5 * 6), [5, 2, 3]);
    let part = row_sums(x.clone().narrow(0, 1, 3), None);
    let by_hand = portable(|| row_sums(x.narrow(0, 1, 3), None));
    assert_close(
        "part",
        &vec![("sums".into(), numbers(part))],
        &vec![("sums".into(), numbers(by_hand))],
        1e-12,
    );
}
