//! The blocks of a model as a stack to be audited.

use std::collections::BTreeMap;

use burn::module::Module;
use burn::tensor::{DType, Device, Gradients, Int, Tensor, TensorData};
use mixlab_core::{Key, Precision};
use mixlab_nn::embed::ImageShape;
use mixlab_nn::mixer::{Lengths, MixerState};
use mixlab_nn::{
    Block, Classifier, ClassifierInput, Context, LanguageModel, ModelConfig, ModelError, Promises,
    named_parameters, parameter_gradients, parameter_values, with_parameters,
};

use super::{Audited, Differentiated};

/// What a model reads, and what for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reads {
    /// Token ids, to model the language.
    Text {
        /// Number of different ids.
        vocabulary: usize,
    },
    /// Images or token ids, to classify them.
    Classified {
        /// Images or tokens.
        input: ClassifierInput,
        /// Number of classes.
        classes: usize,
    },
}

/// The blocks of a model, each with its residual scheme and its channel mixer, behind the model's own input layer.
#[derive(Clone, Debug)]
pub struct Stack {
    config: ModelConfig,
    reads: Reads,
    model: Model,
    device: Device,
    precision: Precision,
}

#[derive(Clone, Debug)]
enum Model {
    Language(LanguageModel),
    Classifier(Classifier),
}

impl Stack {
    /// The stack of a model with its first values.
    ///
    /// # Errors
    /// What is wrong with the config.
    pub fn new(
        config: &ModelConfig,
        reads: Reads,
        seed: u64,
        device: &Device,
        precision: Precision,
    ) -> Result<Self, ModelError> {
        let (config, model) = match reads {
            Reads::Text { vocabulary } => {
                (config.clone(), Model::Language(config.build(vocabulary, seed, device, precision)?))
            }
            Reads::Classified { input, classes } => {
                let model = config.build_classifier(input, classes, seed, device, precision)?;
                (config.for_input(input)?, Model::Classifier(model))
            }
        };
        Ok(Stack { config, reads, model, device: device.clone(), precision })
    }

    /// The same stack with other parameters, by path and in any precision; those not named stay.
    #[must_use]
    pub fn with_values(mut self, values: BTreeMap<String, Tensor<1>>) -> Self {
        let dtype = self.precision.dtype();
        let values = values.into_iter().map(|(path, value)| (path, value.cast(dtype))).collect();
        self.model = match self.model {
            Model::Language(model) => Model::Language(with_parameters(model, values)),
            Model::Classifier(model) => Model::Classifier(with_parameters(model, values)),
        };
        self
    }

    /// The same stack with every parameter moved at random. At their first values some parameters are 0 or 1 and would
    /// hide the terms that they stand in: biases, gains, factors of residual branches, tables of scores.
    #[must_use]
    pub fn moved(self, key: Key) -> Self {
        let mut values = self.values();
        for parameter in self.parameters() {
            let Some(value) = values.get_mut(&parameter.path) else { continue };
            // Vectors by a tenth; matrices so that a sum over their longest axis moves by a half.
            let deviation = match parameter.shape.as_slice() {
                [] | [_] => 0.1,
                shape => 0.5 * (shape.iter().copied().max().unwrap_or(1) as f64).powf(-0.5),
            };
            let stream = key.site(&parameter.path).sample(0);
            let moves: Vec<f64> = stream.normals().take(parameter.size()).map(|x| deviation * x).collect();
            let moves = TensorData::new(moves, [parameter.size()]);
            *value = value.clone() + Tensor::from_data(moves, (&value.device(), value.dtype()));
        }
        self.with_values(values)
    }

    /// The same stack in another precision.
    ///
    /// # Errors
    /// None that its own making did not have.
    pub fn in_precision(&self, precision: Precision) -> Result<Self, ModelError> {
        Ok(Stack::new(&self.config, self.reads, 0, &self.device, precision)?.with_values(self.values()))
    }

    /// The architecture, as the inputs make it.
    pub fn config(&self) -> &ModelConfig {
        &self.config
    }

