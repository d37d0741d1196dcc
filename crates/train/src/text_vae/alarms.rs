//! What a person at a run should know of its latents, in plain words with the remedy.

use std::collections::BTreeSet;

use mixlab_objectives::vae::PosteriorConfig;

use super::TextVaeConfig;
use super::usage::{LatentUse, LayerUse};

/// The rise of cross-entropy over the divergence, both of a sentence in nats, below which latents are not used.
const IGNORED: f64 = 0.05;
/// The part of the run after which latents should be used.
const PATIENCE: f64 = 0.25;
/// Nats of a sentence below which one layer makes no difference where others do.
const DEAD_RISE: f64 = 0.05;
/// Mean of all directions from which on they are one.
const DEAD_RESULTANT: f64 = 0.98;

/// One thing that is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Alarm {
    /// The decoder does not listen to any latent.
    Ignored,
    /// It does not listen to this layer, from 1.
    Dead(usize),
    /// The estimate of information of some layer says nothing.
    Saturated,
}

/// Tells each thing once, until it has gone away and come again.
#[derive(Clone, Debug, Default)]
pub(crate) struct Alarms {
    raised: BTreeSet<Alarm>,
}

impl Alarms {
    /// What is to be said after an evaluation at `progress`, 0 to 1, through the run.
    pub fn judge(&mut self, found: &LatentUse, config: &TextVaeConfig, progress: f64) -> Vec<String> {
        let mut now = BTreeSet::new();
        let ignored = found.rise_by_other < IGNORED * found.divergence().max(1.0);
        if progress >= PATIENCE {
            if ignored {
                now.insert(Alarm::Ignored);
            } else {
                let dead = found.layers.iter().filter(|layer| is_dead(layer, config.posterior));
                now.extend(dead.map(|layer| Alarm::Dead(layer.layer)));
            }
        }
        if found.layers.iter().any(LayerUse::is_saturated) {
            now.insert(Alarm::Saturated);
        }
        let new: Vec<Alarm> = now.difference(&self.raised).copied().collect();
        self.raised = now;
        new.into_iter().map(|alarm| describe(alarm, found, config)).collect()
    }
}

/// Whether a layer makes no difference, or says the same of all sentences. Directions have a mean of length 1 then; Gaussian means, which
/// can have any length, do not move.
fn is_dead(layer: &LayerUse, posterior: PosteriorConfig) -> bool {
    let constant = match posterior.is_spherical() {
        true => layer.resultant > DEAD_RESULTANT,
        false => layer.active == 0,
    };
    layer.rise_by_other < DEAD_RISE || constant
}

fn describe(alarm: Alarm, found: &LatentUse, config: &TextVaeConfig) -> String {
    let remedy = match config.posterior {
        PosteriorConfig::Gaussian { .. } => {
            "let β rise later (`objective.annealing`), lower `objective.beta`, set `objective.free_bits` or \
             `objective.posterior.batch_norm`"
        }
        _ => "train longer, raise `objective.posterior.concentration`, or widen `objective.latent.width`",
    };
    match alarm {
        Alarm::Ignored => format!(
            "the decoder hardly uses the latents: with those of another sentence a sentence costs only {:.2} nats more, of {:.2} that are \
             known of it. Remedy: {remedy}",
            found.rise_by_other,
            found.divergence()
        ),
        Alarm::Dead(number) => {
            let layer = &found.layers[number - 1];
            let spread = match config.posterior.is_spherical() {
                true => format!("its directions have a mean of length {:.2}", layer.resultant),
                false => format!("{} of its numbers are active", layer.active),
            };
            format!(
                "the latent of layer {number} is as good as dead: that of another sentence costs {:.2} nats, and {spread}. Remedy: fewer \
                 layers (`objective.latent.layers`), or {remedy}",
                layer.rise_by_other
            )
        }
        Alarm::Saturated => format!(
            "mutual information is estimated at its ceiling, the logarithm of {} sentences: the latents tell at least that, and the estimate no \
             more. Remedy: measure on more sentences",
            found.sentences
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `layers` have each a rise, the length of the mean of their directions, and information.
    fn found(all: f64, layers: &[(f64, f64, f64)]) -> LatentUse {
        let layer = |(index, &(rise, resultant, information)): (usize, &(f64, f64, f64))| LayerUse {
            layer: index + 1,
            divergence: 7.5,
            rise_by_other: rise,
            rise_by_prior: None,
            rise_without_others: None,
            information,
            information_ceiling: 6.0,
            resultant,
            effective_rank: 5.0,
            active: 16,
        };
        LatentUse {
            sentences: 403,
            rise_by_other: all,
            layers: layers.iter().enumerate().map(layer).collect(),
        }
    }

    #[test]
    fn each_thing_is_told_once_until_it_comes_again() {
        let (mut alarms, config) = (Alarms::default(), TextVaeConfig::default());
        let used = found(20.0, &[(4.0, 0.1, 3.0), (9.0, 0.2, 3.0)]);
        let ignored = found(0.3, &[(0.1, 0.1, 3.0), (0.2, 0.2, 3.0)]);
        assert!(alarms.judge(&ignored, &config, 0.1).is_empty(), "too early to tell");
        let said = alarms.judge(&ignored, &config, 0.5);
        assert!(said.len() == 1 && said[0].contains("hardly uses") && said[0].contains("concentration"));
        assert!(alarms.judge(&ignored, &config, 0.6).is_empty());
        assert!(alarms.judge(&used, &config, 0.7).is_empty());
        assert_eq!(alarms.judge(&ignored, &config, 0.8).len(), 1);
    }

    #[test]
    fn dead_layers_and_saturated_estimates() {
        let found = found(20.0, &[(0.01, 0.1, 3.0), (9.0, 0.99, 5.95)]);
        let said = Alarms::default().judge(&found, &TextVaeConfig::default(), 0.5);
        assert_eq!(said.len(), 3, "{said:?}");
        assert!(said[0].contains("layer 1") && said[0].contains("0.01 nats"));
        assert!(said[1].contains("layer 2") && said[1].contains("length 0.99"));
        assert!(said[2].contains("403 sentences"));
    }

    #[test]
    fn gaussian_means_of_any_length_live_as_long_as_they_move() {
        let config = TextVaeConfig { posterior: PosteriorConfig::GAUSSIAN, ..TextVaeConfig::default() };
        let mut found = found(20.0, &[(4.0, 3.7, 3.0), (9.0, 0.99, 3.0)]);
        assert!(Alarms::default().judge(&found, &config, 0.5).is_empty());
        found.layers[1].active = 0;
        let said = Alarms::default().judge(&found, &config, 0.5);
        assert!(said.len() == 1 && said[0].contains("0 of its numbers are active"), "{said:?}");
        assert!(said[0].contains("layer 2") && said[0].contains("free_bits"));
    }
}
