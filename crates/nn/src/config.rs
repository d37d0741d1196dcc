//! The whole description of a model.

use burn::tensor::Device;
use mixlab_core::Precision;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::channel::ChannelConfig;
use crate::embed::{EmbeddingConfig, PatchConfig};
use crate::head::{HeadConfig, Pooling, ReadoutConfig};
use crate::latent::{LatentConfig, PosteriorInput, TextVae};
use crate::mixer::{Lengths, MixerConfig, MlpMixerConfig};
use crate::position::PositionConfig;
use crate::residual::{ResidualConfig, Stack};
use crate::seq2seq::{EncoderConfig, SequenceToSequence};
use crate::{
    Builder, Classifier, ClassifierInput, EmbedderConfig, EmbeddingModel, EmbeddingPooling, HybridConfig,
    Initialisation, InitialisationConfig, LanguageModel, ModelError, NormConfig, RecomputeConfig,
};

/// A sequence model: sizes, parts and initialisation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ModelConfig {
    /// Width of the residual stream, d.
    #[serde(default = "default_width")]
    pub width: usize,
    /// Number of blocks; a mixer with `layers_per_block` counts that many layers for each.
    #[serde(default = "default_depth")]
    pub depth: usize,
    /// Longest sequence the model is trained for; positional parameters are made for it. Classifiers of images count
    /// their patches instead.
    #[serde(default = "default_max_length")]
    pub max_length: usize,
    /// The token mixer of every block.
    pub mixer: MixerConfig,
    /// An encoder beside the blocks, which then are the decoder that reads it. Only the objectives that write a target,
    /// `sequence_to_sequence` and `span_corruption`, have a use for one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub encoder: Option<EncoderConfig>,
    /// Layers with another token mixer; absent: all have the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hybrid: Option<HybridConfig>,
    /// The channel mixer of every block; absent: `mlp`, or `none` for mixers with their own gate (GAU, FLASH,
    /// gMLP).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub channel: Option<ChannelConfig>,
    /// The residual scheme.
    #[serde(default)]
    pub residual: ResidualConfig,
    /// The norm used everywhere.
    #[serde(default)]
    pub norm: NormConfig,
    /// Absolute positions added to the embedded tokens.
    #[serde(default)]
    pub position: PositionConfig,
    /// How tokens become vectors.
    #[serde(default)]
    pub embedding: EmbeddingConfig,
    /// How images become sequences, for classifiers of images.
    #[serde(default)]
    pub patch: PatchConfig,
    /// The output projection of language models.
    #[serde(default)]
    pub head: HeadConfig,
    /// How classifiers read the last vectors.
    #[serde(default)]
    pub readout: ReadoutConfig,
    /// How embedding models read the last vectors.
    #[serde(default)]
    pub embedder: EmbedderConfig,
    /// Dropout rates.
    #[serde(default)]
    pub dropout: DropoutConfig,
    /// How weight matrices are drawn. By default what suits the mixer: `lecun` for units with a gate of their own and
    /// for maps over tokens, which start almost closed otherwise, `normal` for the others. Residual schemes whose constants
    /// fix the first values (`deep_norm`, `scaled_post_norm`, `scaled_pre_norm`, `t_fixup`) draw by themselves.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub initialisation: Option<InitialisationConfig>,
    /// Which activations are kept for the backward pass: `"none"` computes nothing again, `"block"` every block, and
    /// a number k keeps the input of every k-th block only. The gradient is the same bit for bit, an update takes
    /// about a third longer, and memory is least near k = √depth.
    #[serde(default)]
    pub recompute: RecomputeConfig,
    /// A model folder to start from; parameters are taken where path and shape agree.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub init_from: Option<String>,
}

/// Dropout rates, each in [0, 1). Dropout inside a mixer is the mixer's own option.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct DropoutConfig {
    /// On the embedded tokens.
    pub embedding: f64,
    /// On the output of every sublayer, before it joins the residual stream.
    pub branch: f64,
    /// On the output of token mixers instead of `branch`; FNet has 0 there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mixer: Option<f64>,
    /// Stochastic depth: the share of rows for which the last block's branches are left out; earlier blocks have
    /// less, in equal steps from 0.
    pub stochastic_depth: f64,
}

impl DropoutConfig {
    /// The rate of stochastic depth of one layer.
    pub(crate) fn stochastic_depth_of(&self, layer: usize, layers: usize) -> f64 {
        self.stochastic_depth * layer as f64 / layers.saturating_sub(1).max(1) as f64
    }
}

fn default_width() -> usize {
    256
}

fn default_depth() -> usize {
    4
}

fn default_max_length() -> usize {
    256
}

