//! The two players with everything that moves them.

use std::collections::BTreeMap;
use std::time::Instant;

use burn::module::Module;
use burn::tensor::{Device, Tensor};
use mixlab_core::{Key, Precision, Purpose};
use mixlab_kernels::global_norm;
use mixlab_nn::adversarial::{BatchMoments, Critic, Generator};
use mixlab_nn::{Mode, backward_from, parameter_gradients, parameter_values};
use mixlab_objectives::adversarial::{
    ConstraintConfig, CriticStep, Divided, Form, Rules, Samples, SpectralNorm, clipped,
};

use super::latents::{drawn_labels, latents, with_class};
use super::{AdversarialConfig, AdversarialData, AdversarialTerms};
use crate::ema::EmaConfig;
use crate::guard::Fault;
use crate::learner::Learner;
use crate::{Config, TrainError};

/// Generator and critic under training.
pub(crate) struct Game {
    pub generator: Learner<Generator>,
    pub critic: Learner<Critic>,
    pub spectral: Option<SpectralNorm>,
    objective: AdversarialConfig,
    /// The critic's learning rate over the generator's.
    critic_rate: f64,
    batch: usize,
    /// Channels that tell a class.
    classes: usize,
    seed: u64,
    device: Device,
    precision: Precision,
}

/// What a round of all updates did.
pub(crate) struct Round {
    pub terms: AdversarialTerms,
    pub grad_norm: f64,
    pub skipped: Option<Fault>,
    pub turns: TurnTimes,
}

/// Seconds of the turns of a round.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TurnTimes {
    /// Of every update of the critic: its samples, gradients and optimiser.
    pub critic: Vec<f64>,
    /// Of the generator's update.
    pub generator: f64,
}

impl Game {
    /// Two networks on a device with gradient tracking; `device` is the one without.
    pub fn new(
        config: &Config,
        objective: &AdversarialConfig,
        (generator, critic): (Generator, Critic),
        device: &Device,
    ) -> Self {
        let precision = config.run.precision;
        let key = Key::root(config.run.seed).purpose(Purpose::Init).site("spectral");
        let spectral = (objective.constraint == ConstraintConfig::SpectralNorm)
            .then(|| SpectralNorm::new(&critic, key, device, precision));
        let optimizer = objective.critic_optimizer(config);
        Game {
            critic_rate: optimizer.learning_rate() / config.optimizer.learning_rate(),
            classes: critic.classes(),
            critic: Learner::with(critic, config, optimizer, &EmaConfig::default(), "critic.", device),
            generator: Learner::new(generator, config, device),
            spectral,
            objective: objective.clone(),
            batch: config.train.batch,
            seed: config.run.seed,
            device: device.clone(),
            precision,
        }
    }

    /// All updates of one step.
    pub fn round(
        &mut self,
        data: &AdversarialData,
        step: u64,
        learning_rate: f64,
    ) -> Result<Round, TrainError> {
        let mut terms = AdversarialTerms::default();
        let (mut skipped, mut turns) = (None, TurnTimes::default());
        for turn in 0..self.objective.critic_steps {
            let begin = Instant::now();
            let rate = learning_rate * self.critic_rate;
            let (found, fault) = self.critic_turn(data, step, turn, rate)?;
            skipped = skipped.or(fault);
            terms.critic_loss = found.loss;
            terms.penalty = found.penalty;
            [terms.real, terms.made] = found.means;
            terms.critic_slope = median(found.norms);
            turns.critic.push(begin.elapsed().as_secs_f64());
        }
        let begin = Instant::now();
        let (loss, grad_norm, fault) = self.generator_turn(step, learning_rate)?;
        turns.generator = begin.elapsed().as_secs_f64();
        terms.generator_loss = loss;
        let weights: Vec<Tensor<1>> = parameter_values(self.critic.model()).into_values().collect();
        terms.critic_norm = global_norm(&weights);
        Ok(Round { terms, grad_norm, skipped: skipped.or(fault), turns })
    }

