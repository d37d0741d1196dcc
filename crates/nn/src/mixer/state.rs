//! What a mixer remembers of the positions it has been stepped through.

use std::ops::Range;

use burn::tensor::{Int, Tensor};

use super::{ConvolutionState, FlashState, GmlpState, LinearAttentionState};

/// The streaming state of one mixer. It holds no gradients.
#[derive(Clone, Debug)]
pub enum MixerState {
    /// Keys and values of softmax attention, `[batch, t, groups, d]`: grows with every position.
    Attention(KeyValueCache<4>),
    /// Shared keys and values of a gated attention unit, `[batch, t, s]` and `[batch, t, e]`: grows too.
    Gated(KeyValueCache<3>),
    /// Running sums of linear attention: constant.
    Linear(LinearAttentionState),
    /// Running sum and present chunk of FLASH: bounded.
    Flash(FlashState),
    /// Rows of a map over tokens, `[batch, t, c]`: grows too.
    Rows(RowCache<3>),
    /// Gate rows, keys and values of gMLP: grows too.
    Gmlp(Box<GmlpState>),
    /// The inputs that the filters of a convolution still reach: bounded.
    Convolution(ConvolutionState),
    /// Of a mixer that lets no token meet another: nothing but the count.
    None {
        /// Number of positions seen.
        position: usize,
    },
}

impl MixerState {
    /// Number of positions seen.
    pub fn position(&self) -> usize {
        match self {
            MixerState::Attention(cache) => cache.position(),
            MixerState::Gated(cache) => cache.position(),
            MixerState::Linear(state) => state.position(),
            MixerState::Flash(state) => state.position(),
            MixerState::Rows(cache) => cache.position(),
            MixerState::Gmlp(state) => state.position(),
            MixerState::Convolution(state) => state.position(),
            MixerState::None { position } => *position,
        }
    }

    /// The state of some rows of the batch, in any order and any number of times.
    #[must_use]
    pub fn select(&self, rows: &Tensor<1, Int>) -> Self {
        match self {
            MixerState::Attention(cache) => MixerState::Attention(cache.select(rows)),
            MixerState::Gated(cache) => MixerState::Gated(cache.select(rows)),
            MixerState::Linear(state) => MixerState::Linear(state.select(rows)),
            MixerState::Flash(state) => MixerState::Flash(state.select(rows)),
            MixerState::Rows(cache) => MixerState::Rows(cache.select(rows)),
            MixerState::Gmlp(state) => MixerState::Gmlp(Box::new(state.select(rows))),
            MixerState::Convolution(state) => MixerState::Convolution(state.select(rows)),
            MixerState::None { position } => MixerState::None { position: *position },
        }
    }

    /// Numbers held.
    pub fn size(&self) -> usize {
        match self {
            MixerState::Attention(cache) => cache.size(),
            MixerState::Gated(cache) => cache.size(),
            MixerState::Linear(state) => state.size(),
            MixerState::Flash(state) => state.size(),
            MixerState::Rows(cache) => cache.size(),
            MixerState::Gmlp(state) => state.size(),
            MixerState::Convolution(state) => state.size(),
            MixerState::None { .. } => 0,
        }
    }
}

/// Positions that a cache has room for at first.
const ROOM: usize = 16;

/// Rows of every position seen, along axis 1.
///
/// There is room for more than are held, so that appending copies what is new and not, each time, what was there.
#[derive(Clone, Debug, Default)]
pub struct RowCache<const D: usize> {
    /// Rows, and room behind them.
    held: Option<Tensor<D>>,
    /// Positions held.
    count: usize,
}

impl<const D: usize> RowCache<D> {
    /// Appends the rows of the next positions; gives those of all positions.
    pub fn append(&mut self, rows: Tensor<D>) -> Tensor<D> {
        let rows = rows.detach();
        let mut shape = rows.dims();
        let (begin, count) = (self.count, self.count + shape[1]);
        // Taken, not cloned: what nobody else holds is written in place.
        let held = match self.held.take() {
            Some(held) if held.dims()[1] >= count => held,
            held => {
                shape[1] = (count + count / 2).max(ROOM);
                let room = Tensor::zeros(shape, (&rows.device(), rows.dtype()));
                match held {
                    Some(held) if begin > 0 => {
                        room.slice_assign(places(&shape, 0..begin), held.narrow(1, 0, begin))
                    }
                    _ => room,
                }
            }
        };
        let to = places(&held.dims(), begin..count);
        let held = held.slice_assign(to, rows);
        self.count = count;
        let all = held.clone().narrow(1, 0, count);
        self.held = Some(held);
        all
    }

