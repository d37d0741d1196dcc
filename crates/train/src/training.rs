//! The loop: update, log, evaluate, sample, save, listen.

use std::path::{Path, PathBuf};
use std::time::Instant;

use crate::checkpoint::{self, Best, RunState, Window};
use crate::interrupt::Interrupt;
use crate::metrics::{Metrics, MetricsLine, Split};
use crate::observer::{Observer, Progress, Start};
use crate::task::{Task, Update};
use crate::{Config, TrainError};

/// Why the loop ended.
pub(crate) enum End {
    /// The last step was made, or the run stopped early.
    Finished,
    /// The user asked for it.
    Interrupted { checkpoint: Option<PathBuf> },
}

/// A run under way.
pub(crate) struct TrainingLoop<'a> {
    config: &'a Config,
    out: &'a Path,
    task: &'a mut dyn Task,
    state: RunState,
    metrics: Metrics,
    observer: &'a mut dyn Observer,
    interrupt: &'a Interrupt,
    clock: Clock,
    /// Step of the last checkpoint of this sitting.
    saved: Option<u64>,
}

impl<'a> TrainingLoop<'a> {
    /// A loop that goes on from `state`. The logs are opened, and cut back to what `state` knows.
    pub fn new(
        config: &'a Config,
        out: &'a Path,
        task: &'a mut dyn Task,
        state: RunState,
        observer: &'a mut dyn Observer,
        interrupt: &'a Interrupt,
    ) -> Result<Self, TrainError> {
        let metrics = Metrics::open(out, state.logs)?;
        let clock = Clock::new(state.seconds);
        Ok(TrainingLoop { config, out, task, state, metrics, observer, interrupt, clock, saved: None })
    }

    /// The state the loop ended in.
    pub fn into_state(self) -> RunState {
        self.state
    }

    /// Makes updates until the end or an interrupt.
    pub fn run(&mut self) -> Result<End, TrainError> {
        let steps = self.config.train.steps;
        self.announce();
        while self.state.step < steps && !self.state.finished {
            if self.interrupt.requested() {
                return self.stop();
            }
            self.step()?;
        }
        Ok(End::Finished)
    }

    fn announce(&mut self) {
        let description = self.task.describe();
        self.observer.started(&Start {
            from: self.state.step,
            steps: self.config.train.steps,
            parameters: description.parameter_count,
            tokens_per_step: description.batch.iter().product(),
        });
        self.clock.restart();
    }

    /// Saves what there is and ends.
    fn stop(&mut self) -> Result<End, TrainError> {
        if self.state.step == 0 {
            return Ok(End::Interrupted { checkpoint: None });
        }
        if self.saved != Some(self.state.step) {
            self.save()?;
        }
        let checkpoint = checkpoint::path(self.out, self.state.step);
        Ok(End::Interrupted { checkpoint: Some(checkpoint) })
    }

    /// One update and everything that is due after it.
    fn step(&mut self) -> Result<(), TrainError> {
        let index = self.state.step;
        let learning_rate = self.config.learning_rate(index);
        let every = self.config.train.layers_every;
        let update = if every > 0 && (index + 1).is_multiple_of(every) {
            let (update, layers) = self.task.update_by_layer(index, learning_rate)?;
            if let Some(layers) = layers {
                self.metrics.layers(index + 1, &layers)?;
            }
            update
        } else {
            self.task.update(index, learning_rate)?
        };
        self.state.step = index + 1;
        self.state.tokens += update.tokens;
        let step = self.state.step;
        self.observer.updated(&Progress { step, loss: update.loss, learning_rate, tokens: update.tokens });
        self.log(&update, learning_rate)?;
        let last = step == self.config.train.steps;
        let due = |every: u64| last || every > 0 && step.is_multiple_of(every);
        let improved = due(self.config.evaluate.every) && self.evaluate()?;
        let ended = last || self.state.finished;
        self.state.finished = ended;
        if self.config.sample.every > 0 && (ended || due(self.config.sample.every)) {
            self.sample()?;
        }
        let best = improved && self.config.checkpoint.best;
        if ended || best || due(self.config.checkpoint.every) {
            self.save()?;
        }
        Ok(())
    }

    /// Adds the update to the current line of the metrics, and writes the line when it is due.
    fn log(&mut self, update: &Update, learning_rate: f64) -> Result<(), TrainError> {
        let window = &mut self.state.window;
        window.tokens += update.tokens;
        if update.skipped.is_none() {
            window.loss += update.loss * update.weight;
            window.weight += update.weight;
        }
        let step = self.state.step;
        let due = step.is_multiple_of(self.config.train.log_every) || step == self.config.train.steps;
        if !due && update.skipped.is_none() {
            return Ok(());
        }
        let window = std::mem::take(window);
        let (seconds, interval) = self.clock.lap();
        self.write(MetricsLine {
            step,
            split: Split::Train,
            loss: mean(&window),
            bits_per_byte: None,
            accuracy: None,
            monitors: update.monitors,
            geometry: None,
            terms: update.terms,
            usage: None,
            adversarial: update.adversarial,
            energy_distance: None,
            modes: None,
            steepness: None,
            learning_rate: Some(learning_rate),
            grad_norm: Some(update.grad_norm).filter(|norm| norm.is_finite()),
            skipped: update.skipped.map(|fault| fault.to_string()),
            tokens: self.state.tokens,
            seconds,
            tokens_per_second: window.tokens as f64 / interval,
        })
    }

