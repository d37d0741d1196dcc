use burn::tensor::{DType, Device, Tensor, TensorData};
use mixlab_core::{Key, Purpose};

use super::*;

fn numbers(seed: u64, count: usize) -> Vec<f64> {
    let stream = Key::root(seed).purpose(Purpose::Synthetic).sample(0);
    (0..count as u64).map(|i| stream.normal(i)).collect()
}

fn tensor(values: Vec<f64>, shape: [usize; 2], dtype: DType) -> Tensor<2> {
    Tensor::from_data(TensorData::new(values, shape), (&Device::flex(), dtype))
}

fn values(x: &Tensor<2>) -> Vec<f64> {
    x.to_data().iter::<f64>().collect()
}

fn options(loss: RowLoss) -> ContrastiveOptions {
    ContrastiveOptions { loss, scale: 1.0, weight: 1.0, rounding: Rounding::None }
}

/// Candidates of each anchor, written out.
struct Table(Vec<Vec<Special>>);

impl Pairing for Table {
    fn specials(&self, anchor: usize) -> Vec<Special> {
        self.0[anchor].clone()
    }
}

fn special(candidate: usize, part: Part) -> Special {
    Special { candidate, part }
}

/// A row of scores as the scores of one anchor: candidate i is the i-th unit vector.
fn of_scores(
    scores: &[f64],
    specials: Vec<Special>,
    options: ContrastiveOptions,
    dtype: DType,
) -> Contrasted {
    let n = scores.len();
    let unit = (0..n * n).map(|i| if i / n == i % n { 1.0 } else { 0.0 }).collect();
    let (anchors, candidates) = (tensor(scores.to_vec(), [1, n], dtype), tensor(unit, [n, n], dtype));
    contrastive_loss(&anchors, &candidates, &Table(vec![specials]), options)
}

fn assert_near(what: &str, found: f64, expected: f64, tolerance: f64) {
    assert!(
        (found - expected).abs() <= tolerance * expected.abs().max(1.0),
        "{what}: {found}, expected {expected}"
    );
}

/// The scores 2, 1, 0, −1 of which the first is the positive's. Golden values, double precision.
#[test]
fn a_row_gives_the_golden_values() {
    let run = |loss| {
        of_scores(&[2.0, 1.0, 0.0, -1.0], vec![special(0, Part::Positive(1.0))], options(loss), DType::F64)
    };
    let info_nce = [-0.35608574, 0.23688282, 0.08714432, 0.0320586];
    let flat_nce = [-1.0, 0.66524096, 0.24472847, 0.09003057];
    for (loss, value, gradient) in [
        (RowLoss::NaiveInfoNce, 0.4401896985611953, info_nce),
        (RowLoss::InfoNce, 0.4401896985611953, info_nce),
        (RowLoss::FlatNce, -0.5923940355556196, flat_nce),
    ] {
        let found = run(loss);
        assert_near("loss", found.loss, value, 1e-12);
        // With unit vectors as candidates the anchor's gradient is that of the scores.
        for (found, expected) in values(&found.anchors).into_iter().zip(gradient) {
            assert_near("gradient", found, expected, 5e-9);
        }
        assert_near("effective", found.statistics[0].effective, 1.9586986534143893, 1e-12);
        let statistics = found.statistics[0];
        assert_near("log ξ", statistics.negatives - statistics.positive, -0.5923940355556196, 1e-12);
        assert_near("1 − p", statistics.error, 0.35608574, 1e-8);
    }
}

