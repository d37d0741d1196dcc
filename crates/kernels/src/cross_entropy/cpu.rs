//! The loss in blocks of rows, and in the same pass the gradients of its operands.

use burn_flex::FlexTensor;

use super::rows::{Row, soft_targets};
use crate::cpu::{
    BLOCK, ByRows, Matrix, Real, Rows, for_blocks, output, owned, product, slice, sum_blocks, tensor,
    vectorised, viewable, with_real, with_rows,
};
use crate::profile;

pub(super) struct Inputs {
    pub hidden: FlexTensor,
    pub weight: FlexTensor,
    pub bias: Option<FlexTensor>,
    pub targets: FlexTensor,
    pub weights: FlexTensor,
}

/// Gradients of hidden rows, weight and bias for a seed of 1.
pub(super) type OperandGradients = [Option<FlexTensor>; 3];

/// The loss, and the gradients that are `needed`.
pub(super) fn forward(inputs: &Inputs, needed: [bool; 3]) -> (FlexTensor, OperandGradients) {
    profile::operation(
        "cross_entropy",
        [&inputs.hidden, &inputs.weight],
        || with_real!(inputs.hidden.dtype(), R => forward_as::<R>(inputs, needed)),
    )
}

fn forward_as<T: Real>(inputs: &Inputs, needed: [bool; 3]) -> (FlexTensor, OperandGradients) {
    let (total, width) = (inputs.hidden.layout().shape()[0], inputs.hidden.layout().shape()[1]);
    let vocabulary = inputs.weight.layout().shape()[0];
    let hidden = with_rows(inputs.hidden.clone());
    let hidden = Rows::<T>::new(&hidden);
    let weight = viewable(inputs.weight.clone());
    let weight = Matrix::<T>::of(&weight);
    let bias = inputs.bias.as_ref().map(FlexTensor::to_contiguous);
    let bias = bias.as_ref().map(slice::<T>);
    let rows = weighted_rows::<T>(inputs, vocabulary);
    let [hidden_needed, weight_needed, bias_needed] = needed;

    let turned = ByRows::new(weight.t());
    let block = block_size(vocabulary).min(rows.len());
    let mut logits = output::<T>(block * vocabulary);
    let mut gathered = output::<T>(block * width);
    let mut dblock = output::<T>(if hidden_needed { block * width } else { 0 });
    let mut dhidden = vec![T::ZERO; if hidden_needed { total * width } else { 0 }];
    let mut dweight = vec![T::ZERO; if weight_needed { vocabulary * width } else { 0 }];
    let mut dbias = vec![T::ZERO; if bias_needed { vocabulary } else { 0 }];
    let mut loss = 0.0;
    for rows in rows.chunks(block.max(1)) {
        let count = rows.len();
        let logits = &mut logits[..count * vocabulary];
        let gathered = &mut gathered[..count * width];
        for (out, row) in gathered.chunks_exact_mut(width.max(1)).zip(rows) {
            out.copy_from_slice(hidden.row(row.index));
        }
        let x = Matrix::new(gathered, count, width);
        product(logits, x, turned.matrix(), T::ONE, false, true);
        let (part, sums) = soft_targets(logits, bias, rows, bias_needed);
        loss += part;
        for (total, part) in dbias.iter_mut().zip(sum_blocks(&sums, if bias_needed { vocabulary } else { 0 }))
        {
            *total += part;
        }
        let dlogits = Matrix::new(logits, count, vocabulary);
        if weight_needed {
            product(&mut dweight, dlogits.t(), x, T::ONE, true, true);
        }
        if hidden_needed {
            let dblock = &mut dblock[..count * width];
            product(dblock, dlogits, weight, T::ONE, false, true);
            for (dx, row) in dblock.chunks_exact(width.max(1)).zip(rows) {
                dhidden[row.index * width..(row.index + 1) * width].copy_from_slice(dx);
            }
        }
    }
    let gradients = [
        hidden_needed.then(|| tensor(dhidden, [total, width])),
        weight_needed.then(|| tensor(dweight, [vocabulary, width])),
        bias_needed.then(|| tensor(dbias, [vocabulary])),
    ];
    (tensor(vec![T::of(loss)], [1]), gradients)
}

/// Rows of a block: at most 2²² logits at a time, which a shared cache holds, within bounds where products run at full
/// speed.
fn block_size(vocabulary: usize) -> usize {
    ((1 << 22) / vocabulary.max(1)).clamp(64, 1024)
}

/// The rows that count.
///
/// # Panics
/// If the target of one is not below `vocabulary`.
fn weighted_rows<T: Real>(inputs: &Inputs, vocabulary: usize) -> Vec<Row<T>> {
    let weights = inputs.weights.to_contiguous();
    let targets = inputs.targets.clone().into_data();
    let rows = slice::<T>(&weights).iter().zip(targets.iter::<i64>()).enumerate();
    let row = |(index, (&weight, target)): (usize, (&T, i64))| match usize::try_from(target) {
        _ if weight == T::ZERO => None,
        Ok(target) if target < vocabulary => Some(Row { index, target, weight }),
        _ => panic!("target {target} of row {index} is not below the vocabulary of {vocabulary}"),
    };
    rows.filter_map(row).collect()
}

/// A gradient times the incoming gradient of the loss, in place.
pub(super) fn scaled(gradient: FlexTensor, seed: &FlexTensor) -> FlexTensor {
    with_real!(gradient.dtype(), R => {
        let seed = slice::<R>(seed)[0];
        let mut gradient = owned(gradient);
        if seed != R::ONE {
            for_blocks(gradient.storage_mut::<R>(), BLOCK, |_, block| multiply(block, seed));
        }
        gradient
    })
}

vectorised! {
    fn multiply<T: Real>(x: &mut [T], factor: T) {
        for x in x.iter_mut() {
            *x = *x * factor;
        }
    }
}
