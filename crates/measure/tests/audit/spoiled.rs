//! A sound stack in which one layer is exchanged.

use burn::tensor::{DType, Device, Tensor};
use mixlab_core::{Key, Precision};
use mixlab_measure::audit::{Audited, Differentiated, Reads, Stack, Subject};
use mixlab_nn::mixer::{Lengths, MixerConfig, MixerState};
use mixlab_nn::{Context, ModelConfig, ModelError, Promises};

/// A layer `x + mix(x)` that declares what it does not keep.
#[derive(Clone, Copy)]
pub struct Layer {
    pub promises: Promises,
    pub mix: fn(Tensor<3>, &Context) -> Tensor<3>,
    /// Earlier inputs that a streaming state holds.
    pub memory: usize,
    pub lengths: Lengths,
    /// Factor on the gradient that kernels would give.
    pub gradient: f64,
}

impl Layer {
    pub const fn new(promises: Promises, mix: fn(Tensor<3>, &Context) -> Tensor<3>) -> Self {
        Layer { promises, mix, memory: usize::MAX, lengths: Lengths::Any, gradient: 1.0 }
    }
}

/// Three blocks of softmax attention, one of which is exchanged.
#[derive(Clone)]
pub struct Spoiled {
    sound: Stack,
    at: usize,
    layer: Layer,
}

/// The state of a sound block, or the inputs that an exchanged one holds.
#[derive(Default)]
pub struct Memory {
    sound: Option<MixerState>,
    rows: Option<Tensor<3>>,
}

pub fn attention() -> ModelConfig {
    let mixer = MixerConfig::catalogue().remove(0);
    ModelConfig { width: 16, depth: 3, max_length: 64, ..ModelConfig::new(mixer) }
}

impl Spoiled {
    /// The stack in double precision, with the exchanged layer in one place.
    pub fn subject(at: usize, layer: Layer, causal: bool) -> Subject<Spoiled> {
        let reads = Reads::Text { vocabulary: 30 };
        let sound =
            Stack::new(&attention(), reads, 3, &Device::flex(), Precision::F64).expect("a sound config");
        Subject { exact: Spoiled { sound: sound.moved(Key::root(1)), at, layer }, own: None, causal }
    }

    /// The same stack in single precision, with another layer in that place.
    pub fn in_single_precision(&self, layer: Layer) -> Spoiled {
        let sound = self.sound.in_precision(Precision::F32).expect("a sound config");
        Spoiled { sound, layer, ..*self }
    }
}

impl Audited for Spoiled {
    type State = Memory;

    fn layers(&self) -> usize {
        self.sound.layers()
    }

    fn name(&self, layer: usize) -> String {
        if layer == self.at { format!("block {layer} (broken)") } else { self.sound.name(layer) }
    }

    fn promises(&self, layer: usize, causal: bool) -> Promises {
        if layer == self.at { self.layer.promises } else { self.sound.promises(layer, causal) }
    }

    fn lengths(&self, layer: usize, causal: bool) -> Lengths {
        if layer == self.at { self.layer.lengths } else { self.sound.lengths(layer, causal) }
    }

    fn check_length(&self, length: usize, causal: bool) -> Result<(), ModelError> {
        self.sound.check_length(length, causal)
    }

    fn precision(&self) -> Precision {
        self.sound.precision()
    }

    fn input(&self, batch: usize, length: usize, key: Key) -> Tensor<3> {
        self.sound.input(batch, length, key)
    }

    fn forward(&self, layer: usize, x: Tensor<3>, context: &Context) -> Tensor<3> {
        if layer != self.at {
            return self.sound.forward(layer, x, context);
        }
        x.clone() + (self.layer.mix)(x, context)
    }

    fn state(&self, layer: usize, batch: usize) -> Result<Memory, ModelError> {
        if layer == self.at {
            return Ok(Memory::default());
        }
        Ok(Memory { sound: Some(self.sound.state(layer, batch)?), rows: None })
    }

    /// An exchanged layer runs all inputs that it holds through itself and keeps the last outputs.
    fn step(&self, layer: usize, x: Tensor<3>, state: &mut Memory, context: &Context) -> Tensor<3> {
        if let Some(state) = &mut state.sound {
            return self.sound.step(layer, x, state, context);
        }
        let count = x.dims()[1];
        let all = match state.rows.take() {
            Some(rows) => Tensor::cat(vec![rows, x], 1),
            None => x,
        };
        let n = all.dims()[1];
        let kept = n.min(self.layer.memory);
        state.rows = Some(all.clone().narrow(1, n - kept, kept));
        self.forward(layer, all, context).narrow(1, n - count, count)
    }

    fn differentiate(
        &self,
        layer: usize,
        x: Tensor<3>,
        upstream: Tensor<3>,
        context: &Context,
    ) -> Differentiated {
        if layer != self.at {
            return self.sound.differentiate(layer, x, upstream, context);
        }
        let sound =
            Differentiated::of(x, upstream, |x| self.forward(layer, x, context), |_| Default::default());
        let factor = if kernels_are_used() { self.layer.gradient } else { 1.0 };
        Differentiated { input: sound.input.map(|gradient| gradient.mul_scalar(factor)), ..sound }
    }
}

/// Whether an operation is computed by its kernel here.
fn kernels_are_used() -> bool {
    use mixlab_kernels::profile::{self, Pass};
    let x = Tensor::<1>::zeros([3], (&Device::flex(), DType::F64));
    profile::open();
    profile::pass(Pass::Forward, || mixlab_kernels::softmax(x));
    profile::close().iter().any(|pass| !pass.entries.is_empty())
}
