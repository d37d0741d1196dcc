//! Scores in blocks of anchors, and the products that turn their gradients into those of embeddings.

use burn::tensor::{Tensor, TensorData};
use rayon::prelude::*;

use super::row::{Outcome, row};
use super::{Contrasted, ContrastiveOptions, Pairing};
use crate::cpu::{ByRows, Matrix, Real, output, product};

/// Anchors of a block: at most 2²² scores at a time, within bounds where products run at full speed.
fn block_size(candidates: usize) -> usize {
    ((1 << 22) / candidates.max(1)).clamp(32, 1024)
}

pub(super) fn run<T: Real>(
    anchors: &Tensor<2>,
    candidates: &Tensor<2>,
    pairing: &dyn Pairing,
    options: ContrastiveOptions,
) -> Contrasted {
    let ([b, width], [m, _], device) = (anchors.dims(), candidates.dims(), anchors.device());
    let values = |x: &Tensor<2>| x.to_data().try_to_vec::<T>().expect("both have the type of the anchors");
    let (q, d) = (values(anchors), values(candidates));
    let candidates = Matrix::new(&d, m, width);
    let turned = ByRows::new(candidates.t());
    let block = block_size(m).min(b.max(1));
    let mut scores = output::<T>(block * m);
    let (mut dq, mut dd) = (vec![T::ZERO; b * width], vec![T::ZERO; m * width]);
    let (mut loss, mut dscale, mut statistics) = (0.0, 0.0, Vec::with_capacity(b));
    let scale = T::of(options.scale);
    for (index, (q, dq)) in q.chunks(block * width).zip(dq.chunks_mut(block * width)).enumerate() {
        let count = q.len() / width;
        let scores = &mut scores[..count * m];
        let x = Matrix::new(q, count, width);
        product(scores, x, turned.matrix(), scale, false, true);
        let outcomes: Vec<Option<Outcome>> = scores
            .par_chunks_mut(m)
            .enumerate()
            .map(|(i, scores)| row(scores, &pairing.specials(index * block + i), options))
            .collect();
        for outcome in outcomes.into_iter().flatten() {
            loss += outcome.loss;
            dscale += outcome.by_score / options.scale;
            statistics.push(outcome.statistics);
        }
        let gradients = Matrix::new(scores, count, m);
        product(dq, gradients, candidates, scale, false, true);
        product(&mut dd, gradients.t(), x, scale, true, true);
    }
    let tensor = |values: Vec<T>, rows| {
        Tensor::from_data(TensorData::new(values, [rows, width]), (&device, T::dtype()))
    };
    Contrasted { loss, anchors: tensor(dq, b), candidates: tensor(dd, m), scale: dscale, statistics }
}