impl ModelConfig {
    /// A model of default sizes around `mixer`.
    pub fn new(mixer: MixerConfig) -> Self {
        ModelConfig {
            width: default_width(),
            depth: default_depth(),
            max_length: default_max_length(),
            mixer,
            encoder: None,
            hybrid: None,
            channel: None,
            residual: ResidualConfig::default(),
            norm: NormConfig::default(),
            position: PositionConfig::default(),
            embedding: EmbeddingConfig::default(),
            patch: PatchConfig::default(),
            head: HeadConfig::default(),
            readout: ReadoutConfig::default(),
            embedder: EmbedderConfig::default(),
            dropout: DropoutConfig::default(),
            initialisation: None,
            recompute: RecomputeConfig::default(),
            init_from: None,
        }
    }

    /// What stands for a model where none is described, as in adversarial runs without patches. It passes no check.
    pub fn absent() -> Self {
        let mixer = MixerConfig::MlpMixer(MlpMixerConfig::default());
        ModelConfig { width: 0, depth: 0, ..ModelConfig::new(mixer) }
    }

    /// Whether no model is described.
    pub fn is_absent(&self) -> bool {
        *self == ModelConfig::absent()
    }

    /// The token mixer of one layer.
    pub fn mixer_of(&self, layer: usize) -> &MixerConfig {
        match &self.hybrid {
            Some(hybrid) if hybrid.holds(layer, self.blocks()) => &hybrid.mixer,
            _ => &self.mixer,
        }
    }

    /// The channel mixer of one layer: the configured one, or the one that suits its token mixer.
    pub fn channel_of(&self, layer: usize) -> ChannelConfig {
        match &self.channel {
            Some(channel) => channel.clone(),
            None if self.mixer_of(layer).has_own_gate() => ChannelConfig::None,
            None => ChannelConfig::default(),
        }
    }

    /// The token mixers that occur, each once.
    pub fn mixers(&self) -> impl Iterator<Item = &MixerConfig> {
        let hybrid = self.hybrid.as_ref().map(|hybrid| &*hybrid.mixer);
        [Some(&self.mixer), hybrid].into_iter().flatten()
    }

    /// Number of token-mixing layers.
    pub fn blocks(&self) -> usize {
        self.depth * self.mixer.layers_per_block()
    }

    /// How weight matrices are drawn: as the residual scheme demands, as configured, or as suits the token mixer.
    pub fn initialisation(&self) -> Initialisation {
        self.initialisation_in(self.stack())
    }

    /// The same for one stack of a model with two.
    pub(crate) fn initialisation_in(&self, stack: Stack) -> Initialisation {
        if let Some(scheme) = self.residual.initialisation(stack) {
            return Initialisation::Residual(scheme);
        }
        let suitable = || match self.mixer.wants_lecun() {
            true => InitialisationConfig::lecun(),
            false => InitialisationConfig::normal(),
        };
        self.initialisation.clone().unwrap_or_else(suitable).into()
    }

    /// The blocks as a stack: the only one of a model, or its decoder.
    pub fn stack(&self) -> Stack {
        match &self.encoder {
            Some(encoder) => encoder.stacks(self)[1],
            None => Stack::Only { sublayers: self.sublayers() },
        }
    }

    /// Number of residual sublayers, the L of depth-dependent initialisation.
    pub fn sublayers(&self) -> usize {
        let of = |layer| if self.channel_of(layer) == ChannelConfig::None { 1 } else { 2 };
        (0..self.blocks()).map(of).sum()
    }

    /// Checks every number against its range, and the parts against each other.
    ///
    /// # Errors
    /// The first thing that is wrong, by its dotted key.
    pub fn validate(&self) -> Result<(), ModelError> {
        match &self.encoder {
            Some(encoder) => encoder.validate(self),
            None => self.validate_in(self.stack()),
        }
    }

    /// Whether the model has no encoder, as is fit for `purpose`.
    ///
    /// # Errors
    /// [`ModelError::Unsupported`] of a model with an encoder.
    pub fn check_one_stack(&self, purpose: &'static str) -> Result<(), ModelError> {
        if self.encoder.is_none() {
            return Ok(());
        }
        Err(ModelError::Unsupported {
            method: "model.encoder".to_owned(),
            purpose,
            reason: "such a model reads one sequence, so that an encoder has nothing to read".to_owned(),
            remedy: "leave out `model.encoder`, or set `objective.kind = \"sequence_to_sequence\"` or \
                     \"span_corruption\""
                .to_owned(),
        })
    }

