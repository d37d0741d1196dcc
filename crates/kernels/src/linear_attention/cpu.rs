//! Linear attention on the CPU: pairs inside a chunk when causal, states between chunks.
//!
//! The denominator is one more column of the numerator: values get a column of ones.

use burn_flex::FlexTensor;
use rayon::prelude::*;

use super::LinearOptions;
use crate::attention::{AttentionKernel, Operands};
use crate::cpu::{Real, output, slice, tensor, with_real};
use crate::mask::Geometry;
use crate::tiled::{
    Heads, PairGradients, Pairs, Piece, Scan, ScanGradients, Visible, Weight, Window, dot, pair_gradients,
    pair_products, pieces, scale,
};

/// What the backward pass needs beside the operands, if there is a denominator: the output and each row's divisor.
#[derive(Clone, Debug)]
pub(crate) struct Saved(Option<[FlexTensor; 2]>);

impl AttentionKernel for LinearOptions {
    const NAME: &'static str = "linear_attention";

    type Saved = Saved;

    fn forward(&self, operands: &Operands) -> (FlexTensor, Saved) {
        with_real!(operands[0].dtype(), R => forward_as::<R>(operands, self))
    }

    fn backward(&self, upstream: &FlexTensor, operands: &Operands, saved: &Saved) -> Operands {
        with_real!(upstream.dtype(), R => backward_as::<R>(upstream, operands, saved, self))
    }
}

fn forward_as<T: Real>([q, k, v]: &Operands, options: &LinearOptions) -> (FlexTensor, Saved) {
    let v = Heads::<T>::of(v);
    let Some(epsilon) = options.epsilon else {
        let out = Sums::new(q, k, v, options).products();
        return (tensor(out, v.shape), Saved(None));
    };
    let [batch, n, heads, width] = v.shape;
    let (with_ones, wide) = (beside_column(v, |_| T::ONE), [batch, n, heads, width + 1]);
    let sums = Sums::new(q, k, Heads::contiguous(&with_ones, wide), options).products();
    let mut out = output(batch * n * heads * width);
    let mut divisors = output(batch * n * heads);
    let rows = out.par_chunks_exact_mut(width).zip(&mut divisors).zip(sums.par_chunks_exact(width + 1));
    rows.with_min_len(ROWS).for_each(|((out, divisor), sums)| {
        *divisor = nonzero(sums[width] + T::of(epsilon));
        out.copy_from_slice(&sums[..width]);
        scale(out, T::ONE / *divisor);
    });
    let out = tensor(out, v.shape);
    (out.clone(), Saved(Some([out, tensor(divisors, [batch, n, heads])])))
}

/// Rows of a task that divides.
const ROWS: usize = 256;

/// A query that sees no key has numerator zero: any divisor gives zero.
fn nonzero<T: Real>(divisor: T) -> T {
    if divisor == T::ZERO { T::ONE } else { divisor }
}

fn backward_as<T: Real>(
    upstream: &FlexTensor,
    [q, k, v]: &Operands,
    saved: &Saved,
    options: &LinearOptions,
) -> Operands {
    let (v, upstream) = (Heads::<T>::of(v), Heads::of(upstream));
    let gradients = match &saved.0 {
        None => Sums::new(q, k, v, options).gradients(upstream),
        Some([out, divisors]) => {
            let (out, divisors) = (Heads::of(out), slice::<T>(divisors));
            divided_gradients(Sums::new(q, k, v, options), upstream, out, divisors)
        }
    };
    [
        tensor(gradients.q, q.layout().shape().clone()),
        tensor(gradients.k, k.layout().shape().clone()),
        tensor(gradients.v, v.shape),
    ]
}

