//! One number per run: where it is read and which direction is better.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::error::StudyError;
use super::run::Run;
use super::statistics::median;

/// Which direction of a metric is an improvement.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Better {
    /// A smaller number is better.
    Lower,
    /// A larger number is better.
    Higher,
}

/// Where the numbers of a metric stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// Lines of `metrics.jsonl` with `split` = "train".
    Train,
    /// Lines of `metrics.jsonl` with `split` = "eval".
    Eval,
    /// All lines of `metrics.jsonl`.
    Any,
    /// Numbers about the run as a whole, which its runner measured.
    Report,
}

/// How the numbers of a run become one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Take {
    /// The one of the last line.
    Last,
    /// The smallest if lower is better, else the largest. A choice made by looking at the
    /// evaluation text: comparable between runs, optimistic as an estimate.
    Best,
    /// The mean over the last tenth of the lines, at least one: for noisy training lines.
    Tail,
    /// The mean.
    Mean,
    /// The median: for speeds, where single steps are disturbed by evaluation and other programs.
    Median,
    /// The smallest.
    Min,
    /// The largest.
    Max,
}

/// A metric as a sweep file defines it under `[metric.NAME]`. What is left out is taken from the
/// known metric of that name.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct MetricConfig {
    /// The field of `metrics.jsonl`, such as "loss".
    pub field: Option<String>,
    /// Which lines: "train", "eval", "any", or "report".
    pub source: Option<Source>,
    /// How they become one number: "last", "best", "tail", "mean", "median", "min", "max".
    pub take: Option<Take>,
    /// Which direction is better: "lower" or "higher".
    pub better: Option<Better>,
}

/// A metric, complete.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Metric {
    /// Its name in tables.
    pub name: String,
    /// The field it is read from.
    pub field: String,
    /// The lines it is read from.
    pub source: Source,
    /// How lines become one number.
    pub take: Take,
    /// Which direction is better.
    pub better: Better,
}

/// The metrics that need no definition.
pub fn presets() -> Vec<Metric> {
    use {Better::*, Source::*, Take::*};
    let rows = [
        ("eval_loss", "loss", Eval, Last, Lower),
        ("bits_per_byte", "bits_per_byte", Eval, Last, Lower),
        ("best_eval_loss", "loss", Eval, Best, Lower),
        ("best_bits_per_byte", "bits_per_byte", Eval, Best, Lower),
        ("accuracy", "accuracy", Eval, Last, Higher),
        ("best_accuracy", "accuracy", Eval, Max, Higher),
        ("train_loss", "loss", Train, Tail, Lower),
        ("grad_norm", "grad_norm", Train, Max, Lower),
        ("tokens", "tokens", Train, Last, Lower),
        ("tokens_per_second", "tokens_per_second", Train, Median, Higher),
        ("seconds", "seconds", Any, Last, Lower),
        ("peak_memory_mib", "peak_memory_mib", Report, Last, Lower),
    ];
    rows.map(|(name, field, source, take, better)| Metric {
        name: name.to_owned(),
        field: field.to_owned(),
        source,
        take,
        better,
    })
    .into()
}

impl Metric {
    /// The metrics called `names`, each a preset, a definition, or a preset with parts replaced.
    ///
    /// # Errors
    /// An empty list, a name given twice, a name nobody knows, an incomplete or unused definition.
    pub fn select(
        names: &[String],
        defined: &BTreeMap<String, MetricConfig>,
    ) -> Result<Vec<Metric>, StudyError> {
        if names.is_empty() {
            return Err(StudyError::Empty { what: "the list `metrics`".to_owned() });
        }
        for (i, name) in names.iter().enumerate() {
            if names[..i].contains(name) {
                return Err(StudyError::Twice { what: "metric".to_owned(), value: name.clone() });
            }
        }
        if let Some(name) = defined.keys().find(|name| !names.contains(name)) {
            return Err(StudyError::UnusedMetric { name: name.clone() });
        }
        names.iter().map(|name| Metric::find(name, defined)).collect()
    }

    fn find(name: &str, defined: &BTreeMap<String, MetricConfig>) -> Result<Metric, StudyError> {
        let preset = presets().into_iter().find(|metric| metric.name == name);
        let Some(own) = defined.get(name) else {
            return preset.ok_or_else(|| {
                let known: Vec<String> = presets().into_iter().map(|metric| metric.name).collect();
                StudyError::UnknownMetric { name: name.to_owned(), known: known.join(", ") }
            });
        };
        let missing = |missing| StudyError::IncompleteMetric { name: name.to_owned(), missing };
        let preset = preset.as_ref();
        Ok(Metric {
            name: name.to_owned(),
            field: own.field.clone().or(preset.map(|p| p.field.clone())).ok_or_else(|| missing("field"))?,
            source: own.source.or(preset.map(|p| p.source)).ok_or_else(|| missing("source"))?,
            take: own.take.or(preset.map(|p| p.take)).ok_or_else(|| missing("take"))?,
            better: own.better.or(preset.map(|p| p.better)).ok_or_else(|| missing("better"))?,
        })
    }

