//! A generator and a critic that play against each other.

use std::collections::BTreeMap;
use std::path::Path;

use burn::tensor::Device;
use mixlab_core::{Key, Purpose};
use mixlab_nn::adversarial::{Critic, Generator};

use super::{Evaluation, Task, Update};
use crate::adversarial::{
    AdversarialConfig, AdversarialData, AdversarialDescription, CRITIC, Game, Round, SampleQuality,
    TurnTimes, measure_samples, sample_grid, sample_scatter,
};
use crate::adversarial::{read_vectors, steepness, with_class, write_critic};
use crate::learner::LearnerState;
use crate::model_folder::{WEIGHTS, write_model};
use crate::storage::{StagedFolder, write_atomic};
use crate::{Config, Description, TrainError};

/// Names of the learners in a checkpoint.
const GENERATOR: &str = "generator";
const JUDGE: &str = "critic";

/// Samples that an evaluation compares: points are cheap.
const POINTS: usize = 2500;
const IMAGES: usize = 500;
/// Images of the picture at the end of a run, and how many of them in a row.
const SHOWN: usize = 64;
const COLUMNS: usize = 8;

/// Generator and critic under training.
pub struct AdversarialTask {
    config: Config,
    objective: AdversarialConfig,
    data: AdversarialData,
    description: AdversarialDescription,
    game: Game,
    device: Device,
}

impl AdversarialTask {
    /// A task around freshly built networks on a device with gradient tracking; `device` is the one without.
    pub(crate) fn new(
        config: &Config,
        objective: &AdversarialConfig,
        data: AdversarialData,
        description: AdversarialDescription,
        networks: (Generator, Critic),
        device: &Device,
    ) -> Self {
        AdversarialTask {
            game: Game::new(config, objective, networks, device),
            config: config.clone(),
            objective: objective.clone(),
            data,
            description,
            device: device.clone(),
        }
    }

    /// Makes update `step` and tells what each turn of it took.
    ///
    /// # Errors
    /// As [`Task::update`].
    pub fn timed_update(&mut self, step: u64, learning_rate: f64) -> Result<TurnTimes, TrainError> {
        Ok(self.game.round(&self.data, step, learning_rate)?.turns)
    }

    fn compared(&self) -> usize {
        if self.data.points().is_some() { POINTS } else { IMAGES }
    }
}

impl Task for AdversarialTask {
    fn update(&mut self, step: u64, learning_rate: f64) -> Result<Update, TrainError> {
        let Round { terms, grad_norm, skipped, .. } = self.game.round(&self.data, step, learning_rate)?;
        let seen = self.config.train.batch * self.objective.critic_steps;
        Ok(Update {
            loss: terms.critic_loss,
            weight: 1.0,
            tokens: seen as u64,
            grad_norm,
            skipped,
            adversarial: Some(terms),
            ..Update::default()
        })
    }

    fn evaluate(&mut self) -> Result<Option<Evaluation>, TrainError> {
        let real = self.data.held_out(self.compared(), &self.device, self.config.run.precision);
        let count = real.labels.len();
        let made = self.game.samples(count, "evaluation");
        let SampleQuality { energy, modes } = measure_samples(&real.samples, &made, self.data.points());
        let told = with_class(real.samples, &real.labels, self.description.told_classes());
        let key = Key::root(self.config.run.seed).purpose(Purpose::Sample).site("steepness");
        let steepness = steepness(&self.game.judging(), &self.objective.constraint, &told, key);
        Ok(Some(Evaluation {
            loss: energy,
            energy_distance: Some(energy),
            modes,
            steepness: Some(steepness),
            tokens: count as u64,
            ..Evaluation::default()
        }))
    }

    fn sample(&self, _step: u64) -> Result<Option<String>, TrainError> {
        Ok(None)
    }

    fn draw(&mut self, run: &Path) -> Result<(), TrainError> {
        let (name, picture) = match self.data.points() {
            Some(_) => {
                let real = self.data.held_out(POINTS, &self.device, self.config.run.precision);
                let drawn = sample_scatter(Some(&real.samples), &self.game.samples(POINTS, "evaluation"));
                ("samples.svg", drawn.map(String::into_bytes))
            }
            None => ("samples.png", sample_grid(&self.game.samples(SHOWN, "picture"), COLUMNS)),
        };
        let path = run.join(name);
        let picture = picture.map_err(|message| TrainError::Picture { path: path.clone(), message })?;
        write_atomic(&path, &picture)
    }

    fn save(&self, folder: &mut StagedFolder) -> Result<BTreeMap<String, LearnerState>, TrainError> {
        write_model(folder, &self.description, self.game.generator.model(), None)?;
        write_critic(folder, self.game.critic.model(), self.game.spectral.as_ref())?;
        let generator = self.game.generator.save(folder)?;
        let critic = self.game.critic.save(folder)?;
        Ok(BTreeMap::from([(GENERATOR.to_owned(), generator), (JUDGE.to_owned(), critic)]))
    }

    fn load(&mut self, folder: &Path, learners: &BTreeMap<String, LearnerState>) -> Result<(), TrainError> {
        let state = |name: &str| LearnerState::named(name, learners, folder);
        self.game.generator.load(folder, WEIGHTS, state(GENERATOR)?)?;
        self.game.critic.load(folder, CRITIC, state(JUDGE)?)?;
        match &mut self.game.spectral {
            Some(spectral) => read_vectors(spectral, folder, &self.device, self.config.run.precision),
            None => Ok(()),
        }
    }

    fn save_outcome(&self, folder: &mut StagedFolder) -> Result<(), TrainError> {
        write_model(folder, &self.description, &self.game.generator.outcome(), None)?;
        write_critic(folder, self.game.critic.model(), self.game.spectral.as_ref())
    }

    fn describe(&self) -> Description {
        Description::of_adversarial(
            &self.config,
            &self.objective,
            &self.data,
            (self.game.generator.model(), self.game.critic.model()),
        )
    }

    fn data_fingerprint(&self) -> String {
        self.data.fingerprint()
    }
}