/// Four unit vectors at 0°, 20°, 90° and 120° in two pairs, each an anchor among the others, τ = 0.5.
#[test]
fn a_batch_of_one_tower_gives_the_golden_values() {
    let embeddings: Vec<f64> = [0.0f64, 20.0, 90.0, 120.0]
        .iter()
        .flat_map(|degrees| [degrees.to_radians().cos(), degrees.to_radians().sin()])
        .collect();
    let h = tensor(embeddings, [4, 2], DType::F64);
    let table =
        Table((0..4).map(|i| vec![special(i, Part::Absent), special(i ^ 1, Part::Positive(1.0))]).collect());
    let info_nce = [
        [-0.97280175, 0.34219981],
        [-1.10911962, 1.20257308],
        [1.82393006, -0.57107978],
        [0.54347674, -0.88600923],
    ];
    let flat_nce = [
        [-1.09252311, 0.45589939],
        [-1.23011113, 1.09947157],
        [1.69184688, -0.62630095],
        [0.73812844, -0.84259472],
    ];
    for (loss, weight, value, gradient) in [
        (RowLoss::NaiveInfoNce, 1.0, 1.1313102430494646, info_nce),
        (RowLoss::InfoNce, 1.0, 1.1313102430494646, info_nce),
        (RowLoss::FlatNce, 0.25, -1.1890643394162048, flat_nce),
    ] {
        let found =
            contrastive_loss(&h, &h, &table, ContrastiveOptions { scale: 2.0, weight, ..options(loss) });
        assert_near("loss", found.loss, value, 1e-12);
        let both = values(&(found.anchors + found.candidates));
        for (found, expected) in both.into_iter().zip(gradient.into_iter().flatten()) {
            assert_near("gradient", found, expected, 5e-9);
        }
    }
}

/// Several positives of different weights, absent and shifted candidates, and an anchor that does not count.
fn mixed(anchors: usize, candidates: usize) -> Table {
    let row = |i: usize| {
        let at = |step: usize| (i + step) % candidates;
        let mut specials = vec![special(at(0), Part::Positive(1.0)), special(at(2), Part::Absent)];
        if i % 3 == 1 {
            specials.push(special(at(1), Part::Positive(0.5)));
        }
        if i % 2 == 1 {
            specials.push(special(at(4), Part::Shifted(0.7)));
        }
        if i == 3 { vec![special(0, Part::Absent)] } else { specials }
    };
    Table((0..anchors).map(row).collect())
}

/// The definition in plain operations with a graph, whose gradients autodiff finds.
fn defined(q: &Tensor<2>, d: &Tensor<2>, beta: &Tensor<1>, table: &Table, loss: RowLoss) -> Tensor<1> {
    let ([b, _], [m, _]) = (q.dims(), d.dims());
    let full = |of: &dyn Fn(Part) -> f64, plain: f64| {
        let mut all = vec![plain; b * m];
        for (i, specials) in table.0.iter().enumerate() {
            for special in specials {
                all[i * m + special.candidate] = of(special.part);
            }
        }
        Tensor::<2>::from_data(TensorData::new(all, [b, m]), (&q.device(), DType::F64))
    };
    let weight = |part| if let Part::Positive(weight) = part { weight } else { 0.0 };
    let t = full(&weight, 0.0);
    let shift = full(&|part| if let Part::Shifted(by) = part { by } else { 0.0 }, 0.0);
    let far = -1e30;
    let kept = match loss {
        RowLoss::FlatNce => {
            full(&|part| if matches!(part, Part::Absent | Part::Positive(_)) { far } else { 0.0 }, 0.0)
        }
        _ => full(&|part| if part == Part::Absent { far } else { 0.0 }, 0.0),
    };
    let s = q.clone().matmul(d.clone().transpose()) * beta.clone().unsqueeze() + shift;
    let r = t.clone().sum_dim(1);
    let masked = s.clone() + kept;
    let highest = masked.clone().detach().max_dim(1);
    let log_sum = (masked - highest.clone()).exp().sum_dim(1).log() + highest;
    (r * log_sum).sum() - (t * s).sum()
}

