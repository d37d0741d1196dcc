//! What a mixer remembers of the positions it has been stepped through.

use burn::tensor::Tensor;

use super::{FlashState, LinearAttentionState};

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
}

impl MixerState {
    /// Number of positions seen.
    pub fn position(&self) -> usize {
        match self {
            MixerState::Attention(cache) => cache.position(),
            MixerState::Gated(cache) => cache.position(),
            MixerState::Linear(state) => state.position(),
            MixerState::Flash(state) => state.position(),
        }
    }

    /// Numbers held.
    pub fn size(&self) -> usize {
        match self {
            MixerState::Attention(cache) => cache.size(),
            MixerState::Gated(cache) => cache.size(),
            MixerState::Linear(state) => state.size(),
            MixerState::Flash(state) => state.size(),
        }
    }
}

/// Keys and values of every position seen, along axis 1.
#[derive(Clone, Debug, Default)]
pub struct KeyValueCache<const D: usize> {
    held: Option<(Tensor<D>, Tensor<D>)>,
}

impl<const D: usize> KeyValueCache<D> {
    /// Appends keys and values of the next positions; gives those of all positions.
    pub fn append(&mut self, key: Tensor<D>, value: Tensor<D>) -> (Tensor<D>, Tensor<D>) {
        let (key, value) = (key.detach(), value.detach());
        let all = match self.held.take() {
            Some((keys, values)) => (Tensor::cat(vec![keys, key], 1), Tensor::cat(vec![values, value], 1)),
            None => (key, value),
        };
        self.held = Some(all.clone());
        all
    }

    /// Number of positions seen.
    pub fn position(&self) -> usize {
        self.held.as_ref().map_or(0, |(keys, _)| keys.dims()[1])
    }

    /// Numbers held.
    pub fn size(&self) -> usize {
        self.held.as_ref().map_or(0, |(keys, values)| numbers(keys) + numbers(values))
    }
}

pub(super) fn numbers<const D: usize>(tensor: &Tensor<D>) -> usize {
    tensor.shape().num_elements()
}
