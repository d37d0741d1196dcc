//! Multiply–adds of the mixers that sum over the past, whose formula as pairs of tokens makes more.

use super::naive::*;
use super::*;

fn place() -> Place {
    Place { width: WIDTH, max_length: N, layer: 0 }
}

/// `sums += keyᵀ·value`.
fn add_product(sums: &mut Matrix, key: &[f64], value: &[f64]) {
    count(key.len() * value.len());
    for (row, k) in sums.iter_mut().zip(key) {
        row.iter_mut().zip(value).for_each(|(sum, v)| *sum += k * v);
    }
}

/// `query·sums`.
fn read(sums: &Matrix, query: &[f64]) -> Vec<f64> {
    affine(&vec![query.to_vec()], sums, None).remove(0)
}

#[test]
fn linear_attention_with_running_sums() {
    let config = MixerConfig::LinearAttention(LinearAttentionConfig { heads: 2, ..Default::default() });
    let mixer = build_for(&config, N);
    let (p, x) = (Parameters::of(&mixer), sample(&input(1, N), 0));
    counted();
    let part = |name: &str| affine(&x, &p.matrix(&format!("{name}.weight"), WIDTH), None);
    let phi = |v: &f64| if *v > 0.0 { v + 1.0 } else { v.exp() };
    let mapped =
        |name: &str| -> Matrix { part(name).iter().map(|row| row.iter().map(phi).collect()).collect() };
    let (q, k, v) = (mapped("query"), mapped("key"), part("value"));
    let mut joined = vec![Vec::new(); N];
    for range in [0..4, 4..8] {
        let (mut products, mut sum) = (vec![vec![0.0; 4]; 4], vec![0.0; 4]);
        for i in 0..N {
            add_product(&mut products, &k[i][range.clone()], &v[i][range.clone()]);
            sum.iter_mut().zip(&k[i][range.clone()]).for_each(|(s, k)| *s += k);
            let denominator = dot(&q[i][range.clone()], &sum) + 1e-6;
            joined[i].extend(read(&products, &q[i][range.clone()]).iter().map(|o| o / denominator));
        }
    }
    let expected = affine(&joined, &p.matrix("output.weight", WIDTH), None);
    let found = counted();
    for causal in [true, false] {
        assert_eq!(config.cost(place(), N, causal).multiply_adds(), found);
    }
    for (a, e) in sample(&forward(&mixer, &input(1, N), true, Mask::default()), 0).iter().zip(&expected) {
        assert!(a.iter().zip(e).all(|(a, e)| (a - e).abs() < 1e-12), "{a:?} instead of {e:?}");
    }
}

/// Chunk by chunk: pairs inside, one sum of products between, which the first chunk does not read and the last does
/// not grow when causal.
#[test]
fn flash_with_running_sums() {
    for chunk in [3, 4, 11, 20] {
        for causal in [true, false] {
            let config = FlashConfig { chunk, ..flash() };
            let (e, s) = (12, config.key_width);
            counted();
            let x = vec![vec![0.5; WIDTH]; N];
            affine(&x, &vec![vec![0.1; 2 * e + s]; WIDTH], None);
            let mut sums = vec![vec![0.0; e]; s];
            for start in (0..N).step_by(chunk) {
                let end = (start + chunk).min(N);
                for i in start..end {
                    let keys = if causal { start..i + 1 } else { start..end };
                    let weights: Vec<_> =
                        keys.map(|j| (j - start, dot(&vec![0.1; s], &vec![0.2; s]))).collect();
                    weighted(&weights, &vec![vec![0.3; e]; chunk]);
                    if start > 0 || !causal {
                        read(&sums, &vec![0.1; s]);
                    }
                    if end < N || !causal {
                        add_product(&mut sums, &vec![0.1; s], &vec![0.3; e]);
                    }
                }
            }
            affine(&vec![vec![0.5; e]; N], &vec![vec![0.1; WIDTH]; e], None);
            let cost = MixerConfig::Flash(config).cost(place(), N, causal);
            assert_eq!(cost.multiply_adds(), counted(), "chunk {chunk}, causal {causal}");
        }
    }
}

/// Formulas of the specification at width 768: a GAU pair costs twice the quadratic products of a Transformer layer, and
/// FLASH is cheaper than the unchunked unit from n = c + 2·s·e/(s + e) = 492 on.
#[test]
fn units_at_base_size() {
    let place = Place { width: 768, max_length: 512, layer: 0 };
    let unit = |n| MixerConfig::Gau(GauConfig::new(NormaliserConfig::Relu2Len)).cost(place, n, false);
    assert_eq!(
        2 * unit(512).multiply_adds(),
        2 * (512 * (3 * 768 * 1536 + 768 * 128) + 512 * 512 * (1536 + 128))
    );
    // Whole chunks only, so that the formula holds exactly.
    let flash = |n| MixerConfig::Flash(FlashConfig::default()).cost(place, n, false).multiply_adds();
    assert!(flash(512) < unit(512).multiply_adds());
    assert!(flash(256) > unit(256).multiply_adds());
    assert_eq!(unit(512).scores, 512 * 512);
}
