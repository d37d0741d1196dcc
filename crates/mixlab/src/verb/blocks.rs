//! `mixlab blocks`: the parts a model can be made of, and what each token mixer promises.

use clap::{Args, Subcommand};
use mixlab_core::config::{KeyDocumentation, keys};
use mixlab_nn::mixer::MixerConfig;
use mixlab_nn::{ModelConfig, Promises};
use serde::Serialize;

use crate::failure::{Exit, Failure};
use crate::output::{columns, fold, print, print_json};

/// Show the parts that models are made of
#[derive(Debug, Args)]
pub struct Blocks {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// List mixers, norms, residual schemes and positions, and the promises
    #[command(after_long_help = "\
Example:
  mixlab blocks list

A promise holds for every model with that mixer, and a test would fail if it
did not. `causal` rows are for language models, `both` rows see both sides.")]
    List {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
}

/// The slots of a model that have kinds, in the order of the data's way through it.
const SLOTS: [(&str, &str); 6] = [
    ("mixer", "token mixers"),
    ("channel", "channel mixers"),
    ("norm", "norms"),
    ("residual", "residual schemes"),
    ("position", "absolute positions"),
    ("initialisation", "initialisations"),
];

#[derive(Serialize)]
struct Part {
    slot: &'static str,
    kind: String,
    summary: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    promises: Vec<Promised>,
}

#[derive(Serialize)]
struct Promised {
    direction: &'static str,
    #[serde(flatten)]
    holds: Promises,
}

impl Blocks {
    pub fn run(self) -> Result<Exit, Failure> {
        let Action::List { json } = self.action;
        if json {
            print_json(&parts())?;
        } else {
            print(&describe(&parts()))?;
        }
        Ok(Exit::Done)
    }
}

/// Every kind of every slot, read from the types that the config files are read into.
fn parts() -> Vec<Part> {
    let documentation = keys::<ModelConfig>();
    let kinds = SLOTS.iter().flat_map(|(slot, _)| {
        let path = format!("{slot}.kind");
        documentation.iter().filter(move |key| key.path == path).map(move |key| (*slot, key))
    });
    kinds.filter_map(|(slot, key)| part(slot, key)).collect()
}

fn part(slot: &'static str, key: &KeyDocumentation) -> Option<Part> {
    let kind = key.variant.clone()?;
    let promises = if slot == "mixer" { promises(&kind) } else { Vec::new() };
    Some(Part { slot, kind, summary: key.documentation.replace('\n', " "), promises })
}

fn promises(kind: &str) -> Vec<Promised> {
    let catalogue = MixerConfig::catalogue();
    let Some(mixer) = catalogue.iter().find(|mixer| mixer.name() == kind) else { return Vec::new() };
    let one = |direction, causal| Promised { direction, holds: mixer.promises(causal) };
    let causal = mixer.check_direction(true).is_ok().then(|| one("causal", true));
    causal.into_iter().chain([one("both", false)]).collect()
}

fn describe(parts: &[Part]) -> String {
    let mut text = String::new();
    for (slot, title) in SLOTS {
        text.push_str(&format!("{title} (model.{slot}.kind)\n"));
        for part in parts.iter().filter(|part| part.slot == slot) {
            text.push_str(&format!("  {}\n{}", part.kind, fold(&part.summary, "      ", 80)));
        }
        text.push('\n');
    }
    text.push_str("promises of the token mixers\n");
    text.push_str(&matrix(parts));
    text
}

/// One row for each mixer and direction; a promise is headed by its first word so that a row fits a line.
fn matrix(parts: &[Part]) -> String {
    let first_word = |name: &str| name.split([' ', '-']).next().unwrap_or(name).to_owned();
    let names = Promises::default().entries().map(|(name, _)| name);
    let head = [String::new(), String::new()].into_iter().chain(names.map(first_word));
    let mut rows: Vec<Vec<String>> = vec![head.collect()];
    for part in parts {
        for promised in &part.promises {
            let held = promised.holds.entries().map(|(_, held)| if held { "yes" } else { "-" }.to_owned());
            rows.push([part.kind.clone(), promised.direction.into()].into_iter().chain(held).collect());
        }
    }
    format!("{}{}", columns(&rows), fold(&format!("in full: {}", names.join(", ")), "", 80))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_mixer_has_a_summary_and_promises() {
        let parts = parts();
        let mixers: Vec<&Part> = parts.iter().filter(|part| part.slot == "mixer").collect();
        assert_eq!(mixers.len(), MixerConfig::catalogue().len());
        for mixer in mixers {
            assert!(!mixer.summary.is_empty() && !mixer.promises.is_empty(), "{}", mixer.kind);
        }
    }

    #[test]
    fn the_list_fits_a_terminal() {
        let text = describe(&parts());
        assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
    }

    #[test]
    fn every_slot_has_kinds() {
        let parts = parts();
        for (slot, _) in SLOTS {
            assert!(parts.iter().any(|part| part.slot == slot), "{slot}");
        }
    }
}