    /// The number of one run, or the reason why it has none.
    pub fn value(&self, run: &Run) -> Result<f64, String> {
        let values: Vec<f64> = match self.source {
            Source::Report => run.report.get(&self.field).copied().into_iter().collect(),
            _ => run.series(self.source, &self.field).into_iter().map(|(_, value)| value).collect(),
        };
        let value = self.reduce(&values).ok_or_else(|| match self.source {
            Source::Report => format!("no `{}` was measured", self.field),
            Source::Any => format!("no line has `{}`", self.field),
            Source::Train => format!("no train line has `{}`", self.field),
            Source::Eval => format!("no eval line has `{}`", self.field),
        })?;
        if value.is_finite() { Ok(value) } else { Err(format!("`{}` is not finite", self.field)) }
    }

    fn reduce(&self, values: &[f64]) -> Option<f64> {
        let last = *values.last()?;
        let mean = |part: &[f64]| part.iter().sum::<f64>() / part.len() as f64;
        // Unlike f64::min and f64::max these let NaN through: a diverged run must not look good.
        let extreme = |better: Better| {
            values.iter().copied().reduce(|a, b| match better {
                _ if a.is_nan() || b.is_nan() => f64::NAN,
                Better::Lower => a.min(b),
                Better::Higher => a.max(b),
            })
        };
        match self.take {
            Take::Last => Some(last),
            Take::Best => extreme(self.better),
            Take::Min => extreme(Better::Lower),
            Take::Max => extreme(Better::Higher),
            Take::Mean => Some(mean(values)),
            Take::Median => median(values),
            Take::Tail => Some(mean(&values[values.len() - values.len().div_ceil(10)..])),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(name: &str) -> Metric {
        Metric::find(name, &BTreeMap::new()).unwrap()
    }

    fn with(take: Take, better: Better) -> Metric {
        Metric { take, better, ..named("eval_loss") }
    }

    #[test]
    fn reductions_by_hand() {
        let values = [5.0, 3.0, 1.0, 2.0];
        let expected = [
            (Take::Last, 2.0),
            (Take::Best, 1.0),
            (Take::Mean, 2.75),
            (Take::Median, 2.5),
            (Take::Min, 1.0),
            (Take::Max, 5.0),
            (Take::Tail, 2.0),
        ];
        for (take, number) in expected {
            assert_eq!(with(take, Better::Lower).reduce(&values), Some(number), "{take:?}");
        }
        assert_eq!(with(Take::Best, Better::Higher).reduce(&values), Some(5.0));
        let twenty: Vec<f64> = (1..=20).map(f64::from).collect();
        assert_eq!(with(Take::Tail, Better::Lower).reduce(&twenty), Some(19.5));
        assert_eq!(with(Take::Last, Better::Lower).reduce(&[]), None);
    }

    #[test]
    fn a_nan_is_never_the_best() {
        let values = [f64::NAN, 1.0];
        assert!(with(Take::Best, Better::Lower).reduce(&values).unwrap().is_nan());
        assert!(with(Take::Max, Better::Lower).reduce(&values).unwrap().is_nan());
    }

    #[test]
    fn definitions_complete_presets_and_stand_alone() {
        let defined: BTreeMap<String, MetricConfig> = toml::from_str(
            "[eval_loss]\ntake = 'min'\n[accuracy]\nfield = 'accuracy'\nsource = 'eval'\ntake = 'last'\nbetter = 'higher'",
        )
        .unwrap();
        let names = ["eval_loss".to_owned(), "accuracy".to_owned()];
        let metrics = Metric::select(&names, &defined).unwrap();
        assert_eq!((metrics[0].take, metrics[0].field.as_str()), (Take::Min, "loss"));
        assert_eq!(metrics[1].better, Better::Higher);
    }

    #[test]
    fn bad_lists_are_refused() {
        let select = |names: &[&str], defined: &str| {
            let names: Vec<String> = names.iter().map(|n| (*n).to_owned()).collect();
            Metric::select(&names, &toml::from_str(defined).unwrap()).unwrap_err().to_string()
        };
        assert_eq!(select(&[], ""), "the list `metrics` is empty");
        assert_eq!(select(&["seconds", "seconds"], ""), "metric `seconds` is given twice");
        assert!(select(&["los"], "").starts_with("unknown metric `los`, known are: eval_loss, "));
        assert!(select(&["x"], "[x]\nfield = 'x'").contains("needs `source`"));
        assert!(select(&["seconds"], "[x]\nfield = 'x'").contains("not listed"));
    }
}