    /// The rows of some sequences of the batch.
    #[must_use]
    pub fn select(&self, rows: &Tensor<1, Int>) -> Self {
        RowCache {
            held: self.held.as_ref().map(|held| held.clone().select(0, rows.clone())),
            count: self.count,
        }
    }

    /// Number of positions seen.
    pub fn position(&self) -> usize {
        self.count
    }

    /// Numbers held, without the room for more.
    pub fn size(&self) -> usize {
        self.held.as_ref().map_or(0, |held| numbers(held) / held.dims()[1].max(1) * self.count)
    }
}

/// All of a tensor of this shape, but along axis 1 only some.
fn places<const D: usize>(shape: &[usize; D], positions: Range<usize>) -> [Range<usize>; D] {
    std::array::from_fn(|axis| if axis == 1 { positions.clone() } else { 0..shape[axis] })
}

/// Keys and values of every position seen, along axis 1.
#[derive(Clone, Debug, Default)]
pub struct KeyValueCache<const D: usize> {
    keys: RowCache<D>,
    values: RowCache<D>,
}

impl<const D: usize> KeyValueCache<D> {
    /// Appends keys and values of the next positions; gives those of all positions.
    pub fn append(&mut self, key: Tensor<D>, value: Tensor<D>) -> (Tensor<D>, Tensor<D>) {
        (self.keys.append(key), self.values.append(value))
    }

    /// Keys and values of some sequences of the batch.
    #[must_use]
    pub fn select(&self, rows: &Tensor<1, Int>) -> Self {
        KeyValueCache { keys: self.keys.select(rows), values: self.values.select(rows) }
    }

    /// Number of positions seen.
    pub fn position(&self) -> usize {
        self.keys.position()
    }

    /// Numbers held.
    pub fn size(&self) -> usize {
        self.keys.size() + self.values.size()
    }
}

pub(super) fn numbers<const D: usize>(tensor: &Tensor<D>) -> usize {
    tensor.shape().num_elements()
}

#[cfg(test)]
mod tests {
    use burn::tensor::{DType, Device, TensorData};

    use super::*;

    fn rows(from: usize, count: usize) -> Tensor<3> {
        let values: Vec<f64> = (0..2)
            .flat_map(|b| (from..from + count).flat_map(move |i| [i as f64, -((b + i) as f64)]))
            .collect();
        Tensor::from_data(TensorData::new(values, [2, count, 2]), (&Device::flex(), DType::F64))
    }

    fn values(x: Tensor<3>) -> Vec<f64> {
        x.into_data().iter().collect()
    }

    #[test]
    fn what_is_appended_in_parts_is_there_as_a_whole() {
        let mut cache = RowCache::default();
        let mut count = 0;
        for part in [1, 3, 12, 1, 40, 1, 1] {
            let all = cache.append(rows(count, part));
            count += part;
            assert_eq!(values(all), values(rows(0, count)), "{count}");
            assert_eq!((cache.position(), cache.size()), (count, 2 * count * 2));
        }
    }

    /// A copy goes its own way, and so do chosen rows.
    #[test]
    fn copies_do_not_share_what_comes_after() {
        let mut first = RowCache::default();
        first.append(rows(0, 3));
        let mut second = first.clone();
        let index = Tensor::from_data(TensorData::new(vec![1i64, 1, 0], [3]), (&Device::flex(), DType::I64));
        let mut third = first.select(&index);
        assert_eq!(values(first.append(rows(3, 1))), values(rows(0, 4)));
        second.append(rows(7, 1));
        assert_eq!(values(first.append(rows(4, 1))), values(rows(0, 5)));
        let next = rows(3, 1).select(0, index.clone());
        assert_eq!(values(third.append(next)), values(rows(0, 4).select(0, index)));
    }
}