    /// The same for one stack of a model with two.
    pub(crate) fn validate_in(&self, stack: Stack) -> Result<(), ModelError> {
        for (key, value, most) in [
            ("model.width", self.width, 1 << 16),
            ("model.depth", self.depth, 10_000),
            ("model.max_length", self.max_length, 1 << 24),
        ] {
            if value == 0 || value > most {
                return Err(ModelError::out_of_range(key, value, format!("1 to {most}")));
            }
        }
        for (key, rate) in [
            ("model.dropout.embedding", self.dropout.embedding),
            ("model.dropout.branch", self.dropout.branch),
            ("model.dropout.stochastic_depth", self.dropout.stochastic_depth),
        ] {
            check_rate(key, rate)?;
        }
        if let Some(rate) = self.dropout.mixer {
            check_rate("model.dropout.mixer", rate)?;
        }
        if let Some(hybrid) = &self.hybrid {
            hybrid.validate(self.blocks())?;
        }
        for mixer in self.mixers() {
            mixer.validate(self.width, self.max_length)?;
        }
        for layer in 0..self.blocks() {
            self.channel_of(layer).validate()?;
        }
        self.residual.validate()?;
        self.residual.check_stack(stack)?;
        self.norm.validate()?;
        self.position.validate(self.width)?;
        self.embedding.validate()?;
        self.embedder.validate()?;
        match &self.initialisation {
            Some(_) if self.residual.draws() => Err(ModelError::Unsupported {
                method: self.residual.name().to_owned(),
                purpose: "a model with `model.initialisation`",
                reason: "its constants hold for the first values that it draws itself".to_owned(),
                remedy: "leave out `model.initialisation`, or choose another `model.residual.kind`"
                    .to_owned(),
            }),
            Some(initialisation) => initialisation.validate(),
            None => Ok(()),
        }
    }

    /// The lengths the model is defined for in one direction.
    pub fn lengths(&self, causal: bool) -> Lengths {
        let position = self.position.maximum_length(self.max_length).map_or(Lengths::Any, Lengths::AtMost);
        self.mixers().fold(position, |lengths, mixer| lengths.and(mixer.lengths(self.max_length, causal)))
    }

    /// Whether every token mixer can be used in one direction.
    ///
    /// # Errors
    /// [`ModelError::Unsupported`] of the first that cannot.
    pub fn check_direction(&self, causal: bool) -> Result<(), ModelError> {
        self.mixers().try_for_each(|mixer| mixer.check_direction(causal))
    }

    /// Whether the blocks can be those of a critic, whose loss has its derivative along a direction in it.
    ///
    /// # Errors
    /// [`ModelError::Unsupported`] of the first part that cannot.
    pub fn check_tangent(&self) -> Result<(), ModelError> {
        if self.residual != ResidualConfig::PreNorm {
            return Err(ModelError::no_tangent("model.residual", "choose `pre_norm`"));
        }
        self.norm.check_tangent()?;
        self.mixers().try_for_each(MixerConfig::check_tangent)
    }

    /// Whether the model can take sequences of `length` in one direction.
    ///
    /// # Errors
    /// [`ModelError::TooLong`] or [`ModelError::WrongLength`].
    pub fn check_length(&self, length: usize, causal: bool) -> Result<(), ModelError> {
        let part = |mixer: &&MixerConfig| !mixer.lengths(self.max_length, causal).allow(length);
        let part = self.mixers().find(part).map_or("position", MixerConfig::name);
        match self.lengths(causal) {
            lengths if lengths.allow(length) => Ok(()),
            Lengths::Exactly(only) => Err(ModelError::WrongLength { length, only, part }),
            Lengths::AtMost(maximum) => Err(ModelError::TooLong { length, maximum, part }),
            Lengths::Any => Ok(()),
        }
    }

    /// Makes the model; every parameter is a function of (`seed`, its path).
    ///
    /// # Errors
    /// What [`ModelConfig::validate`] finds.
    pub fn build(
        &self,
        vocabulary: usize,
        seed: u64,
        device: &Device,
        precision: Precision,
    ) -> Result<LanguageModel, ModelError> {
        self.check_one_stack("a language model")?;
        self.validate()?;
        let builder = Builder::new(seed, device, precision, self.initialisation(), self.sublayers());
        let model = LanguageModel::new(self, vocabulary, &builder)?;
        builder.finish()?;
        Ok(model)
    }

