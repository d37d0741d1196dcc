//! The whole configuration of a run.

use mixlab_core::{DeviceChoice, Precision};
use mixlab_data::{ContrastiveKind, DataConfig, MaskingConfig, SpanConfig, Tokenizer, TokenizerConfig};
use mixlab_nn::ModelConfig;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::TrainError;
use crate::adversarial::AdversarialConfig;
use crate::ema::EmaConfig;
use crate::generate::SamplingConfig;
use crate::guard::GuardConfig;
use crate::optimizer::OptimizerConfig;
use crate::pair_shape::PairShape;
use crate::schedule::ScheduleConfig;
use crate::task::ContrastiveConfig;
use crate::text_vae::TextVaeConfig;

/// A run: what is trained on what, how, and what is written down.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Config {
    /// Seed, device and precision.
    #[serde(default)]
    pub run: RunConfig,
    /// The files a run reads and how they become rows.
    #[serde(default)]
    pub data: DataConfig,
    /// How text becomes numbers.
    #[serde(default)]
    pub tokenizer: TokenizerConfig,
    /// The model. Only adversarial runs can do without.
    #[serde(default = "ModelConfig::absent", skip_serializing_if = "ModelConfig::is_absent")]
    pub model: ModelConfig,
    /// What the model is trained to do.
    #[serde(default)]
    pub objective: ObjectiveConfig,
    /// How gradients become updates.
    #[serde(default)]
    pub optimizer: OptimizerConfig,
    /// How the learning rate moves over the run.
    #[serde(default)]
    pub schedule: ScheduleConfig,
    /// How long and on how much at a time.
    #[serde(default)]
    pub train: TrainConfig,
    /// Measuring on held-out text.
    #[serde(default)]
    pub evaluate: EvaluateConfig,
    /// Saving the state of the run.
    #[serde(default)]
    pub checkpoint: CheckpointConfig,
    /// Text generated while training.
    #[serde(default)]
    pub sample: SampleConfig,
}

/// Seed, device and precision.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct RunConfig {
    /// The seed of all randomness: initial values, order of the data, dropout, sampling.
    pub seed: u64,
    /// What the run computes on.
    pub device: DeviceChoice,
    /// Floating-point width: `f32` for training, `f64` for verification.
    pub precision: Precision,
    /// Number of threads; 0 takes one for each core. The results do not depend on it.
    pub threads: usize,
}

/// What a model is trained to do.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum ObjectiveConfig {
    /// Predict every token from those before it.
    #[default]
    CausalLm,
    /// Predict hidden tokens from both sides (BERT).
    MaskedLm {
        /// Which tokens are hidden, and behind what.
        #[serde(default)]
        masking: MaskingConfig,
    },
    /// Write the target of each source: pairs of texts from `data.source_field` and `data.target_field`. With
    /// `model.encoder` the decoder attends to an encoded source; without, it reads the source itself before it writes.
    SequenceToSequence {
        /// Tokens beyond the tokenizer's vocabulary, as a model of `span_corruption` has them: its number lets
        /// `model.init_from` take the embedding of such a model.
        #[serde(default)]
        sentinels: usize,
    },
    /// Write the spans that are hidden in rows of running text (T5), by an encoder–decoder or by a decoder alone.
    SpanCorruption {
        /// How much is hidden, and in how long spans.
        #[serde(default)]
        spans: SpanConfig,
    },
    /// Embed texts so that those that belong together lie close: pairs, triples, sentences or texts with labels.
    Contrastive(ContrastiveConfig),
    /// Turn sentences into latents at several layers and back, by one stack that is encoder and decoder (UniVAE).
    TextVae(TextVaeConfig),
    /// Make samples like those of the data, against a critic that tells them apart.
    Adversarial(AdversarialConfig),
    /// Tell the class of a whole sequence: of an image or of a text with a label.
    Classification {
        /// Share of the probability that is spread over all classes in the targets, in [0, 1).
        #[serde(default)]
        label_smoothing: f64,
    },
}

impl ObjectiveConfig {
    /// Whether positions see only what is before them; of an encoder–decoder those of the decoder.
    pub fn is_causal(&self) -> bool {
        matches!(self, ObjectiveConfig::CausalLm | ObjectiveConfig::TextVae(_)) || self.writes()
    }

    /// The options of a contrastive objective.
    pub fn contrastive(&self) -> Option<&ContrastiveConfig> {
        match self {
            ObjectiveConfig::Contrastive(config) => Some(config),
            _ => None,
        }
    }

