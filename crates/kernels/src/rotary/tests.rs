use super::{Positions, RotaryLayout, RotaryOptions, portable, rotary};
use crate::harness::{SIZES, differentiate, fast_equals_portable, numbers};
use burn::tensor::{Device, Tensor, TensorData};

const LAYOUTS: [RotaryLayout; 2] = [RotaryLayout::SplitHalf, RotaryLayout::Interleaved];

#[test]
fn equals_the_portable_definition() {
    for layout in LAYOUTS {
        // The last makes several blocks of work; widths are even, so the odd sizes are those of the rest.
        let shapes = SIZES.map(|n| [2, n, 3, 7]).into_iter().chain(SIZES.map(|w| [2, 3, 2, w + 4]));
        for shape in shapes.chain([[2, 300, 3, 64]]) {
            check_against_portable(layout, shape, shape[3] / 2 * 2 - 2);
        }
        check_against_portable(layout, [2, 3, 2, 8], 8);
    }
}

fn check_against_portable(layout: RotaryLayout, shape: [usize; 4], rotated: usize) {
    let options = RotaryOptions { layout, width: rotated, base: 10_000.0 };
    fast_equals_portable(
        &format!("{layout:?} {shape:?}, {rotated} rotated"),
        |t| rotary(t.input("x", shape), options, 5),
        |t| portable::rotary(t.input("x", shape), options, 5),
    );
}

/// Row 0 where it would stand anyway, the others further on.
#[test]
fn a_gap_moves_all_rows_but_the_first() {
    for layout in LAYOUTS {
        let options = RotaryOptions { layout, width: 6, base: 100.0 };
        let values: Vec<f64> = (0..40).map(|i| f64::from(i).sin()).collect();
        let x: Tensor<4> = Tensor::from_data(TensorData::new(values, [1, 5, 1, 8]), &Device::flex());
        let together = rotary(x.clone(), options, Positions { start: 0, gap: 9 });
        let first = rotary(x.clone().narrow(1, 0, 1), options, 0);
        let others = rotary(x.narrow(1, 1, 4), options, 10);
        assert_eq!(numbers(together), numbers(Tensor::cat(vec![first, others], 1)), "{layout:?}");
        fast_equals_portable(
            &format!("{layout:?} with a gap"),
            |t| rotary(t.input("x", [2, 5, 3, 8]), options, Positions { start: 0, gap: 9 }),
            |t| portable::rotary(t.input("x", [2, 5, 3, 8]), options, Positions { start: 0, gap: 9 }),
        );
    }
}

#[test]
fn gradients_are_those_of_finite_differences() {
    for layout in LAYOUTS {
        let options = RotaryOptions { layout, width: 6, base: 100.0 };
        differentiate(&format!("{layout:?}"), |t| rotary(t.input("x", [1, 3, 2, 8]), options, 2));
    }
}

/// A test that the inner product depends on the distance alone would pass with the frequencies
/// upside down; these numbers would not.
#[test]
fn angles_by_hand() {
    let x = TensorData::from([[[[1.0f64, 2.0, 3.0, 4.0]], [[1.0, 2.0, 3.0, 4.0]]]]);
    let x: Tensor<4> = Tensor::from_data(x, (&Device::flex(), burn::tensor::DType::F64));
    // Base 100 and width 4: the second pair turns at a tenth of the first.
    let (s, c) = 3f64.sin_cos();
    let (s2, c2) = 0.3f64.sin_cos();
    let [split, interleaved] =
        LAYOUTS.map(|layout| numbers(rotary(x.clone(), RotaryOptions { layout, width: 4, base: 100.0 }, 2)));
    let expected = [c - 3.0 * s, 2.0 * c2 - 4.0 * s2, s + 3.0 * c, 2.0 * s2 + 4.0 * c2];
    assert!(split[4..].iter().zip(expected).all(|(x, y)| (x - y).abs() < 1e-14), "{split:?}");
    let expected = [c - 2.0 * s, s + 2.0 * c, 3.0 * c2 - 4.0 * s2, 3.0 * s2 + 4.0 * c2];
    assert!(interleaved[4..].iter().zip(expected).all(|(x, y)| (x - y).abs() < 1e-14), "{interleaved:?}");
}
