//! Rows gathered and scattered in parallel. The gradient sorts the tokens by id, stably, and gives each
//! range of the vocabulary to one thread: equal ids are added in the order of the tokens.

use std::sync::Arc;

use burn_flex::FlexTensor;

use crate::cpu::{
    Real, Rows, block_rows, for_blocks, indices, output, tensor, vectorised, with_real, with_rows,
};

/// Which rows were looked up.
#[derive(Clone, Debug)]
pub(super) struct Lookup {
    ids: Arc<[usize]>,
    vocabulary: usize,
    width: usize,
}

pub(super) fn forward(weight: FlexTensor, ids: &FlexTensor) -> (FlexTensor, Lookup) {
    let (vocabulary, width) = (weight.layout().shape()[0], weight.layout().shape()[1]);
    let rows: Arc<[usize]> = indices(ids, vocabulary).into();
    let lookup = Lookup { ids: rows, vocabulary, width };
    let weight = with_rows(weight);
    let mut shape = ids.layout().shape().to_vec();
    shape.push(width);
    let out = with_real!(weight.dtype(), R => tensor(gather(&Rows::<R>::new(&weight), &lookup), shape));
    (out, lookup)
}

fn gather<T: Real>(weight: &Rows<'_, T>, lookup: &Lookup) -> Vec<T> {
    let width = lookup.width;
    let mut out = output::<T>(lookup.ids.len() * width);
    for_blocks(&mut out, block_rows(width) * width, |start, block| {
        for (out, &id) in block.chunks_exact_mut(width).zip(&lookup.ids[start / width..]) {
            out.copy_from_slice(weight.row(id));
        }
    });
    out
}

/// Gradient of the matrix.
pub(super) fn backward(dy: &FlexTensor, lookup: &Lookup) -> FlexTensor {
    let Lookup { ids, vocabulary, width } = lookup;
    let (vocabulary, width) = (*vocabulary, *width);
    // Counting sort: the tokens of id i are order[starts[i]..starts[i + 1]].
    let mut starts = vec![0usize; vocabulary + 1];
    for &id in ids.iter() {
        starts[id + 1] += 1;
    }
    for i in 0..vocabulary {
        starts[i + 1] += starts[i];
    }
    let (mut next, mut order) = (starts.clone(), vec![0usize; ids.len()]);
    for (token, &id) in ids.iter().enumerate() {
        order[next[id]] = token;
        next[id] += 1;
    }
    // dy has one axis more than the matrix: view it as tokens × width.
    let dy = with_rows(dy.clone());
    with_real!(dy.dtype(), R => {
        let rows = Rows::<R>::new(&dy);
        let mut out = vec![R::ZERO; vocabulary * width];
        for_blocks(&mut out, block_rows(width) * width, |start, block| {
            for (id, out) in (start / width..).zip(block.chunks_exact_mut(width)) {
                for &token in &order[starts[id]..starts[id + 1]] {
                    add(out, rows.row(token));
                }
            }
        });
        tensor(out, [vocabulary, width])
    })
}

vectorised! {
    fn add<T: Real>(out: &mut [T], x: &[T]) {
        for (out, &x) in out.iter_mut().zip(x) {
            *out += x;
        }
    }
}