    /// The options of a text VAE.
    pub fn text_vae(&self) -> Option<&TextVaeConfig> {
        match self {
            ObjectiveConfig::TextVae(config) => Some(config),
            _ => None,
        }
    }

    /// The options of an adversarial objective.
    pub fn adversarial(&self) -> Option<&AdversarialConfig> {
        match self {
            ObjectiveConfig::Adversarial(config) => Some(config),
            _ => None,
        }
    }

    /// Whether a target is written for each source.
    pub fn writes(&self) -> bool {
        matches!(self, ObjectiveConfig::SequenceToSequence { .. } | ObjectiveConfig::SpanCorruption { .. })
    }

    /// Whether sentinels are part of what is written; of other models they are rows that only keep a place.
    pub fn shows_sentinels(&self) -> bool {
        matches!(self, ObjectiveConfig::SpanCorruption { .. })
    }

    /// Rows of the embedding beyond the tokenizer's vocabulary, for training rows of `length` tokens.
    pub fn sentinels(&self, length: usize) -> usize {
        match self {
            ObjectiveConfig::SequenceToSequence { sentinels } => *sentinels,
            ObjectiveConfig::SpanCorruption { spans } => spans.hidden(length).1,
            ObjectiveConfig::CausalLm
            | ObjectiveConfig::MaskedLm { .. }
            | ObjectiveConfig::Contrastive(_)
            | ObjectiveConfig::TextVae(_)
            | ObjectiveConfig::Adversarial(_)
            | ObjectiveConfig::Classification { .. } => 0,
        }
    }

    /// Whether the data are or may be images.
    pub fn may_read_images(&self) -> bool {
        match self {
            ObjectiveConfig::Classification { .. } | ObjectiveConfig::Adversarial(_) => true,
            ObjectiveConfig::Contrastive(contrastive) => contrastive.examples == ContrastiveKind::Images,
            ObjectiveConfig::CausalLm
            | ObjectiveConfig::MaskedLm { .. }
            | ObjectiveConfig::SequenceToSequence { .. }
            | ObjectiveConfig::SpanCorruption { .. }
            | ObjectiveConfig::TextVae(_) => false,
        }
    }

    /// The part of all tokens of a language model that is predicted.
    pub fn share_of_targets(&self) -> f64 {
        match self {
            ObjectiveConfig::CausalLm
            | ObjectiveConfig::SequenceToSequence { .. }
            | ObjectiveConfig::SpanCorruption { .. }
            | ObjectiveConfig::TextVae(_) => 1.0,
            ObjectiveConfig::MaskedLm { masking } => masking.probability,
            ObjectiveConfig::Contrastive(_)
            | ObjectiveConfig::Adversarial(_)
            | ObjectiveConfig::Classification { .. } => 0.0,
        }
    }
}

/// How long a run is and how much an update reads.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct TrainConfig {
    /// Number of updates.
    pub steps: u64,
    /// Rows that are computed at once.
    pub batch: usize,
    /// Tokens in a row; of pairs, of a target with its end; of sentences, with those around them. Longer ones are cut.
    pub length: usize,
    /// Tokens of a source with its end; absent: as many as `length`. Longer sources are cut.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source_length: Option<usize>,
    /// How many such batches make up one update. 2 batches of 8 give the gradient of 1 batch of 16.
    pub accumulation: usize,
    /// Largest global norm of a gradient; a longer one is shortened to it. 0 turns it off.
    pub clip: f64,
    /// Updates between lines of the metrics.
    pub log_every: u64,
    /// Updates between histograms of signal, gradient and update by block in the TensorBoard file; 0 writes none. Each costs
    /// a forward pass.
    pub layers_every: u64,
    /// Averaging of the parameters.
    pub ema: EmaConfig,
    /// Skipping harmful updates.
    pub guard: GuardConfig,
}

impl Default for TrainConfig {
    fn default() -> Self {
        TrainConfig {
            steps: 1000,
            batch: 16,
            length: 256,
            source_length: None,
            accumulation: 1,
            clip: 1.0,
            log_every: 10,
            layers_every: 0,
            ema: EmaConfig::default(),
            guard: GuardConfig::default(),
        }
    }
}

/// Measuring on held-out text.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct EvaluateConfig {
    /// Updates between evaluations; 0 evaluates at the end only.
    pub every: u64,
    /// Rows that are computed at once.
    pub batch: usize,
    /// How far the window moves over the text, 1 to `train.length`; what overlaps is context only.
    /// Absent: half of `train.length`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stride: Option<usize>,
    /// Stop after this many evaluations without a new best one; 0 never stops early.
    pub patience: u64,
}