    fn write(&mut self, line: MetricsLine) -> Result<(), TrainError> {
        self.metrics.line(&line)?;
        self.observer.measured(&line);
        Ok(())
    }

    /// Measures the model; whether this is the best evaluation so far.
    fn evaluate(&mut self) -> Result<bool, TrainError> {
        let begin = Instant::now();
        let Some(evaluation) = self.task.evaluate()? else { return Ok(false) };
        let step = self.state.step;
        let loss = evaluation.loss;
        if !loss.is_finite() {
            return Err(TrainError::EvaluationNotFinite { step, loss });
        }
        let interval = begin.elapsed().as_secs_f64().max(f64::MIN_POSITIVE);
        self.clock.skip(interval);
        self.write(MetricsLine {
            step,
            split: Split::Eval,
            loss: Some(loss),
            bits_per_byte: evaluation.bits_per_byte,
            accuracy: evaluation.accuracy,
            monitors: None,
            geometry: evaluation.geometry,
            terms: evaluation.terms,
            usage: evaluation.usage.clone(),
            adversarial: None,
            energy_distance: evaluation.energy_distance,
            modes: evaluation.modes,
            steepness: evaluation.steepness,
            learning_rate: None,
            grad_norm: None,
            skipped: None,
            tokens: evaluation.tokens,
            seconds: self.clock.seconds(),
            tokens_per_second: evaluation.tokens as f64 / interval,
        })?;
        let progress = step as f64 / self.config.train.steps as f64;
        for alarm in self.task.alarms(&evaluation, progress) {
            self.observer.notice(&alarm);
        }
        let improved = self.state.best.is_none_or(|best| loss < best.loss);
        if improved {
            self.state.best = Some(Best { step, loss });
            self.state.since_best = 0;
        } else {
            self.state.since_best += 1;
            let patience = self.config.evaluate.patience;
            self.state.finished = patience > 0 && self.state.since_best >= patience;
        }
        if self.state.finished {
            self.observer.notice(&format!(
                "stopped early: {} evaluations without a better one",
                self.state.since_best
            ));
        }
        Ok(improved)
    }

    fn sample(&mut self) -> Result<(), TrainError> {
        let begin = Instant::now();
        if let Some(text) = self.task.sample(self.state.step)? {
            self.metrics.sample(self.state.step, &text)?;
            self.observer.sampled(self.state.step, &text);
        }
        self.clock.skip(begin.elapsed().as_secs_f64());
        Ok(())
    }

    /// Writes a checkpoint, then removes those that are no longer needed.
    fn save(&mut self) -> Result<(), TrainError> {
        let begin = Instant::now();
        self.state.logs = self.metrics.sync()?;
        self.state.seconds = self.clock.seconds();
        let path = checkpoint::save(self.out, &mut self.state, self.task)?;
        let best = self.state.best.filter(|_| self.config.checkpoint.best).map(|best| best.step);
        checkpoint::retain(self.out, self.state.step, self.config.checkpoint.keep, best)?;
        self.saved = Some(self.state.step);
        self.observer.saved(self.state.step, &path);
        self.clock.skip(begin.elapsed().as_secs_f64());
        Ok(())
    }
}

fn mean(window: &Window) -> Option<f64> {
    (window.weight > 0.0).then(|| window.loss / window.weight)
}

/// Wall-clock time: of the run over all its sittings, and of training since the last line.
struct Clock {
    before: f64,
    start: Instant,
    lap: Instant,
    skipped: f64,
}

impl Clock {
    fn new(before: f64) -> Self {
        let now = Instant::now();
        Clock { before, start: now, lap: now, skipped: 0.0 }
    }

    fn restart(&mut self) {
        *self = Clock::new(self.before);
    }

    /// Seconds of the run.
    fn seconds(&self) -> f64 {
        self.before + self.start.elapsed().as_secs_f64()
    }

    /// Takes time that was not spent on updates out of the current lap.
    fn skip(&mut self, seconds: f64) {
        self.skipped += seconds;
    }

    /// Seconds of the run, and of the lap that ends now.
    fn lap(&mut self) -> (f64, f64) {
        let interval = self.lap.elapsed().as_secs_f64() - self.skipped;
        self.lap = Instant::now();
        self.skipped = 0.0;
        (self.seconds(), interval.max(f64::MIN_POSITIVE))
    }
}
