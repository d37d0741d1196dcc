//! Sources and targets as a run uses them: pairs of texts, or spans hidden in running text.

use std::path::Path;

use mixlab_core::{Key, Purpose};
use mixlab_data::{
    EvaluationData, PairBatch, PairEvaluation, PairTraining, Pairs, SpanConfig, Tokenizer, TrainingData,
    hide_spans, load_pairs,
};

use crate::observer::Observer;
use crate::pair_shape::PairShape;
use crate::prepare::{Prepared, keep_tokenizer};
use crate::{Config, ObjectiveConfig, TrainError};

/// Batches that tell how long batches are.
const TYPICAL: u64 = 16;

/// What batches of pairs are like, sources first.
pub(crate) struct TypicalPairs {
    /// Positions, padding included.
    pub lengths: [usize; 2],
    /// Positions of both in the longest batch over those in a typical one.
    pub longest: f64,
    /// The share of positions that is not padding.
    pub real: [f64; 2],
}

/// Sources and targets to train on and to measure on, ready for batches.
pub(crate) struct PairData {
    pub tokenizer: Tokenizer,
    pub shape: PairShape,
    train: Training,
    pub evaluation: Option<HeldOutPairs>,
}

enum Training {
    Pairs(PairTraining),
    Spans { text: TrainingData, spans: SpanConfig },
}

/// Sources and targets to measure on.
pub struct HeldOutPairs {
    rows: HeldOutRows,
    /// Bytes of all targets, if none of them was cut.
    bytes: Option<u64>,
}

enum HeldOutRows {
    Pairs(PairEvaluation),
    Spans { text: EvaluationData, spans: SpanConfig, tokenizer: Box<Tokenizer>, shape: PairShape },
}

impl PairData {
    /// Reads the data of a run; its tokenizer is kept in the run folder.
    pub fn new(config: &Config, run: Option<&Path>, observer: &mut dyn Observer) -> Result<Self, TrainError> {
        let shape = config.pair_shape();
        if let ObjectiveConfig::SpanCorruption { spans } = config.objective {
            let Prepared { tokenizer, train, evaluation } = Prepared::new(config, run, observer)?;
            let evaluation =
                evaluation.map(|text| HeldOutPairs::spans(text, spans, tokenizer.clone(), shape));
            return Ok(PairData {
                tokenizer,
                shape,
                train: Training::Spans { text: train, spans },
                evaluation,
            });
        }
        observer.phase("reading the data");
        let split = load_pairs(&config.data)?;
        let tokenizer = keep_tokenizer(config, run, &split.train.texts(), observer)?;
        observer.phase("tokenizing");
        let evaluation = match split.evaluate.is_empty() {
            true => None,
            false => Some(HeldOutPairs::pairs(&split.evaluate, &tokenizer, shape, config.evaluate.batch)?),
        };
        let options = shape.options(config.train.batch);
        let (accumulation, seed) = (config.train.accumulation, config.run.seed);
        let train = PairTraining::new(&split.train, &tokenizer, options, accumulation, seed)?;
        if train.cut() > 0 {
            observer.notice(&format!(
                "{} of {} pairs are longer than {} tokens of source or {} of target and lose their ends",
                train.cut(),
                train.pairs(),
                shape.source,
                shape.target
            ));
        }
        Ok(PairData { tokenizer, shape, train: Training::Pairs(train), evaluation })
    }

    /// One micro-batch of a step.
    pub fn train(&self, step: u64, micro: usize, seed: u64) -> PairBatch {
        match &self.train {
            Training::Pairs(pairs) => pairs.batch(step, micro),
            Training::Spans { text, spans } => {
                let key = Key::root(seed).purpose(Purpose::Mask).step(step);
                hide_spans(&text.batch(step, micro), &self.tokenizer, spans, self.shape.full(), key)
            }
        }
    }