/// With `o = s / t` the gradient of s is `g / t` and that of t is `−(g·o) / t`.
fn divided_gradients<T: Real>(
    sums: Sums<'_, T>,
    upstream: Heads<'_, T>,
    out: Heads<'_, T>,
    divisors: &[T],
) -> PairGradients<T> {
    let [batch, n, heads, width] = upstream.shape;
    let wide = [batch, n, heads, width + 1];
    let mut scaled =
        beside_column(upstream, |(b, i, head)| -dot(upstream.row(b, head, i), out.row(b, head, i)));
    scaled.par_chunks_exact_mut(width + 1).zip(divisors).with_min_len(ROWS).for_each(|(row, &divisor)| {
        scale(row, T::ONE / divisor);
    });
    let with_ones = beside_column(sums.v, |_| T::ONE);
    let sums = Sums { v: Heads::contiguous(&with_ones, wide), ..sums };
    let gradients = sums.gradients(Heads::contiguous(&scaled, wide));
    let v = gradients.v.chunks_exact(width + 1).flat_map(|row| &row[..width]).copied().collect();
    PairGradients { v, ..gradients }
}

/// The tensor `[batch, n, heads, width + 1]` with one more column.
fn beside_column<T: Real>(x: Heads<'_, T>, column: impl Fn((usize, usize, usize)) -> T + Sync) -> Vec<T> {
    let [batch, n, heads, width] = x.shape;
    let mut wide = output(batch * n * heads * (width + 1));
    wide.par_chunks_exact_mut(width + 1).with_min_len(ROWS).enumerate().for_each(|(row, wide)| {
        let (b, i, head) = (row / heads / n, row / heads % n, row % heads);
        wide[..width].copy_from_slice(x.row(b, head, i));
        wide[width] = column((b, i, head));
    });
    wide
}

/// `o_i = q_i Σ_j k_jᵀ v_j` over the keys j that query i sees.
struct Sums<'a, T> {
    q: Heads<'a, T>,
    k: Heads<'a, T>,
    v: Heads<'a, T>,
    visible: Visible<'a>,
    chunk: usize,
}

impl<'a, T: Real> Sums<'a, T> {
    fn new(q: &'a FlexTensor, k: &'a FlexTensor, v: Heads<'a, T>, options: &'a LinearOptions) -> Self {
        let (q, k) = (Heads::of(q), Heads::of(k));
        let [batch, n, ..] = q.shape;
        let geometry = Geometry { batch, queries: n, keys: n, causal: options.causal };
        let visible = Visible::new(geometry, Window::Chunk(options.chunk), &options.mask);
        Sums { q, k, v, visible, chunk: options.chunk }
    }

    fn products(&self) -> Vec<T> {
        let size = self.v.shape.iter().product();
        let mut out = if self.visible.geometry.causal {
            let mut out = output(size);
            pair_products(&self.inside_chunks(), &mut out, &mut []);
            out
        } else {
            vec![T::ZERO; size]
        };
        self.between_chunks().add_products(&mut out);
        out
    }

    fn gradients(&self, upstream: Heads<'_, T>) -> PairGradients<T> {
        let zeros = |x: &Heads<'_, T>| vec![T::ZERO; x.shape.iter().product()];
        let mut gradients = if self.visible.geometry.causal {
            pair_gradients(&self.inside_chunks(), upstream, None)
        } else {
            PairGradients { q: zeros(&self.q), k: zeros(&self.k), v: zeros(&self.v), bias: None }
        };
        let PairGradients { q, k, v, .. } = &mut gradients;
        self.between_chunks().add_gradients(upstream, ScanGradients { q, k, v });
        gradients
    }

    fn inside_chunks(&self) -> Pairs<'_, T> {
        Pairs {
            q: self.q,
            k: self.k,
            v: self.v,
            scale: T::ONE,
            bias: None,
            weight: Weight::Identity,
            dropout: None,
            visible: &self.visible,
        }
    }

    fn between_chunks(&self) -> Scan<'_, T> {
        let causal = self.visible.geometry.causal;
        let chunk = causal.then_some(self.chunk);
        let pieces = (0..self.q.shape[0]).map(|b| pieces(&self.visible, b, chunk)).collect();
        let (q, k, v) = (self.q, self.k, self.v);
        Scan { q, k, v, visible: &self.visible, pieces, causal, factor: &|_: &Piece| T::ONE }
    }
}