impl Default for EvaluateConfig {
    fn default() -> Self {
        EvaluateConfig { every: 250, batch: 16, stride: None, patience: 0 }
    }
}

/// Saving the state of the run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct CheckpointConfig {
    /// Updates between checkpoints; 0 saves at the end only.
    pub every: u64,
    /// How many of the newest checkpoints are kept.
    pub keep: usize,
    /// Save after every best evaluation so far, and keep that checkpoint too.
    pub best: bool,
    /// Which state becomes the final model: that of the `best` evaluation or of the `last` update.
    pub model: ModelChoice,
}

impl Default for CheckpointConfig {
    fn default() -> Self {
        CheckpointConfig { every: 250, keep: 2, best: true, model: ModelChoice::Best }
    }
}

/// Which state becomes the final model.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ModelChoice {
    /// That of the best evaluation.
    Best,
    /// That of the last update.
    Last,
}

/// Text generated while training. Only causal models generate, and text VAEs, which return sentences and make some up.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct SampleConfig {
    /// Updates between samples, and one at the end; 0 generates none.
    pub every: u64,
    /// What the text goes on from.
    pub prompt: String,
    /// Number of tokens.
    pub tokens: usize,
    /// How tokens are drawn.
    pub sampling: SamplingConfig,
}

impl Default for SampleConfig {
    fn default() -> Self {
        SampleConfig { every: 250, prompt: String::new(), tokens: 200, sampling: SamplingConfig::default() }
    }
}

impl Config {
    /// Checks every number against its range, and the sections against each other.
    ///
    /// # Errors
    /// The first thing that is wrong, by its dotted key.
    pub fn validate(&self) -> Result<(), TrainError> {
        self.data.validate()?;
        self.tokenizer.validate()?;
        if self.objective.adversarial().is_none() {
            self.check_model()?;
        }
        self.optimizer.validate()?;
        self.schedule.validate()?;
        self.train.validate()?;
        self.sample.sampling.validate("sample.sampling.temperature", "sample.sampling.top_p")?;
        match &self.objective {
            ObjectiveConfig::CausalLm => {}
            ObjectiveConfig::SequenceToSequence { sentinels } if *sentinels > 1 << 16 => {
                return Err(TrainError::out_of_range("objective.sentinels", sentinels, "at most 65536"));
            }
            ObjectiveConfig::SequenceToSequence { .. } => {}
            ObjectiveConfig::SpanCorruption { spans } => spans.validate()?,
            ObjectiveConfig::MaskedLm { masking } => masking.validate()?,
            ObjectiveConfig::Classification { label_smoothing } if !(0.0..1.0).contains(label_smoothing) => {
                let expected = "at least 0 and below 1";
                return Err(TrainError::out_of_range("objective.label_smoothing", label_smoothing, expected));
            }
            ObjectiveConfig::Classification { .. } => {}
            ObjectiveConfig::Contrastive(contrastive) => contrastive.validate()?,
            ObjectiveConfig::TextVae(text_vae) => text_vae.validate(self)?,
            ObjectiveConfig::Adversarial(adversarial) => adversarial.validate(self)?,
        }
        for (key, value) in
            [("evaluate.batch", self.evaluate.batch), ("checkpoint.keep", self.checkpoint.keep)]
        {
            at_least_one(key, value as u64)?;
        }
        // Of images the patches decide on the length.
        if self.objective.may_read_images() { Ok(()) } else { self.validate_lengths() }
    }

    /// The model by itself, and for the objective.
    fn check_model(&self) -> Result<(), TrainError> {
        if self.model.is_absent() {
            return Err(TrainError::NoModel);
        }
        if let Some(points) = self.data.points {
            return Err(TrainError::Conflict {
                first: format!("data.points = \"{}\"", points.name()),
                second: "this objective".into(),
                reason: "only a generator has a use for points".into(),
                remedy: "name files under `data.train`, or set `objective.kind = \"adversarial\"`".into(),
            });
        }
        self.model.validate()?;
        if !self.objective.writes() {
            self.model.check_one_stack("an objective without sources and targets")?;
        }
        self.model.check_direction(self.objective.is_causal())?;
        Ok(())
    }