    /// Makes the encoder–decoder that `encoder` asks for; every parameter is a function of (`seed`, its path).
    ///
    /// # Errors
    /// What [`ModelConfig::validate`] finds; [`ModelError::Unsupported`] without an encoder.
    pub fn build_sequence_to_sequence(
        &self,
        vocabulary: usize,
        seed: u64,
        device: &Device,
        precision: Precision,
    ) -> Result<SequenceToSequence, ModelError> {
        let encoder = self.encoder.as_ref().ok_or_else(|| ModelError::Unsupported {
            method: "a model without `model.encoder`".to_owned(),
            purpose: "an encoder–decoder",
            reason: "nothing reads the source".to_owned(),
            remedy: "add `[model.encoder]`".to_owned(),
        })?;
        self.validate()?;
        let builder = Builder::new(seed, device, precision, self.initialisation(), self.sublayers());
        let model = SequenceToSequence::new(encoder, self, vocabulary, &builder)?;
        builder.finish()?;
        Ok(model)
    }

    /// Makes an encoder and decoder of texts in one stack, with a latent at its upper layers; every parameter is a function of
    /// (`seed`, its path). `posterior` tells what the posterior of a latent is made of.
    ///
    /// # Errors
    /// What [`ModelConfig::validate`] and [`LatentConfig::validate`] find.
    pub fn build_text_vae(
        &self,
        latent: &LatentConfig,
        posterior: PosteriorInput,
        vocabulary: usize,
        seed: u64,
        device: &Device,
        precision: Precision,
    ) -> Result<TextVae, ModelError> {
        self.check_one_stack("a variational auto-encoder")?;
        self.validate()?;
        latent.validate(self)?;
        let builder = Builder::new(seed, device, precision, self.initialisation(), self.sublayers());
        let model = TextVae::new(latent, self, posterior, vocabulary, &builder)?;
        builder.finish()?;
        Ok(model)
    }

    /// The same model for sequences as `input` gives them: the number of patches decides on that of images.
    ///
    /// # Errors
    /// Patches that do not fit the image.
    pub fn for_input(&self, input: ClassifierInput) -> Result<ModelConfig, ModelError> {
        self.for_patches(input, self.readout.pooling == Pooling::ClassToken)
    }

    /// The same of an embedding model, whose own pooling decides whether there is a class token.
    ///
    /// # Errors
    /// Patches that do not fit the image.
    pub fn for_embedder_input(&self, input: ClassifierInput) -> Result<ModelConfig, ModelError> {
        self.for_patches(input, self.embedder.pooling == EmbeddingPooling::ClassToken)
    }

    /// Numbers of an embedding.
    pub fn embedding_width(&self) -> usize {
        self.embedder.width.unwrap_or(self.width)
    }

    fn for_patches(&self, input: ClassifierInput, class_token: bool) -> Result<ModelConfig, ModelError> {
        let ClassifierInput::Images(image) = input else { return Ok(self.clone()) };
        Ok(ModelConfig { max_length: self.patch.count(image)? + usize::from(class_token), ..self.clone() })
    }

    /// Makes an embedding model; every parameter is a function of (`seed`, its path). With a `temperature` it is one of
    /// them, and this its first value.
    ///
    /// # Errors
    /// What [`ModelConfig::validate`] finds, and patches that do not fit the image.
    pub fn build_embedder(
        &self,
        input: ClassifierInput,
        temperature: Option<f64>,
        seed: u64,
        device: &Device,
        precision: Precision,
    ) -> Result<EmbeddingModel, ModelError> {
        self.check_one_stack("an embedding model")?;
        let config = self.for_embedder_input(input)?;
        config.validate()?;
        config.check_direction(false)?;
        let builder = Builder::new(seed, device, precision, config.initialisation(), config.sublayers());
        let model = EmbeddingModel::new(&config, input, temperature, &builder)?;
        builder.finish()?;
        Ok(model)
    }

    /// Makes a classifier of `classes` classes; every parameter is a function of (`seed`, its path).
    ///
    /// # Errors
    /// What [`ModelConfig::validate`] finds, and what [`ModelConfig::for_input`] does.
    pub fn build_classifier(
        &self,
        input: ClassifierInput,
        classes: usize,
        seed: u64,
        device: &Device,
        precision: Precision,
    ) -> Result<Classifier, ModelError> {
        self.check_one_stack("a classifier")?;
        let config = self.for_input(input)?;
        config.validate()?;
        config.check_direction(false)?;
        let builder = Builder::new(seed, device, precision, config.initialisation(), config.sublayers());
        let model = Classifier::new(&config, input, classes, &builder)?;
        builder.finish()?;
        Ok(model)
    }
}

/// # Errors
/// The rate is outside [0, 1).
pub(crate) fn check_rate(key: &str, rate: f64) -> Result<(), ModelError> {
    if (0.0..1.0).contains(&rate) {
        return Ok(());
    }
    Err(ModelError::out_of_range(key, rate, "at least 0 and below 1"))
}
