//! The convolutions in plain tensor operations, tap by tap.

use burn::tensor::{Bool, Device, Int, Tensor, TensorData};

use super::{ChannelMap, ConvolutionOptions};
use crate::Mask;

pub(crate) fn depthwise_convolution(
    x: Tensor<3>,
    filters: Tensor<2>,
    options: ConvolutionOptions,
) -> Tensor<3> {
    let [heads, taps] = filters.dims();
    dynamic_convolution(x, filters.reshape([1, 1, heads, taps]), options)
}

/// Filters of one position and row of the batch are those of all.
pub(crate) fn dynamic_convolution(
    x: Tensor<3>,
    filters: Tensor<4>,
    options: ConvolutionOptions,
) -> Tensor<3> {
    let ([batch, n, width], [.., heads, taps]) = (x.dims(), filters.dims());
    let (device, map) = (x.device(), options.channels);
    let mut out = x.zeros_like();
    let mut total = Tensor::zeros([batch, n, heads, 1], (&device, x.dtype()));
    for tap in 0..taps {
        let offset = (tap as isize - options.left(taps) as isize).saturating_mul(options.dilation as isize);
        let hidden = hidden(&options.mask, [batch, n], offset, &device);
        let weight = filters.clone().narrow(3, tap, 1);
        // Tokens outside the sequence are stood for by its ends, and hidden.
        let source = |i: usize| i.saturating_add_signed(offset).min(n - 1) as i64;
        let sources: Vec<i64> = (0..n).map(source).collect();
        let sources = Tensor::<1, Int>::from_data(TensorData::new(sources, [n]), &device);
        let read = x.clone().select(1, sources);
        let read = read.mask_fill(hidden.clone().expand([batch, n, width]), 0.0);
        out = out + read * to_channels(weight.clone(), width, map);
        if options.renormalise {
            let weight = weight.expand([batch, n, heads, 1]);
            total = total + weight.mask_fill(hidden.unsqueeze_dim::<4>(3).expand([batch, n, heads, 1]), 0.0);
        }
    }
    if !options.renormalise {
        return out;
    }
    let empty = total.clone().equal_elem(0.0);
    let divided = out / to_channels(total.mask_fill(empty.clone(), 1.0), width, map);
    let empty = to_channels(empty.float().cast(divided.dtype()), width, map).greater_elem(0.5);
    divided.mask_fill(empty, 0.0)
}

/// True where the token `offset` further on is not read, `[batch, n, 1]`.
fn hidden(mask: &Mask, [batch, n]: [usize; 2], offset: isize, device: &Device) -> Tensor<3, Bool> {
    let reads = |b: usize, i: usize| {
        let Some(j) = i.checked_add_signed(offset).filter(|&j| j < n) else { return false };
        let [i, j] = [i, j].map(|position| b * n + position);
        mask.padding.as_ref().is_none_or(|real| real[i] && real[j])
            && mask.segments.as_ref().is_none_or(|ids| ids[i] == ids[j])
    };
    let hidden: Vec<bool> = (0..batch * n).map(|row| !reads(row / n, row % n)).collect();
    Tensor::from_data(TensorData::new(hidden, [batch, n, 1]), device)
}

/// A number for each head, `[.., .., heads, 1]`, as one for each channel, `[.., .., width]`.
fn to_channels(x: Tensor<4>, width: usize, map: ChannelMap) -> Tensor<3> {
    let [batch, n, heads, _] = x.dims();
    let group = width / heads;
    match map {
        ChannelMap::Contiguous => x.expand([batch, n, heads, group]).reshape([batch, n, width]),
        ChannelMap::Modular => x.swap_dims(2, 3).expand([batch, n, group, heads]).reshape([batch, n, width]),
    }
}
