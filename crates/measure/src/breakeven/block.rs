//! One block that is run forward and backward, for its time and for the memory in between.

use std::time::Instant;

use burn::tensor::{Device, Tensor, TensorData};
use mixlab_core::{Key, Precision, Purpose};
use mixlab_kernels::AllocationCount;
use mixlab_nn::mixer::MixerConfig;
use mixlab_nn::{Context, LanguageModel, Mode, ModelError, backward_from};
use serde::Serialize;

use super::count::block_config;

/// Bytes of one pass forward and backward beside the weights and the input.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Bytes {
    /// Held when the forward pass is done, for the backward pass: what a deep model multiplies by its depth.
    pub held: usize,
    /// The most at any moment of both passes, gradients of the weights included.
    pub peak: usize,
}

/// A block with an input `[rows, length, width]` and a gradient of its output.
pub(super) struct Block {
    model: LanguageModel,
    input: Tensor<3>,
    upstream: Tensor<3>,
    context: Context,
}

impl Block {
    /// # Errors
    /// The mixer cannot be made at this width, or not for this length or direction.
    pub fn build(
        mixer: &MixerConfig,
        [rows, length, width]: [usize; 3],
        causal: bool,
        device: &Device,
    ) -> Result<Self, ModelError> {
        let config = block_config(mixer, width, length);
        config.check_direction(causal)?;
        config.check_length(length, causal)?;
        // One token is all that the embedding needs, as the block is given vectors.
        let model = config.build(1, 0, &device.clone().autodiff(), Precision::F32)?;
        let normals = |index| {
            let stream = Key::root(0).purpose(Purpose::Synthetic).sample(index);
            let values: Vec<f32> = stream.normals().take(rows * length * width).map(|x| x as f32).collect();
            let data = TensorData::new(values, [rows, length, width]);
            Tensor::from_data(data, (device, Precision::F32.dtype()))
        };
        let context = Context { mode: Mode::Train, ..Context::evaluation(rows, causal) };
        Ok(Block { model, input: normals(0), upstream: normals(1), context })
    }

    fn forward(&self) -> (Tensor<3>, Tensor<3>) {
        let leaf = Tensor::from_inner(self.input.clone()).require_grad();
        let backbone = self.model.backbone();
        // Without the norm that ends a stack: a deep model has one for all of its blocks.
        let output = backbone.run(0..backbone.blocks().len(), leaf.clone(), &self.context);
        (leaf, output)
    }

    /// The gradients of the weights are made too, and dropped.
    fn backward(&self, leaf: &Tensor<3>, output: Tensor<3>) {
        let gradients = backward_from(output, self.upstream.clone());
        let gradient = leaf.grad(&gradients).map(|gradient| gradient.slice([0..1, 0..1, 0..1]));
        // Reading one number waits for a device that computes on its own time.
        let first = gradient.map(|gradient| gradient.into_scalar::<f64>());
        assert!(first.is_some_and(f64::is_finite), "a gradient of finite numbers");
    }

    /// Seconds of one pass forward and backward.
    pub fn seconds(&self) -> f64 {
        let begin = Instant::now();
        let (leaf, output) = self.forward();
        self.backward(&leaf, output);
        begin.elapsed().as_secs_f64()
    }

    /// Bytes of one pass, if the program's allocator counts. Run it once before: what threads keep for themselves is
    /// made in the first pass.
    pub fn bytes(&self) -> Option<Bytes> {
        let count = AllocationCount::open()?;
        let (leaf, output) = self.forward();
        let held = count.held();
        self.backward(&leaf, output);
        let bytes = |count: isize| count.max(0) as usize;
        Some(Bytes { held: bytes(held), peak: bytes(count.peak()) })
    }
}

#[cfg(test)]
mod tests {
    use mixlab_core::DeviceChoice;

    use super::*;

    #[test]
    fn every_mixer_runs_as_a_block() {
        let device = DeviceChoice::Cpu.device();
        for mixer in MixerConfig::catalogue() {
            let block = Block::build(&mixer, [2, 8, 16], false, &device).expect("a block");
            assert!(block.seconds() > 0.0, "{}", mixer.name());
            // The allocator of a test counts nothing, and nothing is made up.
            assert_eq!(block.bytes(), None);
        }
    }

    #[test]
    fn a_block_that_cannot_be_built_says_why() {
        let device = DeviceChoice::Cpu.device();
        let softmax = &MixerConfig::catalogue()[0];
        let error =
            Block::build(softmax, [1, 8, 10], false, &device).err().expect("4 heads do not divide 10");
        assert!(error.to_string().contains("does not divide"), "{error}");
    }
}