    /// What the first batches are like on average.
    pub fn typical(&self, seed: u64) -> TypicalPairs {
        let batches: Vec<PairBatch> = (0..TYPICAL).map(|step| self.train(step, 0, seed)).collect();
        let sum = |of: &dyn Fn(&PairBatch) -> usize| batches.iter().map(of).sum::<usize>();
        let lengths = [sum(&|pairs| pairs.source_length), sum(&|pairs| pairs.target_length)];
        let positions = [sum(&|pairs| pairs.sources.len()), sum(&|pairs| pairs.targets.len())];
        let real = [0, 1].map(|part| sum(&|pairs| pairs.real_positions()[part]));
        let most = batches.iter().map(|pairs| pairs.source_length + pairs.target_length).max().unwrap_or(0);
        TypicalPairs {
            longest: (most * batches.len()) as f64 / (lengths[0] + lengths[1]).max(1) as f64,
            lengths: lengths.map(|sum| sum.div_ceil(batches.len())),
            real: [0, 1].map(|part| real[part] as f64 / positions[part].max(1) as f64),
        }
    }

    pub fn fingerprint(&self) -> String {
        match &self.train {
            Training::Pairs(pairs) => pairs.fingerprint(),
            Training::Spans { text, .. } => text.corpus().fingerprint(),
        }
    }

    pub fn epochs(&self, steps: u64) -> f64 {
        match &self.train {
            Training::Pairs(pairs) => pairs.epochs(steps),
            Training::Spans { text, .. } => text.epochs(steps),
        }
    }

    /// Pairs to train on; of running text, rows of it.
    pub fn count(&self) -> usize {
        match &self.train {
            Training::Pairs(pairs) => pairs.pairs(),
            Training::Spans { text, .. } => text.rows_per_epoch(),
        }
    }
}

impl HeldOutPairs {
    /// Pairs of texts.
    ///
    /// # Errors
    /// No pair, or a text that the tokenizer cannot encode.
    pub fn pairs(
        pairs: &Pairs,
        tokenizer: &Tokenizer,
        shape: PairShape,
        batch: usize,
    ) -> Result<Self, TrainError> {
        let rows = PairEvaluation::new(pairs, tokenizer, shape.options(batch))?;
        let bytes = (rows.cut() == 0).then(|| pairs.targets.bytes());
        Ok(HeldOutPairs { rows: HeldOutRows::Pairs(rows), bytes })
    }

    /// Spans of running text.
    pub fn spans(text: EvaluationData, spans: SpanConfig, tokenizer: Tokenizer, shape: PairShape) -> Self {
        let tokenizer = Box::new(tokenizer);
        HeldOutPairs { rows: HeldOutRows::Spans { text, spans, tokenizer, shape }, bytes: None }
    }

    /// Number of batches.
    pub fn batches(&self) -> usize {
        match &self.rows {
            HeldOutRows::Pairs(pairs) => pairs.batches(),
            HeldOutRows::Spans { text, .. } => text.batches(),
        }
    }

    /// One batch. `seed` decides what is hidden, which does not depend on the step, so that evaluations can be compared.
    pub fn batch(&self, index: usize, seed: u64) -> PairBatch {
        match &self.rows {
            HeldOutRows::Pairs(pairs) => pairs.batch(index),
            HeldOutRows::Spans { text, spans, tokenizer, shape } => {
                let key = Key::root(seed).purpose(Purpose::Mask).site("evaluation").index(index as u64);
                hide_spans(&text.batch(index), tokenizer, spans, shape.full(), key)
            }
        }
    }

    /// Bytes of all targets, where that has a meaning.
    pub fn bytes(&self) -> Option<u64> {
        self.bytes
    }

    /// Pairs; of running text, windows of it.
    pub fn count(&self) -> usize {
        match &self.rows {
            HeldOutRows::Pairs(pairs) => pairs.pairs(),
            HeldOutRows::Spans { text, .. } => text.windows(),
        }
    }
}
