//! Mixed chunk attention on the CPU: squared-relu pairs inside chunks, states between them.

use burn_flex::FlexTensor;

use super::{ChunkNormaliser, MixedChunkOptions};
use crate::cpu::{Real, output, slice, tensor, with_real};
use crate::mask::Geometry;
use crate::profile;
use crate::tiled::{
    Bias, Heads, Pairs, Piece, Scan, ScanGradients, Visible, Weight, Window, pair_gradients, pair_products,
    pieces,
};

/// Quadratic queries and keys, linear queries and keys, values, and the bias.
#[derive(Clone, Debug)]
pub(crate) struct Operands {
    pub(crate) tensors: [FlexTensor; 5],
    /// Without gaps.
    pub(crate) bias: Option<FlexTensor>,
}

pub(crate) fn forward(operands: &Operands, options: &MixedChunkOptions) -> FlexTensor {
    profile::operation(
        "mixed_chunk_attention",
        &operands.tensors,
        || with_real!(operands.tensors[0].dtype(), R => forward_as::<R>(operands, options)),
    )
}

/// Gradients of the five tensors and the bias.
pub(crate) fn backward(
    upstream: &FlexTensor,
    operands: &Operands,
    options: &MixedChunkOptions,
) -> [Option<FlexTensor>; 6] {
    profile::operation(
        "mixed_chunk_attention",
        operands.tensors.iter().chain([upstream]),
        || with_real!(upstream.dtype(), R => backward_as::<R>(upstream, operands, options)),
    )
}

fn forward_as<T: Real>(operands: &Operands, options: &MixedChunkOptions) -> FlexTensor {
    let visible = visible(operands, options);
    let factor = |piece: &Piece| factor(piece, options);
    let (pairs, scan) = parts::<T>(operands, options, &visible, &factor);
    let [batch, n, _, width] = pairs.v.shape;
    let mut out = output(batch * n * width);
    pair_products(&pairs, &mut out, &mut []);
    scan.add_products(&mut out);
    tensor(out, [batch, n, width])
}

fn backward_as<T: Real>(
    upstream: &FlexTensor,
    operands: &Operands,
    options: &MixedChunkOptions,
) -> [Option<FlexTensor>; 6] {
    let visible = visible(operands, options);
    let factor = |piece: &Piece| factor(piece, options);
    let (pairs, scan) = parts::<T>(operands, options, &visible, &factor);
    let upstream = Heads::of(upstream);
    let mut quadratic = pair_gradients(&pairs, upstream, None);
    let zeros = |x: Heads<'_, T>| vec![T::ZERO; x.shape.iter().product()];
    let (mut q, mut k) = (zeros(scan.q), zeros(scan.k));
    scan.add_gradients(upstream, ScanGradients { q: &mut q, k: &mut k, v: &mut quadratic.v });
    let bias = quadratic.bias.map(|bias| {
        let length = bias.len();
        tensor(bias, [length])
    });
    let [q_quadratic, k_quadratic, q_linear, k_linear, v] =
        operands.tensors.each_ref().map(|operand| operand.layout().shape().clone());
    [
        Some(tensor(quadratic.q, q_quadratic)),
        Some(tensor(quadratic.k, k_quadratic)),
        Some(tensor(q, q_linear)),
        Some(tensor(k, k_linear)),
        Some(tensor(quadratic.v, v)),
        bias,
    ]
}

fn visible<'a>(operands: &Operands, options: &'a MixedChunkOptions) -> Visible<'a> {
    let shape = operands.tensors[0].layout().shape();
    let geometry = Geometry { batch: shape[0], queries: shape[1], keys: shape[1], causal: options.causal };
    Visible::new(geometry, Window::Chunk(options.chunk), &options.mask)
}

/// One over the normaliser of a piece's linear part.
fn factor<T: Real>(piece: &Piece, options: &MixedChunkOptions) -> T {
    let normaliser = match options.normaliser {
        ChunkNormaliser::PerChunk if options.causal => options.chunk,
        ChunkNormaliser::PerChunk | ChunkNormaliser::Mean => piece.seen.max(1),
    };
    T::of(1.0 / normaliser as f64)
}

fn parts<'a, T: Real>(
    Operands { tensors: [q_quadratic, k_quadratic, q_linear, k_linear, v], bias }: &'a Operands,
    options: &'a MixedChunkOptions,
    visible: &'a Visible<'a>,
    factor: &'a (dyn Fn(&Piece) -> T + Sync),
) -> (Pairs<'a, T>, Scan<'a, T>) {
    let v = Heads::of(v);
    let pairs = Pairs {
        q: Heads::of(q_quadratic),
        k: Heads::of(k_quadratic),
        v,
        scale: T::of(options.scale),
        bias: bias.as_ref().map(|bias| Bias { values: slice::<T>(bias), centre: options.chunk - 1 }),
        weight: Weight::SquaredRelu,
        dropout: options.dropout.as_ref(),
        visible,
    };
    let causal = options.causal;
    let chunk = causal.then_some(options.chunk);
    let scan = Scan {
        q: Heads::of(q_linear),
        k: Heads::of(k_linear),
        v,
        visible,
        pieces: (0..v.shape[0]).map(|b| pieces(visible, b, chunk)).collect(),
        causal,
        factor,
    };
    (pairs, scan)
}