    /// Whether rows of `train.length` tokens fit the model.
    pub(crate) fn validate_lengths(&self) -> Result<(), TrainError> {
        let (length, maximum) = (self.train.length, self.model.max_length);
        if self.objective.writes() {
            self.pair_shape().check(&self.model)?;
        } else if length > maximum {
            return Err(TrainError::Conflict {
                first: format!("train.length = {length}"),
                second: format!("model.max_length = {maximum}"),
                reason: "rows would be longer than the model is made for".into(),
                remedy: format!("set `model.max_length = {length}`, or `train.length = {maximum}`"),
            });
        }
        if !self.objective.writes() {
            self.model.check_length(length, self.objective.is_causal())?;
        }
        match self.evaluate.stride {
            Some(stride) if !(1..=length).contains(&stride) => {
                let range = format!("1 to {length}, which is `train.length`");
                Err(TrainError::out_of_range("evaluate.stride", stride, range))
            }
            _ => Ok(()),
        }
    }

    /// How long sources and targets are, if the objective has them.
    pub(crate) fn pair_shape(&self) -> PairShape {
        PairShape::of(&self.model, &self.objective, self.train.length, self.train.source_length)
    }

    /// Rows of the embedding of a model with this tokenizer.
    pub(crate) fn vocabulary(&self, tokenizer: &Tokenizer) -> usize {
        tokenizer.vocabulary() + self.objective.sentinels(self.train.length)
    }

    /// How far evaluation windows move.
    pub fn stride(&self) -> usize {
        self.evaluate.stride.unwrap_or(self.train.length.div_ceil(2))
    }

    /// Learning rate of update `index`, from 0.
    pub fn learning_rate(&self, index: u64) -> f64 {
        self.optimizer.learning_rate() * self.schedule.share(index, self.train.steps)
    }
}

impl TrainConfig {
    fn validate(&self) -> Result<(), TrainError> {
        at_least_one("train.steps", self.steps)?;
        at_least_one("train.batch", self.batch as u64)?;
        at_least_one("train.length", self.length as u64)?;
        at_least_one("train.accumulation", self.accumulation as u64)?;
        at_least_one("train.log_every", self.log_every)?;
        if !(self.clip >= 0.0 && self.clip.is_finite()) {
            return Err(TrainError::out_of_range("train.clip", self.clip, "0 or more"));
        }
        self.ema.validate()?;
        self.guard.validate()
    }
}

fn at_least_one(key: &'static str, value: u64) -> Result<(), TrainError> {
    if value == 0 { Err(TrainError::out_of_range(key, value, "at least 1")) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::config;
    use mixlab_core::Diagnose;
    use mixlab_core::config::resolve;

    fn text(extra: &str) -> (String, String) {
        (
            "x.toml".into(),
            format!("data.train = [\"a.txt\"]\nmodel.mixer.kind = \"softmax_attention\"\n{extra}"),
        )
    }

    #[test]
    fn the_mixer_is_the_only_choice_without_a_default() {
        let resolved = resolve::<Config>(&[text("")], &[]).unwrap();
        resolved.value.validate().unwrap();
        for key in ["run.seed", "train.steps", "train.batch", "train.length", "train.accumulation"] {
            assert!(resolved.origins.contains_key(key), "{key}");
        }
        for key in ["model.width", "model.depth", "model.mixer.kind", "model.residual.kind"] {
            assert!(resolved.origins.contains_key(key), "{key}");
        }
    }

    #[test]
    fn what_is_resolved_resolves_to_itself() {
        let extra = "schedule.kind = \"piecewise_linear\"\nschedule.points = [[0, 0.0], [10, 1.0]]\n";
        let first = resolve::<Config>(&[text(extra)], &["optimizer.kind=lamb".into()]).unwrap();
        let again = resolve::<Config>(&[("config.toml".into(), first.to_toml())], &[]).unwrap();
        assert_eq!(first.value, again.value);
    }

    #[test]
    fn a_row_longer_than_the_model_is_refused_with_the_remedy() {
        let mut config = config();
        config.train.length = config.model.max_length + 1;
        let error = config.validate().unwrap_err();
        assert!(error.to_string().contains("model.max_length"), "{error}");
        assert!(error.hint().unwrap().contains("train.length"));
    }

    #[test]
    fn ranges_are_checked() {
        let bad: [fn(&mut Config); 8] = [
            |config| config.train.steps = 0,
            |config| config.train.accumulation = 0,
            |config| config.train.clip = -1.0,
            |config| config.train.ema.decay = 1.0,
            |config| config.train.guard.patience = 0,
            |config| config.evaluate.stride = Some(0),
            |config| config.checkpoint.keep = 0,
            |config| config.sample.sampling.top_p = 0.0,
        ];
        for (index, spoil) in bad.iter().enumerate() {
            let mut config = config();
            config.validate().unwrap();
            spoil(&mut config);
            assert!(matches!(config.validate(), Err(TrainError::OutOfRange { .. })), "case {index}");
        }
    }
}
