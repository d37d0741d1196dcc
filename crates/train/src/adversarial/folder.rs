//! A trained generator with its critic on disk: `config.json`, `model.safetensors`, `critic.safetensors`.

use std::path::Path;

use burn::module::Module;
use burn::tensor::{Device, Tensor};
use mixlab_core::{Key, Precision, Purpose};
use mixlab_data::{ImageInput, PointSet};
use mixlab_nn::adversarial::{Critic, Generator, SampleShape};
use mixlab_nn::{Builder, Mode, ModelConfig, ModelError, parameter_values, with_parameters};
use mixlab_objectives::adversarial::{ConstraintConfig, SpectralNorm};
use serde::{Deserialize, Serialize};

use super::AdversarialConfig;
use super::latents::{latents, with_class};
use crate::model_folder::{Described, ModelKind, read_description_of, read_weights};
use crate::parameters::{parameter_tensors, read_parameters};
use crate::storage::{Checksum, StagedFolder};
use crate::tensor_file::{NamedTensor, TensorFile, encode};
use crate::{ObjectiveConfig, TrainError};

/// Weights of the critic.
pub(crate) const CRITIC: &str = "critic.safetensors";
/// Vectors of its spectral normalisation, under that constraint.
pub(crate) const SPECTRAL: &str = "critic.spectral.safetensors";

/// What `config.json` of a generator says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AdversarialDescription {
    /// Version of this layout.
    pub format: u32,
    /// The blocks of networks on patches.
    #[serde(default = "ModelConfig::absent", skip_serializing_if = "ModelConfig::is_absent")]
    pub model: ModelConfig,
    /// What the model was trained to do, with both networks.
    pub objective: ObjectiveConfig,
    /// The shape of a sample.
    pub shape: SampleShape,
    /// The points it makes, if they are points.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub points: Option<PointSet>,
    /// How images become samples, if they are images.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub images: Option<ImageInput>,
    /// Names of the classes of the data.
    pub classes: Vec<String>,
    /// Type of the parameters.
    pub precision: Precision,
    /// Size and hash of `model.safetensors`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weights: Option<Checksum>,
}

impl Described for AdversarialDescription {
    fn weights(&mut self) -> &mut Option<Checksum> {
        &mut self.weights
    }
}

impl AdversarialDescription {
    /// The options of the objective.
    pub fn objective(&self) -> AdversarialConfig {
        self.objective.adversarial().cloned().unwrap_or_default()
    }

    /// Classes that the networks are told.
    pub fn told_classes(&self) -> usize {
        let told = self.objective.adversarial().is_some_and(|objective| objective.conditional);
        if told { self.classes.len() } else { 0 }
    }

    /// New networks of this description.
    pub(crate) fn networks(&self, seed: u64, device: &Device) -> Result<(Generator, Critic), ModelError> {
        let objective = self.objective();
        let classes = self.told_classes();
        // Two roots, since both networks have parameters of the same paths.
        let builder = |part: u64| {
            let seed = Key::root(seed).purpose(Purpose::Init).index(part).bits();
            Builder::new(seed, device, self.precision, self.scheme(), self.sublayers())
        };
        let at_generator = builder(0);
        let generator = Generator::new(
            &objective.generator,
            &self.model,
            objective.latent,
            self.shape,
            classes,
            &at_generator,
        )?;
        at_generator.finish()?;
        let at_critic = builder(1);
        let critic = Critic::new(&objective.critic, &self.model, self.shape, classes, &at_critic)?;
        at_critic.finish()?;
        Ok((generator, critic))
    }

    fn scheme(&self) -> mixlab_nn::Initialisation {
        if self.model.is_absent() {
            return mixlab_nn::InitialisationConfig::lecun().into();
        }
        self.model.initialisation()
    }

    fn sublayers(&self) -> usize {
        if self.model.is_absent() { 1 } else { self.model.sublayers() }
    }
}