    fn values(&self) -> BTreeMap<String, Tensor<1>> {
        match &self.model {
            Model::Language(model) => parameter_values(model),
            Model::Classifier(model) => parameter_values(model),
        }
    }

    fn parameters(&self) -> Vec<mixlab_nn::NamedParameter> {
        match &self.model {
            Model::Language(model) => named_parameters(model),
            Model::Classifier(model) => named_parameters(model),
        }
    }

    fn block(&self, layer: usize) -> &Block {
        match &self.model {
            Model::Language(model) => &model.backbone().blocks()[layer],
            Model::Classifier(model) => &model.backbone().blocks()[layer],
        }
    }

    fn tokens(&self, batch: usize, length: usize, vocabulary: usize, key: Key) -> Tensor<2, Int> {
        let stream = key.sample(0);
        let ids: Vec<i64> = (0..(batch * length) as u64)
            .map(|element| stream.below(element, vocabulary as u64) as i64)
            .collect();
        Tensor::from_data(TensorData::new(ids, [batch, length]), (&self.device, DType::I64))
    }

    /// Images of one patch's width that give at least `length` vectors.
    fn images(&self, batch: usize, length: usize, shape: ImageShape, key: Key) -> Tensor<4> {
        let side = self.config.patch.size;
        let shape = [batch, side * length, side, shape.channels];
        let stream = key.sample(0);
        let pixels: Vec<f64> = stream.normals().take(shape.iter().product()).collect();
        Tensor::from_data(TensorData::new(pixels, shape), (&self.device, self.precision.dtype()))
    }
}

impl Audited for Stack {
    type State = MixerState;

    fn layers(&self) -> usize {
        self.config.blocks()
    }

    fn name(&self, layer: usize) -> String {
        format!("block {layer} ({})", self.config.mixer_of(layer).name())
    }

    fn promises(&self, layer: usize, causal: bool) -> Promises {
        self.block(layer).mixer().promises(causal)
    }

    fn lengths(&self, layer: usize, causal: bool) -> Lengths {
        self.config.mixer_of(layer).lengths(self.config.max_length, causal)
    }

    fn check_length(&self, length: usize, causal: bool) -> Result<(), ModelError> {
        self.config.check_length(length, causal)
    }

    fn precision(&self) -> Precision {
        self.precision
    }

    fn input(&self, batch: usize, length: usize, key: Key) -> Tensor<3> {
        let context = Context::evaluation(batch, false);
        match (&self.model, self.reads) {
            (Model::Language(model), Reads::Text { vocabulary }) => {
                model.embedding().forward(self.tokens(batch, length, vocabulary, key), &context)
            }
            (Model::Classifier(model), Reads::Classified { input, .. }) => match input {
                ClassifierInput::Tokens { vocabulary } => {
                    model.embed_tokens(self.tokens(batch, length, vocabulary, key), &context)
                }
                ClassifierInput::Images(shape) => {
                    let class_token =
                        usize::from(self.config.readout.pooling == mixlab_nn::head::Pooling::ClassToken);
                    // A sequence of the class token alone is cut from one with a patch.
                    let patches = (length - class_token).max(1);
                    let images = self.images(batch, patches, shape, key);
                    model.embed_images(images, &context).narrow(1, 0, length)
                }
            },
            _ => unreachable!("a stack holds the model that reads what it reads"),
        }
    }

    fn forward(&self, layer: usize, x: Tensor<3>, context: &Context) -> Tensor<3> {
        self.block(layer).forward(x, context)
    }

    fn state(&self, layer: usize, batch: usize) -> Result<MixerState, ModelError> {
        self.block(layer).mixer().state(batch)
    }

    fn step(&self, layer: usize, x: Tensor<3>, state: &mut MixerState, context: &Context) -> Tensor<3> {
        self.block(layer).step(x, state, context)
    }

    fn differentiate(
        &self,
        layer: usize,
        x: Tensor<3>,
        upstream: Tensor<3>,
        context: &Context,
    ) -> Differentiated {
        let block = self.block(layer).clone().train();
        let parameters = |gradients: &mut Gradients| parameter_gradients(&block, gradients);
        Differentiated::of(x, upstream, |x| block.forward(x, context), parameters)
    }
}