#[test]
fn values_and_gradients_are_those_of_the_definition() {
    let device = Device::flex().autodiff();
    for (b, m, width) in [(5, 7, 3), (1, 5, 1), (40, 65, 17)] {
        let leaf = |seed, rows: usize| {
            let data = TensorData::new(numbers(seed, rows * width), [rows, width]);
            Tensor::<2>::from_data(data, (&device, DType::F64)).require_grad()
        };
        let (q, d) = (leaf(1, b), leaf(2, m));
        let beta: Tensor<1> =
            Tensor::from_data(TensorData::new(vec![1.3], [1]), (&device, DType::F64)).require_grad();
        let table = mixed(b, m);
        for loss in [RowLoss::NaiveInfoNce, RowLoss::InfoNce, RowLoss::FlatNce] {
            let expected = defined(&q, &d, &beta, &table, loss);
            let gradients = expected.backward();
            let found = contrastive_loss(
                &q.clone().inner(),
                &d.clone().inner(),
                &table,
                ContrastiveOptions { scale: 1.3, ..options(loss) },
            );
            assert_near("loss", found.loss, expected.into_scalar::<f64>(), 1e-12);
            let by_beta = beta.grad(&gradients).expect("a gradient").into_scalar::<f64>();
            assert_near("scale", found.scale, by_beta, 1e-12);
            for (found, leaf) in [(&found.anchors, &q), (&found.candidates, &d)] {
                let expected = leaf.grad(&gradients).expect("a gradient");
                for (found, expected) in values(found).into_iter().zip(values(&expected)) {
                    assert_near("gradient", found, expected, 1e-12);
                }
            }
            assert_eq!(found.statistics.len(), if b > 3 { b - 1 } else { b }, "one anchor has no positive");
        }
    }
}

/// Blocks of anchors do not change a bit, nor do threads.
#[test]
fn the_same_bits_come_out_on_any_number_of_threads() {
    let (b, m, width) = (70, 70_000, 4);
    let (q, d) = (
        tensor(numbers(1, b * width), [b, width], DType::F32),
        tensor(numbers(2, m * width), [m, width], DType::F32),
    );
    let table = Table((0..b).map(|i| vec![special(i, Part::Positive(1.0))]).collect());
    let run = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("a pool");
        pool.install(|| contrastive_loss(&q, &d, &table, options(RowLoss::InfoNce)))
    };
    let (one, two) = (run(1), run(2));
    assert_eq!(one.loss.to_bits(), two.loss.to_bits());
    for (a, b) in [(&one.anchors, &two.anchors), (&one.candidates, &two.candidates)] {
        assert!(values(a).iter().zip(values(b)).all(|(a, b)| a.to_bits() == b.to_bits()));
    }
}

/// ∇InfoNCE = (1 − p)·∇FlatNCE, InfoNCE = softplus(FlatNCE), gradients add up to 0, and a common shift changes nothing.
#[test]
fn the_two_losses_are_related_as_the_theory_says() {
    let scores = numbers(5, 9);
    let run = |loss, shift: f64| {
        let scores: Vec<f64> = scores.iter().map(|score| 3.0 * score + shift).collect();
        of_scores(&scores, vec![special(2, Part::Positive(1.0))], options(loss), DType::F64)
    };
    let (info, flat) = (run(RowLoss::InfoNce, 0.0), run(RowLoss::FlatNce, 0.0));
    assert_near("softplus", info.loss, flat.loss.exp().ln_1p(), 1e-14);
    let error = info.statistics[0].error;
    let pairs = values(&info.anchors).into_iter().zip(values(&flat.anchors));
    pairs.for_each(|(info, flat)| assert_near("(1 − p)", info, error * flat, 1e-14));
    for (loss, plain) in [(RowLoss::InfoNce, &info), (RowLoss::FlatNce, &flat)] {
        assert!(values(&plain.anchors).iter().sum::<f64>().abs() < 1e-14);
        let shifted = run(loss, 50.0);
        assert_near("shift", shifted.loss, plain.loss, 1e-13);
        let same = values(&shifted.anchors).into_iter().zip(values(&plain.anchors));
        same.for_each(|(a, b)| assert_near("shift", a, b, 1e-13));
    }
}

