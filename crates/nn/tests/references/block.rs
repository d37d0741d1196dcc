//! One token mixer, with or without a residual scheme around it, against a recorded block.

use burn::module::Module;
use burn::tensor::{Device, Tensor};
use mixlab_core::Precision;
use mixlab_nn::mixer::{Mixer, MixerConfig};
use mixlab_nn::residual::{Residual, ResidualConfig};
use mixlab_nn::{Builder, Context, InitialisationConfig, NormConfig};

use crate::fixture::{Fixture, PRECISIONS, vector};
use crate::mapping::Mapping;

/// What stands around the mixer.
#[derive(Clone)]
pub enum Around {
    Nothing,
    Residual(ResidualConfig, NormConfig),
}

/// A mixer in the place it has in a model.
#[derive(Module, Debug)]
pub struct Sublayer {
    mixer: Mixer,
    residual: Option<Residual>,
}

impl Sublayer {
    fn new(mixer: &MixerConfig, around: &Around, width: usize, builder: &Builder) -> Self {
        let residual = match around {
            Around::Nothing => None,
            Around::Residual(scheme, norm) => Some(scheme.init(norm, width, &builder.child("residual"))),
        };
        Sublayer { mixer: mixer.init(width, 64, &builder.child("mixer")).unwrap(), residual }
    }

    fn forward(&self, x: Tensor<3>, context: &Context) -> Tensor<3> {
        match &self.residual {
            Some(residual) => residual.forward(x, None, |x| self.mixer.forward(x, context)),
            None => self.mixer.forward(x, context),
        }
    }
}

/// A comparison of one block with one file.
pub struct Comparison {
    pub case: &'static str,
    pub mixer: MixerConfig,
    pub around: Around,
    pub causal: bool,
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
        let builder = Builder::new(0, &device, precision, InitialisationConfig::normal(), 1);
        let module = Sublayer::new(&self.mixer, &self.around, width, &builder);
        let mut mapping = Mapping::new(&fixture, &module);
        map(&mut mapping);
        let module = mapping.apply(module, precision, &device);

        let context = Context { mask: fixture.mask(), ..Context::evaluation(batch, self.causal) };
        let y = module.forward(x.clone(), &context);
        let cotangent = fixture.tensor("cotangent", precision, &device);
        let mut gradients = (y.clone() * cotangent).sum().backward();
        let mut output = vector(y);
        if let Some(real) = fixture.padding() {
            // Rows of padded queries are unspecified and recorded as zero.
            for (row, real) in output.chunks_exact_mut(width).zip(real.iter()) {
                row.iter_mut().filter(|_| !real).for_each(|value| *value = 0.0);
            }
        }
        assert_eq!(output.len(), batch * n * width);
        fixture.check("output", &output, precision);
        fixture.check("gradient/input", &vector(x.grad(&gradients).unwrap()), precision);
        mapping.check_gradients(&module, &mut gradients, precision);
    }
}
