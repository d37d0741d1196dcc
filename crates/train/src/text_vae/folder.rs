//! A trained text VAE in use: texts to latents, and latents to texts.

use std::path::Path;

use burn::tensor::{Device, Tensor};
use mixlab_core::{Key, Purpose};
use mixlab_data::{Documents, Enclosure, SentenceEvaluation, SentenceNotes};
use mixlab_nn::latent::TextVae;
use mixlab_objectives::vae::{Posterior, PosteriorConfig};

use super::reading::Reading;
use super::{Latents, ReceivePiece, SentenceWriter, TextVaeConfig, Writing, WrittenText};
use crate::model_folder::ModelFolder;
use crate::{ObjectiveConfig, TrainError};

/// Texts that go through the encoder at once.
const BATCH: usize = 64;

/// How latents are drawn from their posteriors.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Draw {
    /// Of the draws.
    pub seed: u64,
    /// κ to draw with; that of the training if absent. A Gaussian has none.
    pub concentration: Option<f64>,
    /// Number of the first text.
    pub first: u64,
}

/// A text VAE, ready for use.
pub struct TextVaeFolder {
    /// The model with its description and tokenizer.
    pub folder: ModelFolder<TextVae>,
    /// Its objective.
    pub objective: TextVaeConfig,
    posterior: Posterior,
    enclosure: Enclosure,
    device: Device,
}

/// Texts as latents.
pub struct EncodedTexts {
    /// The latents, a row a text.
    pub latents: Latents,
    /// What became of the texts on their way.
    pub notes: SentenceNotes,
}

impl TextVaeFolder {
    /// Reads a model folder onto `device`.
    ///
    /// # Errors
    /// As [`ModelFolder::load`].
    pub fn load(path: &Path, device: &Device) -> Result<Self, TrainError> {
        let folder: ModelFolder<TextVae> = ModelFolder::load(path, device)?;
        let ObjectiveConfig::TextVae(objective) = folder.config.objective.clone() else {
            unreachable!("a model of this kind has this objective");
        };
        Ok(TextVaeFolder {
            posterior: objective.posterior.init(objective.latent.width),
            enclosure: Enclosure::of(&folder.tokenizer),
            device: device.clone(),
            objective,
            folder,
        })
    }

    /// Most tokens of a text, those around it included.
    pub fn length(&self) -> usize {
        self.folder.config.length
    }

    /// Latents of texts along the posteriors' means, or drawn. Text number r is drawn with stream r of the seed.
    ///
    /// # Errors
    /// No text, one that the tokenizer cannot encode, a concentration that is not above 0 or that the posterior does not have.
    pub fn encode(&self, texts: &Documents, draw: Option<Draw>) -> Result<EncodedTexts, TrainError> {
        let posterior = match draw.and_then(|draw| draw.concentration) {
            Some(concentration) => self.concentrated(concentration)?,
            None => self.posterior.clone(),
        };
        let data = SentenceEvaluation::new(texts, &self.folder.tokenizer, self.length(), BATCH)?;
        let reading = self.reading(&posterior);
        let key = draw.map(|draw| Key::root(draw.seed).purpose(Purpose::Sample));
        let mut layers: Vec<Vec<Tensor<2>>> = vec![Vec::new(); self.objective.latent.layers];
        for index in 0..data.batches() {
            let mut sentences = data.batch(index);
            let first = draw.map_or(0, |draw| draw.first);
            sentences.samples.iter_mut().for_each(|sample| *sample += first);
            let batch = reading.measured(&sentences);
            let read = reading.read(&self.folder.model, &batch, key);
            layers.iter_mut().zip(read.latents).for_each(|(layer, latent)| layer.push(latent));
        }
        let tensors: Vec<Tensor<2>> = layers.into_iter().map(|parts| Tensor::cat(parts, 0)).collect();
        let latents = Latents::of_tensors(&tensors, self.objective.posterior.is_spherical());
        Ok(EncodedTexts { latents, notes: data.notes() })
    }

    /// Writes a text from each row of `latents`, and tells `receive` of each as soon as something of it is certain.
    ///
    /// # Errors
    /// Latents of another model; a search without hypotheses.
    pub fn write(
        &self,
        latents: &Latents,
        writing: &Writing,
        receive: ReceivePiece<'_>,
    ) -> Result<Vec<WrittenText>, TrainError> {
        let latents = latents.tensors(&self.device, self.folder.config.precision);
        self.writer().write(&latents, writing, receive)
    }

    pub(super) fn reading<'a>(&'a self, posterior: &'a Posterior) -> Reading<'a> {
        let (enclosure, precision) = (self.enclosure, self.folder.config.precision);
        Reading { posterior, enclosure, device: &self.device, precision, length: None }
    }

    pub(super) fn posterior(&self) -> &Posterior {
        &self.posterior
    }

    pub(super) fn writer(&self) -> SentenceWriter<'_> {
        SentenceWriter {
            model: &self.folder.model,
            tokenizer: &self.folder.tokenizer,
            enclosure: self.enclosure,
            length: self.length(),
            device: &self.device,
        }
    }

    /// The posterior around another concentration.
    fn concentrated(&self, concentration: f64) -> Result<Posterior, TrainError> {
        let (posterior, width) = (self.objective.posterior, self.objective.latent.width);
        if let PosteriorConfig::Gaussian { .. } = posterior {
            return Err(TrainError::Conflict {
                first: format!("--concentration {concentration}"),
                second: "a Gaussian posterior".into(),
                reason: "it has a learned variance for every text and no concentration".into(),
                remedy: "leave `--concentration` out".into(),
            });
        }
        let around = posterior.with_concentration(concentration);
        around
            .check(width)
            .map_err(|(_, found, expected)| TrainError::out_of_range("--concentration", found, expected))?;
        Ok(around.init(width))
    }
}