#[test]
fn extreme_rows_stay_finite_and_empty_ones_give_nothing() {
    for loss in [RowLoss::NaiveInfoNce, RowLoss::InfoNce, RowLoss::FlatNce] {
        for dtype in [DType::F32, DType::F64] {
            let run = |scores: &[f64], specials| of_scores(scores, specials, options(loss), dtype);
            let positive = || vec![special(0, Part::Positive(1.0))];
            for scores in [[1e4, -1e4, 0.0], [-1e4, 1e4, 1e4], [7.0, 7.0, 7.0]] {
                let found = run(&scores, positive());
                assert!(found.loss.is_finite() && found.scale.is_finite(), "{loss:?} {scores:?}");
                assert!(values(&found.anchors).iter().all(|x| x.is_finite()), "{loss:?} {scores:?}");
            }
            let absent = |i| special(i, Part::Absent);
            for specials in [vec![], vec![absent(0), absent(1), absent(2)]] {
                let found = run(&[1.0, 2.0, 3.0], specials);
                assert_eq!(
                    (found.loss, values(&found.anchors), found.statistics.len()),
                    (0.0, vec![0.0; 3], 0)
                );
            }
            // A positive without a negative: there is nothing to tell it from.
            let alone = run(&[1.0, 2.0, 3.0], [positive(), vec![absent(1), absent(2)]].concat());
            assert_eq!((alone.loss, values(&alone.anchors)), (0.0, vec![0.0; 3]), "{loss:?}");
            // One negative: log ξ is linear.
            let two = run(&[1.0, 2.5], positive());
            if loss == RowLoss::FlatNce {
                assert_eq!((two.loss, values(&two.anchors)), (1.5, vec![-1.0, 1.0]));
            }
        }
    }
}

/// Positives far above their negatives in single precision: the exact form keeps every digit of the same scores, the naive
/// one loses the positive's gradient.
#[test]
fn the_exact_form_keeps_what_the_naive_one_loses() {
    let (mut naive_worst, mut exact_worst) = (0.0f64, 0.0f64);
    for draw in 0..20 {
        let mut scores: Vec<f64> = numbers(draw, 64).iter().map(|&x| f64::from(x as f32)).collect();
        scores[0] = 20.0;
        let xi: f64 = scores[1..].iter().map(|s| (s - 20.0).exp()).sum();
        let expected = -xi / (1.0 + xi);
        let positive = |loss| {
            let found = of_scores(&scores, vec![special(0, Part::Positive(1.0))], options(loss), DType::F32);
            (values(&found.anchors)[0] / expected - 1.0).abs()
        };
        naive_worst = naive_worst.max(positive(RowLoss::NaiveInfoNce));
        exact_worst = exact_worst.max(positive(RowLoss::InfoNce));
    }
    assert!(exact_worst < 4.0 * f64::from(f32::EPSILON), "{exact_worst}");
    assert!(naive_worst > 0.2, "{naive_worst}");
}

/// In bfloat16 the positive's gradient of the naive form is nothing, that of FlatNCE exact.
#[test]
fn narrow_logits_silence_the_naive_form_alone() {
    let scores: Vec<f64> = [13.0].into_iter().chain(numbers(1, 63).iter().map(|x| 0.5 * x)).collect();
    let positive = |loss, rounding| {
        let options = ContrastiveOptions { rounding, ..options(loss) };
        values(&of_scores(&scores, vec![special(0, Part::Positive(1.0))], options, DType::F32).anchors)[0]
    };
    assert_eq!(positive(RowLoss::NaiveInfoNce, Rounding::Bfloat16), 0.0);
    assert!(positive(RowLoss::NaiveInfoNce, Rounding::None) < 0.0);
    assert!(positive(RowLoss::InfoNce, Rounding::Bfloat16) < 0.0);
    assert_eq!(positive(RowLoss::FlatNce, Rounding::Bfloat16), -1.0);
}
