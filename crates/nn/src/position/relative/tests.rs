use burn::tensor::Device;
use mixlab_core::Precision;

use super::*;
use crate::{InitialisationConfig, parameter_values};

fn builder() -> Builder {
    Builder::new(1, &Device::flex(), Precision::F64, InitialisationConfig::normal(), 1)
}

fn numbers(tensor: Tensor<1>) -> Vec<f64> {
    tensor.into_data().try_to_vec().expect("double precision")
}

fn every_bias() -> Vec<RelativeBias> {
    let deviation = 1.0;
    [
        RelativeBiasConfig::Toeplitz { deviation },
        RelativeBiasConfig::ToeplitzByLength { deviation },
        RelativeBiasConfig::Rotary { width: 6, base: 100.0, deviation },
        RelativeBiasConfig::T5 { buckets: 8, max_distance: 16, scale: 2.0, deviation },
    ]
    .iter()
    .map(|config| config.init(12, &builder()).expect("a bias was asked for"))
    .collect()
}

/// The value of an offset is what a longer sequence gives it, and what a continued sequence gives it.
#[test]
fn an_offset_has_one_value_at_every_length() {
    for bias in every_bias() {
        let RelativeBias::ToeplitzByLength(_) = bias else {
            for causal in [false, true] {
                let whole = numbers(bias.values(Span::square(12, causal)));
                let short = numbers(bias.values(Span::square(5, causal)));
                assert_close(&short, &whole[11 - 4..=11 + 4]);
                let continued = numbers(bias.values(Span { queries: 2, keys: 9, causal }));
                assert_close(&continued, &whole[11 - 8..=11 + 1]);
            }
            continue;
        };
    }
}

/// The old form: the first 2n − 1 values, so that offset 0 moves with the length.
#[test]
fn the_form_by_length_counts_from_the_present_length() {
    let bias = &every_bias()[1];
    let whole = numbers(bias.values(Span::square(12, false)));
    assert_close(&numbers(bias.values(Span::square(5, false))), &whole[..9]);
    assert_eq!(whole.len(), 23);
}

/// `R(i)a · R(j)b` element by element, without the identity R(i)ᵀR(j) = R(j − i).
#[test]
fn rotary_bias_is_the_product_of_two_rotated_vectors() {
    let bias = RotaryBias::new(6, 100.0, 1.0, &builder());
    let vector = |name: &str| numbers(parameter_values(&bias).remove(name).expect("a vector"));
    let (a, b) = (vector("query"), vector("key"));
    let turned = |x: &[f64], position: f64| -> Vec<f64> {
        let mut out = vec![0.0; 6];
        for i in 0..3 {
            let (s, c) = (position * 100f64.powf(-(i as f64) / 3.0)).sin_cos();
            (out[i], out[i + 3]) = (x[i] * c - x[i + 3] * s, x[i] * s + x[i + 3] * c);
        }
        out
    };
    let values = numbers(bias.values(Span { queries: 3, keys: 7, causal: true }));
    for i in 0..3 {
        for j in 0..7 {
            let (query, key) = (turned(&a, (4 + i) as f64), turned(&b, j as f64));
            let expected: f64 = query.iter().zip(&key).map(|(x, y)| x * y).sum();
            assert!((values[j + 2 - i] - expected).abs() < 1e-12);
        }
    }
}

/// Golden buckets at T5's own sizes, by hand from the definition.
#[test]
fn buckets_of_t5() {
    let causal = |offset| t5_bucket(offset, true, 32, 128);
    assert_eq!([0, 1, 5].map(causal), [0, 0, 0], "keys ahead are masked anyway");
    assert_eq!([-1, -15, -16, -17, -127, -128, -100_000].map(causal), [1, 15, 16, 16, 31, 31, 31]);
    let both = |offset| t5_bucket(offset, false, 32, 128);
    assert_eq!([0, -1, -7, -8, -16, -64, -127, -1000].map(both), [0, 1, 7, 8, 10, 14, 15, 15]);
    assert_eq!([1, 7, 8, 127, 1000].map(both), [17, 23, 24, 31, 31]);
}

#[test]
fn t5_scale_multiplies_the_table() {
    let bias = T5Bias::new(8, 16, 3.0, 1.0, &builder());
    let table = numbers(parameter_values(&bias).remove("weight").expect("a table"));
    let values = numbers(bias.values(Span::square(3, true)));
    assert_close(&values, &[table[2], table[1], table[0], table[0], table[0]].map(|v| 3.0 * v));
}

fn assert_close(found: &[f64], expected: &[f64]) {
    assert_eq!(found.len(), expected.len());
    for (i, (a, b)) in found.iter().zip(expected).enumerate() {
        assert!((a - b).abs() < 1e-12, "value {i}: {a} instead of {b}");
    }
}
