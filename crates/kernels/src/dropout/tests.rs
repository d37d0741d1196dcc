use std::sync::Arc;

use super::{Dropout, dropout, portable};
use crate::harness::{SIZES, fast_equals_portable, numbers};
use burn::tensor::{Device, Tensor};
use mixlab_core::{Key, Purpose};

fn options(rate: f64, samples: &[u64]) -> Dropout {
    let key = Key::root(3).purpose(Purpose::Dropout).step(1).site("test");
    Dropout { rate, key, samples: Arc::from(samples) }
}

#[test]
fn equals_the_portable_definition() {
    for rate in [0.0, 0.1, 0.9] {
        // The last size makes several blocks of work for each sample.
        for size in SIZES.into_iter().chain([17_000]) {
            let options = options(rate, &[7, 1 << 40]);
            fast_equals_portable(
                &format!("rate {rate} size {size}"),
                |t| dropout(t.input("x", [2, size]), &options),
                |t| portable::dropout(t.input("x", [2, size]), &options),
            );
        }
    }
}

#[test]
fn the_mask_of_a_sample_does_not_depend_on_the_batch() {
    let ones = |rows: usize| Tensor::<2>::ones([rows, 50], &Device::flex());
    let both = numbers(dropout(ones(2), &options(0.5, &[4, 9])));
    let alone = numbers(dropout(ones(1), &options(0.5, &[9])));
    assert_eq!(both[50..], alone);
    assert_ne!(both[..50], alone);
}

#[test]
fn survivors_keep_the_expectation() {
    let y = numbers(dropout(Tensor::<2>::ones([1, 100_000], &Device::flex()), &options(0.3, &[0])));
    let mean = y.iter().sum::<f64>() / y.len() as f64;
    assert!((mean - 1.0).abs() < 0.01, "{mean}");
    let dropped = y.iter().filter(|&&y| y == 0.0).count();
    assert!((dropped as f64 / 1e5 - 0.3).abs() < 0.01, "{dropped}");
}
