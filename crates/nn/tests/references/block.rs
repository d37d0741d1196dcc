//! One token mixer, by itself or in a block, against a recorded one.

use burn::module::Module;
use burn::tensor::{Device, Tensor};
use mixlab_core::Precision;
use mixlab_nn::channel::ChannelConfig;
use mixlab_nn::mixer::{Mixer, MixerConfig};
use mixlab_nn::residual::ResidualConfig;
use mixlab_nn::{Block, Context, ModelConfig, NormConfig};

use crate::fixture::{Fixture, PRECISIONS, vector};
use crate::mapping::Mapping;

/// What stands around the mixer.
#[derive(Clone)]
pub enum Around {
    Nothing,
    /// Norm and shortcut.
    Residual(ResidualConfig, NormConfig),
    /// Norm and shortcut, and a channel mixer with its own.
    Block(ResidualConfig, NormConfig, ChannelConfig),
}

/// A mixer in the place it has in a model.
#[allow(clippy::large_enum_variant, reason = "a test holds one")]
#[derive(Module, Debug)]
enum Subject {
    Mixer(Alone),
    Block(Block),
}

/// A mixer with the path it has in a block.
#[derive(Module, Debug)]
struct Alone {
    mixer: Mixer,
}

impl Subject {
    /// The first block of a model of one.
    fn new(comparison: &Comparison, width: usize, device: &Device, precision: Precision) -> Self {
        let (residual, norm, channel) = match comparison.around.clone() {
            Around::Nothing => (ResidualConfig::PreNorm, NormConfig::None, ChannelConfig::None),
            Around::Residual(residual, norm) => (residual, norm, ChannelConfig::None),
            Around::Block(residual, norm, channel) => (residual, norm, channel),
        };
        let config = ModelConfig {
            width,
            depth: 1,
            max_length: comparison.max_length,
            residual,
            norm,
            channel: Some(channel),
            ..ModelConfig::new(comparison.mixer.clone())
        };
        let model = config.build(1, 0, device, precision).unwrap();
        let block = model.backbone().blocks()[0].clone();
        match comparison.around {
            Around::Nothing => Subject::Mixer(Alone { mixer: block.mixer().clone() }),
            Around::Residual(..) | Around::Block(..) => Subject::Block(block),
        }
    }

    fn forward(&self, x: Tensor<3>, context: &Context) -> Tensor<3> {
        match self {
            Subject::Mixer(alone) => alone.mixer.forward(x, context),
            Subject::Block(block) => block.forward(x, context),
        }
    }
}

/// A comparison of one block with one file.
pub struct Comparison {
    pub case: &'static str,
    pub mixer: MixerConfig,
    pub around: Around,
    pub causal: bool,
    /// Longest length the mixer is made for.
    pub max_length: usize,
}

impl Comparison {
    /// Compares output and gradients in both precisions; `map` says which weight is which.
    pub fn check(&self, map: impl Fn(&mut Mapping)) {
        for precision in PRECISIONS {
            self.check_in(precision, &map);
        }
    }

    fn check_in(&self, precision: Precision, map: impl Fn(&mut Mapping)) {
        let fixture = Fixture::load(self.case);
        let device = Device::flex().autodiff();
        let x: Tensor<3> = fixture.tensor("input", precision, &device).require_grad();
        let [batch, n, width] = x.dims();
        let module = Subject::new(self, width, &device, precision);
        let mut mapping = Mapping::new(&fixture, &module);
        map(&mut mapping);
        let module = mapping.apply(module, precision, &device);

        let context = Context { mask: fixture.mask(), ..Context::evaluation(batch, self.causal) };
        let cotangent: Tensor<3> = fixture.tensor("cotangent", precision, &device);
        let outputs = cotangent.dims()[2];
        let whole = module.forward(x.clone(), &context);
        let y = whole.clone().narrow(2, 0, outputs);
        if outputs < width {
            let others = vector(whole.narrow(2, outputs, width - outputs));
            assert!(others.iter().all(|&value| value == 0.0), "outputs that were not recorded must be 0");
        }
        let mut gradients = (y.clone() * cotangent).sum().backward();
        let mut output = vector(y);
        if let Some(real) = fixture.padding() {
            // Rows of padded queries are unspecified and recorded as zero.
            for (row, real) in output.chunks_exact_mut(outputs).zip(real.iter()) {
                row.iter_mut().filter(|_| !real).for_each(|value| *value = 0.0);
            }
        }
        assert_eq!(output.len(), batch * n * outputs);
        fixture.check("output", &output, precision);
        fixture.check("gradient/input", &vector(x.grad(&gradients).unwrap()), precision);
        mapping.check_gradients(&module, &mut gradients, precision);
    }
}
