//! What a mixer remembers of the positions it has been stepped through.

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

/// Rows of every position seen, along axis 1.
#[derive(Clone, Debug, Default)]
pub struct RowCache<const D: usize> {
    held: Option<Tensor<D>>,
}

impl<const D: usize> RowCache<D> {
    /// Appends the rows of the next positions; gives those of all positions.
    pub fn append(&mut self, rows: Tensor<D>) -> Tensor<D> {
        let rows = rows.detach();
        let all = match self.held.take() {
            Some(held) => Tensor::cat(vec![held, rows], 1),
            None => rows,
        };
        self.held = Some(all.clone());
        all
    }

    /// The rows of some sequences of the batch.
    #[must_use]
    pub fn select(&self, rows: &Tensor<1, Int>) -> Self {
        RowCache { held: self.held.as_ref().map(|held| held.clone().select(0, rows.clone())) }
    }

    /// Number of positions seen.
    pub fn position(&self) -> usize {
        self.held.as_ref().map_or(0, |rows| rows.dims()[1])
    }

    /// Numbers held.
    pub fn size(&self) -> usize {
        self.held.as_ref().map_or(0, numbers)
    }
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
