//! Which residual scheme stays trainable at which depth: the size of updates, and what layers see of signal and gradient.
//!
//! A network of N layers changes by N times as much as one of a single layer when each is updated by as much, which is why
//! plain post-norm diverges at depth: the *increment explosion*. Here a stack of the user's blocks stands between a frozen
//! embedding with unit normal entries and a frozen projection, on random tokens, and every scheme makes its first update
//! under every optimiser. A scheme whose output moves by as much at 96 blocks as at 6 can be trained at 1,000.
//!
//! Source: kexue.fm 8978 (2022); Wang et al., "DeepNet: scaling Transformers to 1,000 layers", 2022, section 3.

mod advice;
mod chart;
mod error;
mod report;
mod scheme;
mod specimen;
mod update;

use std::collections::BTreeMap;

use burn::tensor::{Device, Tensor};
use mixlab_core::DeviceChoice;
use mixlab_nn::residual::UpdateKind;
use mixlab_nn::{ModelConfig, NamedParameter, named_parameters};
use mixlab_train::Observer;

use self::specimen::{Backward, Sizes, Specimen, root_mean_square};
use self::update::Trial;

pub use chart::chart;
pub use error::DepthError;
pub use report::{DepthReport, Point, Profile, SchemeReport, UpdateReport};
pub use scheme::{Scheme, all_schemes};
pub use update::probe_rate;

/// Different tokens of the made-up data.
const VOCABULARY: usize = 64;
/// The deepest stack.
const DEEPEST: usize = 10_000;
/// Powers of 2 that are tried above the learning rate of the comparison.
const DOUBLINGS: i32 = 6;
/// Powers of 2 that are tried below it.
const HALVINGS: i32 = 3;

/// What is examined.
#[derive(Clone, Debug, PartialEq)]
pub struct DepthOptions {
    /// Numbers of blocks, in any order.
    pub depths: Vec<usize>,
    /// The schemes.
    pub schemes: Vec<Scheme>,
    /// The optimisers; the first is the one of the advice.
    pub optimizers: Vec<UpdateKind>,
    /// Updates after which movements are measured, beside the first.
    pub steps: u64,
    /// Seeds that figures are means of.
    pub seeds: u64,
    /// Rows and tokens of the batch.
    pub batch: [usize; 2],
    /// Look for the largest learning rate at which the blocks learn their batch in that many updates.
    pub rates: Option<u64>,
    /// What to compute on.
    pub device: DeviceChoice,
}

impl Default for DepthOptions {
    fn default() -> Self {
        DepthOptions {
            depths: vec![6, 12, 24, 48, 96],
            schemes: all_schemes(),
            optimizers: vec![UpdateKind::Sgd, UpdateKind::Adam, UpdateKind::Lamb],
            steps: 10,
            seeds: 2,
            batch: [4, 16],
            rates: None,
            device: DeviceChoice::default(),
        }
    }
}

impl DepthOptions {
    fn checked(&self) -> Result<Self, DepthError> {
        let mut depths = self.depths.clone();
        depths.sort_unstable();
        depths.dedup();
        let range = |argument: &'static str, found: String, expected: &str| {
            Err(DepthError::OutOfRange { argument, found, expected: expected.to_owned() })
        };
        if let Some(&depth) = depths.iter().find(|&&depth| depth == 0 || depth > DEEPEST) {
            return range("--depths", depth.to_string(), &format!("numbers from 1 to {DEEPEST}"));
        }
        for (argument, count) in [
            ("--depths", depths.len()),
            ("--schemes", self.schemes.len()),
            ("--optimizers", self.optimizers.len()),
        ] {
            if count == 0 {
                return range(argument, "empty".to_owned(), "at least one");
            }
        }
        for (argument, count) in [
            ("--steps", self.steps),
            ("--seeds", self.seeds),
            ("--rows", self.batch[0] as u64),
            ("--length", self.batch[1] as u64),
            ("--rates", self.rates.unwrap_or(1)),
        ] {
            if count == 0 || count > 1 << 16 {
                return range(argument, count.to_string(), "1 to 65536");
            }
        }
        Ok(DepthOptions { depths, ..self.clone() })
    }

    fn sizes(&self) -> Sizes {
        Sizes { rows: self.batch[0], length: self.batch[1], vocabulary: VOCABULARY }
    }
}

/// Examines the blocks of a model at several depths; its own depth and residual scheme are not looked at.
///
/// # Errors
/// [`DepthError`]: an option outside its range, or a model that cannot be built.
pub fn measure_depth(
    model: &ModelConfig,
    causal: bool,
    options: &DepthOptions,
    observer: &mut dyn Observer,
) -> Result<DepthReport, DepthError> {
    let options = options.checked()?;
    model.check_direction(causal)?;
    let examination = Examination { model, causal, options: &options, device: options.device.device() };
    let mut schemes = Vec::new();
    for scheme in &options.schemes {
        schemes.push(examination.scheme(scheme, observer)?);
    }
    Ok(DepthReport {
        mixer: model.mixer.name(),
        width: model.width,
        batch: options.batch,
        depths: options.depths.clone(),
        steps: options.steps,
        seeds: options.seeds,
        advice: advice::advise(&schemes, options.optimizers[0]),
        schemes,
    })
}

struct Examination<'a> {
    model: &'a ModelConfig,
    causal: bool,
    options: &'a DepthOptions,
    device: Device,
}

/// Movements of one depth, by optimiser and by whether norms are trained.
type Movements = BTreeMap<(usize, bool), Vec<[f64; 2]>>;