    fn critic_turn(
        &mut self,
        data: &AdversarialData,
        step: u64,
        turn: usize,
        rate: f64,
    ) -> Result<(CriticStep, Option<Fault>), TrainError> {
        let real = data.real(step, turn, &self.device, self.precision);
        let changed = data.changed(step, turn, &self.device, self.precision);
        let key = self.key(step).index(turn as u64);
        let latents = self.latents(key, &real.labels);
        let (made, _) = self.generator.model().valid().forward(latents, Mode::Train);
        let told = |samples| with_class(samples, &real.labels, self.classes);
        let samples = Samples { real: told(real.samples), made: told(made), changed: changed.map(told) };
        let (critic, divided) = self.judged();
        let mut found = self.rules().critic(&critic, samples, key);
        let gradients = std::mem::take(&mut found.gradients);
        let gradients = match divided {
            Some(divided) => divided.gradients(gradients),
            None => gradients,
        };
        let applied = self.critic.apply(step, found.loss, gradients, rate)?;
        if applied.skipped.is_none() {
            self.hold(&found);
        }
        Ok((found, applied.skipped))
    }

    /// What constraints on weights do after an update of the critic.
    fn hold(&mut self, found: &CriticStep) {
        if let ConstraintConfig::WeightClipping { limit } = self.objective.constraint {
            self.critic.put(clipped(parameter_values(self.critic.model()), limit));
        }
        if self.objective.rescale {
            let mean = found.norms.iter().sum::<f64>() / found.norms.len().max(1) as f64;
            let values = parameter_values(self.critic.model());
            let divided =
                (mean > 0.0 && mean.is_finite()).then(|| self.critic.model().divided(values, mean)).flatten();
            if let Some(divided) = divided {
                self.critic.put(divided);
            }
        }
    }

    fn generator_turn(&mut self, step: u64, rate: f64) -> Result<(f64, f64, Option<Fault>), TrainError> {
        let key = self.key(step).site("generator");
        let count = self.batch * self.objective.generator_batches;
        let labels = drawn_labels(key, 0, count, self.classes);
        let latents = Tensor::from_inner(self.latents(key, &labels));
        let (made, moments) = self.generator.model().forward(latents, Mode::Train);
        let critic = self.judging();
        let channels = made.dims()[3];
        let seen = with_class(made.clone().inner(), &labels, self.classes);
        let found = self.rules().generator(&critic, seen);
        let mut gradients = backward_from(made, found.samples.narrow(3, 0, channels));
        let gradients = parameter_gradients(self.generator.model(), &mut gradients);
        let applied = self.generator.apply(step, found.loss, gradients, rate)?;
        if applied.skipped.is_none() {
            self.generator.put_averaged(running(moments));
        }
        Ok((found.loss, applied.grad_norm, applied.skipped))
    }

    /// The critic as it judges: its matrices divided, under spectral normalisation.
    pub fn judging(&self) -> Critic {
        let critic = self.critic.model();
        match &self.spectral {
            Some(spectral) => spectral.clone().normalised(critic, parameter_values(critic), false).0,
            None => critic.clone(),
        }
    }

    /// The same where it learns: the power iteration goes on, and its gradients come back through what was divided.
    fn judged(&mut self) -> (Critic, Option<Divided>) {
        let critic = self.critic.model();
        match &mut self.spectral {
            Some(spectral) => {
                let (critic, divided) = spectral.normalised(critic, parameter_values(critic), true);
                (critic, Some(divided))
            }
            None => (critic.clone(), None),
        }
    }

    /// Samples of the generator as it is to be used; the same every time.
    pub fn samples(&self, count: usize, site: &str) -> Tensor<4> {
        let key = Key::root(self.seed).purpose(Purpose::Sample).site(site);
        let latents = self.latents(key, &drawn_labels(key, 0, count, self.classes));
        self.generator.outcome().forward(latents, Mode::Eval).0
    }

    fn rules(&self) -> Rules<'_> {
        Rules {
            loss: self.objective.loss,
            constraint: &self.objective.constraint,
            consistency: self.objective.consistency,
            form: Form::Fastest,
        }
    }

    fn latents(&self, key: Key, labels: &[u32]) -> Tensor<2> {
        let told = (labels, self.classes);
        latents(key, 0, self.objective.latent, told, &self.device, self.precision)
    }

    fn key(&self, step: u64) -> Key {
        Key::root(self.seed).purpose(Purpose::Sample).step(step)
    }
}

fn running(moments: Vec<BatchMoments>) -> BTreeMap<String, Tensor<1>> {
    let named = |BatchMoments { path, running: [mean, variance] }: BatchMoments| {
        [(format!("{path}.mean"), mean.inner()), (format!("{path}.variance"), variance.inner())]
    };
    moments.into_iter().flat_map(named).collect()
}

fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied()
}