/// A generator and its critic, ready for use and without gradient tracking.
pub struct AdversarialFolder {
    /// The description.
    pub config: AdversarialDescription,
    /// The generator, averaged if the run averaged it.
    pub generator: Generator,
    /// The critic; its matrices are divided already, under spectral normalisation.
    pub critic: Critic,
    device: Device,
}

impl AdversarialFolder {
    /// Reads a model folder onto `device`.
    ///
    /// # Errors
    /// A file that is missing, truncated, changed or does not fit the others; [`TrainError::OtherModel`] for
    /// another kind of model.
    pub fn load(path: &Path, device: &Device) -> Result<Self, TrainError> {
        let config: AdversarialDescription = read_description_of(path, ModelKind::Generator)?;
        let (generator, critic) = config.networks(0, device)?;
        let file = read_weights(path, config.weights.as_ref())?;
        let values = read_parameters(&generator, file, device, config.precision)?;
        let generator = with_parameters(generator, values);
        let critic_file = TensorFile::read(&path.join(CRITIC))?;
        let values = read_parameters(&critic, critic_file, device, config.precision)?;
        let mut critic = with_parameters(critic, values);
        if config.objective().constraint == ConstraintConfig::SpectralNorm {
            let mut norm = SpectralNorm::new(&critic, Key::root(0), device, config.precision);
            read_vectors(&mut norm, path, device, config.precision)?;
            critic = norm.normalised(&critic, parameter_values(&critic), false).0;
        }
        Ok(AdversarialFolder { config, generator, critic, device: device.clone() })
    }

    /// Samples `[labels, h, w, c]` of the latents that `key` draws from row `first` on, of these classes; without classes the labels
    /// only count.
    pub fn samples(&self, key: Key, first: u64, labels: &[u32]) -> Tensor<4> {
        self.made(self.latents(key, first, labels))
    }

    /// Latents `[labels, latent + classes]`.
    pub fn latents(&self, key: Key, first: u64, labels: &[u32]) -> Tensor<2> {
        let told = (labels, self.config.told_classes());
        latents(key, first, self.generator.latent(), told, &self.device, self.config.precision)
    }

    /// Samples `[b, h, w, c]` of latents.
    pub fn made(&self, latents: Tensor<2>) -> Tensor<4> {
        self.generator.forward(latents, Mode::Eval).0
    }

    /// Samples as the critic sees them, with the channels of their class.
    pub fn told(&self, samples: Tensor<4>, labels: &[u32]) -> Tensor<4> {
        with_class(samples, labels, self.config.told_classes())
    }

    /// Where the model is.
    pub fn device(&self) -> &Device {
        &self.device
    }
}

/// Adds the critic and what its constraint remembers to a folder.
pub(crate) fn write_critic<M: Module>(
    folder: &mut StagedFolder,
    critic: &M,
    spectral: Option<&SpectralNorm>,
) -> Result<(), TrainError> {
    let weights = encode(parameter_tensors(critic, None), &folder.path().join(CRITIC))?;
    folder.write(CRITIC, &weights)?;
    let Some(spectral) = spectral else { return Ok(()) };
    let tensor = |(path, value): (&String, &Tensor<1>)| NamedTensor {
        name: path.clone(),
        shape: value.dims().to_vec(),
        value: value.clone(),
    };
    let tensors = spectral.vectors().iter().map(tensor).collect();
    let vectors = encode(tensors, &folder.path().join(SPECTRAL))?;
    folder.write(SPECTRAL, &vectors)
}

/// Takes the vectors of spectral normalisation from a folder.
pub(crate) fn read_vectors(
    spectral: &mut SpectralNorm,
    folder: &Path,
    device: &Device,
    precision: Precision,
) -> Result<(), TrainError> {
    let mut file = TensorFile::read(&folder.join(SPECTRAL))?;
    let mut vectors = std::collections::BTreeMap::new();
    for (path, vector) in spectral.vectors() {
        vectors.insert(path.clone(), file.take(path, &vector.dims(), device, precision)?);
    }
    file.finish()?;
    spectral.restore(vectors);
    Ok(())
}
