//! Measuring a model that writes targets.

use std::path::Path;

use mixlab_data::{Corpus, DataConfig, DocumentSeparator, EvaluationData, Pairs, load_pairs, read_pairs};
use mixlab_train::{Config, Folded, HeldOutPairs, ModelFolder, ObjectiveConfig, Writer, evaluate_pairs};
use serde::Serialize;

use super::Eval;
use crate::failure::{Exit, Failure, ProgramError};
use crate::output::{columns, print, print_json};

#[derive(Serialize)]
struct Measured {
    /// Mean negative log-likelihood in nats per token of the targets.
    loss: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    bits_per_byte: Option<f64>,
    pairs: usize,
    tokens: u64,
}

impl Eval {
    pub(super) fn run_pairs<M: Writer + Folded>(
        &self,
        path: &Path,
        run: Option<&Config>,
    ) -> Result<Exit, Failure> {
        let device = self.device.open();
        let folder: ModelFolder<M> = ModelFolder::load(path, &device)?;
        let data = self.held_out(&folder, run)?;
        let seed = run.map_or(0, |config| config.run.seed);
        let evaluation = evaluate_pairs(&folder, &data, seed, &device);
        let measured = Measured {
            loss: evaluation.loss,
            bits_per_byte: evaluation.bits_per_byte,
            pairs: data.count(),
            tokens: evaluation.tokens,
        };
        if self.json {
            print_json(&measured)?;
        } else {
            print(&describe(&measured))?;
        }
        Ok(Exit::Done)
    }

    fn held_out<M: Writer + Folded>(
        &self,
        folder: &ModelFolder<M>,
        run: Option<&Config>,
    ) -> Result<HeldOutPairs, Failure> {
        let (shape, tokenizer) = (folder.config.pair_shape(), &folder.tokenizer);
        if let ObjectiveConfig::SpanCorruption { spans } = folder.config.objective {
            let corpus = Corpus::encode(tokenizer, &self.text(run, DocumentSeparator::File)?)?;
            let text = EvaluationData::new(corpus, tokenizer, self.options(run, folder.config.length))?;
            return Ok(HeldOutPairs::spans(text, spans, tokenizer.clone(), shape));
        }
        let batch = self.batch.or(run.map(|config| config.evaluate.batch)).unwrap_or(16);
        Ok(HeldOutPairs::pairs(&self.pairs(run)?, tokenizer, shape, batch)?)
    }

    /// The files, or what the run held out.
    fn pairs(&self, run: Option<&Config>) -> Result<Pairs, Failure> {
        let nothing = || ProgramError::NothingToMeasure { path: self.model.clone() };
        let config = run.map_or_else(DataConfig::default, |config| config.data.clone());
        if self.files.is_empty() {
            let held_out = if run.is_some() { load_pairs(&config)?.evaluate } else { Pairs::default() };
            return if held_out.is_empty() { Err(nothing().into()) } else { Ok(held_out) };
        }
        Ok(read_pairs(&self.files, &self.pair_fields(config))?)
    }
}

fn describe(measured: &Measured) -> String {
    let mut rows = vec![vec!["loss".to_owned(), format!("{:.4} nats/token of the targets", measured.loss)]];
    rows.extend(
        measured.bits_per_byte.map(|bits| vec!["compression".into(), format!("{bits:.4} bits/byte")]),
    );
    rows.push(vec!["pairs".into(), format!("{}, {} tokens to write", measured.pairs, measured.tokens)]);
    columns(&rows)
}