/// A stack at its first values.
struct Start {
    backward: Backward,
    named: Vec<NamedParameter>,
    values: BTreeMap<String, Tensor<1>>,
}

impl Examination<'_> {
    fn scheme(&self, scheme: &Scheme, observer: &mut dyn Observer) -> Result<SchemeReport, DepthError> {
        let mut profiles = Vec::new();
        let mut points: BTreeMap<(usize, bool), Vec<Point>> = BTreeMap::new();
        for &depth in &self.options.depths {
            observer.phase(&format!("{scheme}, {depth} blocks"));
            let config = self.config(scheme, depth);
            let mut movements = Movements::new();
            for seed in 0..self.options.seeds {
                let start = self.seed(&config, seed, &mut movements)?;
                if seed == 0 {
                    profiles.push(profile(&config, depth, start));
                }
            }
            for (case, movements) in movements {
                let survives = match (self.options.rates, case.1) {
                    (Some(steps), true) => {
                        self.largest_rate(&config, self.options.optimizers[case.0], steps)?
                    }
                    (Some(_), false) | (None, _) => None,
                };
                let mean = |which: usize| {
                    let mean = movements.iter().map(|pair| pair[which]).sum::<f64>() / movements.len() as f64;
                    mean.is_finite().then_some(mean)
                };
                points.entry(case).or_default().push(Point {
                    depth,
                    first: mean(0),
                    last: mean(1),
                    survives,
                });
            }
        }
        let updates = points.into_iter().map(|((optimizer, norms_trained), points)| {
            let growth = points.last().and_then(|p| p.first).zip(points.first().and_then(|p| p.first));
            let optimizer = self.options.optimizers[optimizer];
            UpdateReport {
                optimizer,
                learning_rate: probe_rate(optimizer),
                norms_trained,
                growth: growth.filter(|_| points.len() > 1).map(|(last, first)| last / first),
                points,
            }
        });
        Ok(SchemeReport { scheme: scheme.to_string(), profiles, updates: updates.collect() })
    }

    /// Movements of one seed under every optimiser, and what the first backward pass found.
    fn seed(&self, config: &ModelConfig, seed: u64, movements: &mut Movements) -> Result<Start, DepthError> {
        let mut specimen = self.specimen(config, seed)?;
        let (values, start) = (specimen.values(), specimen.hidden());
        let named = named_parameters(specimen.backbone());
        let first = specimen.backward();
        for (index, &optimizer) in self.options.optimizers.iter().enumerate() {
            for norms in [false, true] {
                specimen.set(values.clone());
                let rate = probe_rate(optimizer);
                let mut trial = Trial::new(&mut specimen, optimizer, rate, norms, &self.device);
                trial.update(first.gradients.clone());
                let moved = trial.movement(&start);
                for _ in 1..self.options.steps {
                    let gradients = trial.backward().gradients;
                    trial.update(gradients);
                }
                let last = if self.options.steps == 1 { moved } else { trial.movement(&start) };
                movements.entry((index, norms)).or_default().push([moved, last]);
            }
        }
        Ok(Start { backward: first, named, values })
    }

    /// The largest learning rate of a ladder of powers of 2 at which the blocks learn in `steps` updates. From the top, rung
    /// by rung: below some rate nothing is learned in time either, so that a bisection could miss those that are.
    fn largest_rate(
        &self,
        config: &ModelConfig,
        kind: UpdateKind,
        steps: u64,
    ) -> Result<Option<f64>, DepthError> {
        for power in (-HALVINGS..=DOUBLINGS).rev() {
            let rate = probe_rate(kind) * 2f64.powi(power);
            let mut specimen = self.specimen(config, 0)?;
            if Trial::new(&mut specimen, kind, rate, true, &self.device).survives(steps) {
                return Ok(Some(rate));
            }
        }
        Ok(None)
    }

    fn specimen(&self, config: &ModelConfig, seed: u64) -> Result<Specimen, DepthError> {
        Ok(Specimen::new(config, self.causal, self.options.sizes(), seed, &self.device)?)
    }

    fn config(&self, scheme: &Scheme, depth: usize) -> ModelConfig {
        // A scheme that draws by itself takes no other initialisation; the others keep the model's.
        let initialisation = self.model.initialisation.clone().filter(|_| !scheme.config().draws());
        ModelConfig {
            depth,
            residual: scheme.config(),
            max_length: self.options.batch[1],
            initialisation,
            ..self.model.clone()
        }
    }
}

/// What a stack is at its first values.
fn profile(config: &ModelConfig, depth: usize, start: Start) -> Profile {
    let Start { backward, named, values } = start;
    let mut squares: BTreeMap<String, Vec<f64>> = BTreeMap::new();
    for NamedParameter { path, shape, .. } in &named {
        let ([fan_in, fan_out], Some(value), Some(gradient)) =
            (shape.as_slice(), values.get(path), backward.gradients.get(path))
        else {
            continue;
        };
        let scale = root_mean_square(value.clone()) / (2.0 / (fan_in + fan_out) as f64).sqrt();
        let along = (gradient.clone() * value.clone()).sum().into_scalar::<f64>() / scale;
        let within = path.splitn(3, '.').last().unwrap_or(path);
        squares.entry(within.to_owned()).or_default().push(along * along);
    }
    let root = |squares: Vec<f64>| (squares.iter().sum::<f64>() / squares.len() as f64).sqrt();
    Profile {
        depth,
        constants: config.residual.constants(config.stack()),
        signal: backward.signal,
        gradient: backward.gradient,
        scale_gradient: squares.into_iter().map(|(path, squares)| (path, root(squares))).collect(),
    }
}
