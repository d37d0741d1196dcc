//! Measuring a text VAE.

use std::path::Path;

use mixlab_data::DocumentSeparator;
use mixlab_train::{Bound, Config, LatentUse, QualityOptions, Reconstruction, TextVaeFolder, TextVaeQuality};

use super::Eval;
use crate::failure::{Exit, Failure, ProgramError};
use crate::output::{columns, print_report};
use crate::verb::vae::tell_notes;

impl Eval {
    pub(super) fn run_text_vae(&self, path: &Path, run: Option<&Config>) -> Result<Exit, Failure> {
        let device = self.device.open();
        let folder = TextVaeFolder::load(path, &device)?;
        let texts = self.text(run, DocumentSeparator::Line)?;
        if texts.is_empty() {
            return Err(ProgramError::NothingToMeasure { path: self.model.clone() }.into());
        }
        let batch = self.batch.or(run.map(|config| config.evaluate.batch)).unwrap_or(64);
        let data = folder.sentences(&texts, batch)?;
        tell_notes(data.notes(), data.sentences(), folder.length());
        let defaults = QualityOptions::default();
        let options = QualityOptions {
            draws: self.draws.unwrap_or(defaults.draws),
            samples: self.samples.unwrap_or(defaults.samples),
            seed: run.map_or(defaults.seed, |config| config.run.seed),
            ..defaults
        };
        print_report(&folder.quality(&data, options)?, self.json, describe)?;
        Ok(Exit::Done)
    }
}

fn describe(quality: &TextVaeQuality) -> String {
    let mut rows: Vec<Vec<String>> = Vec::new();
    let mut add = |name: &str, value: String| rows.push(vec![name.to_owned(), value]);
    add("sentences", format!("{}, {} tokens with their ends", quality.sentences, quality.tokens));
    let per_token = quality.reconstruction_nats * quality.sentences as f64 / quality.tokens.max(1) as f64;
    add(
        "reconstruction",
        format!("{:.4} nats/sentence, {per_token:.4} nats/token", quality.reconstruction_nats),
    );
    add("divergence", format!("{:.4} nats/sentence", quality.divergence_nats));
    add("evidence lower bound", bound(&quality.evidence_lower_bound));
    if let Some(found) = &quality.importance_weighted {
        add("importance-weighted bound", bound(found));
    }
    add("from means", returned(&quality.from_means));
    add("from draws", returned(&quality.from_draws));
    if let Some(samples) = &quality.samples {
        let percent = |share: f64| format!("{:.1} %", 100.0 * share);
        add(
            "made up",
            format!(
                "{} texts: {} ended, {} in the form of a measured one, {} different",
                samples.count,
                percent(samples.ended),
                percent(samples.known_form),
                percent(samples.distinct_texts)
            ),
        );
        add(
            "their variety",
            format!(
                "distinct-1 {:.4}, distinct-2 {:.4}, self-BLEU {:.1}",
                samples.distinct_1, samples.distinct_2, samples.self_bleu
            ),
        );
    }
    let usage = quality.usage.as_ref().map_or_else(String::new, usage);
    columns(&rows) + &usage
}

fn bound(bound: &Bound) -> String {
    let Bound { draws, sentences, nats_per_sentence, perplexity } = bound;
    let of = if *draws == 1 { String::new() } else { format!(" ({draws} draws, {sentences} sentences)") };
    format!("{nats_per_sentence:.4} nats/sentence, perplexity at most {perplexity:.3}{of}")
}

fn returned(found: &Reconstruction) -> String {
    let Reconstruction { exact, tokens, bleu } = found;
    format!("{:.2} % exact, {:.2} % of tokens, BLEU {bleu:.2}", 100.0 * exact, 100.0 * tokens)
}

/// The usage matrix, and what latents tell.
fn usage(usage: &LatentUse) -> String {
    let mut rows = vec![
        [
            "layer",
            "divergence",
            "of another",
            "from prior",
            "all but it",
            "information",
            "resultant",
            "rank",
            "active",
        ]
        .map(str::to_owned)
        .to_vec(),
    ];
    for layer in &usage.layers {
        let optional =
            |value: Option<f64>| value.map_or_else(|| "–".to_owned(), |value| format!("{value:.3}"));
        let saturated = if layer.is_saturated() { " (at its ceiling)" } else { "" };
        rows.push(vec![
            layer.layer.to_string(),
            format!("{:.3}", layer.divergence),
            format!("{:.3}", layer.rise_by_other),
            optional(layer.rise_by_prior),
            optional(layer.rise_without_others),
            format!("{:.3}{saturated}", layer.information),
            format!("{:.3}", layer.resultant),
            format!("{:.1}", layer.effective_rank),
            layer.active.to_string(),
        ]);
    }
    let ceiling = usage.layers.first().map_or(0.0, |layer| layer.information_ceiling);
    format!(
        "\nrise of the reconstruction in nats/sentence over {} sentences when a latent is exchanged; all latents {:.3}\n{}\
         information can be told up to {ceiling:.3} nats, the logarithm of the number of sentences\n",
        usage.sentences,
        usage.rise_by_other,
        columns(&rows)
    )
}
