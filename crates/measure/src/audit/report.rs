//! What came out of an audit.

use std::fmt;

use mixlab_nn::Promises;
use serde::{Serialize, Serializer};

/// Something a layer owes: a promise, or what every layer owes without declaring it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Check {
    /// A later token never changes an earlier output.
    Causal,
    /// Every length is defined.
    AnyLength,
    /// Hidden tokens never change the outputs of real ones.
    PaddingSafe,
    /// Piece by piece equals the full pass.
    Streaming,
    /// The outputs of a prefix do not change when the sequence is extended.
    PrefixConsistent,
    /// Permuting the tokens permutes the outputs.
    PermutationEquivariant,
    /// Documents packed into one row never see each other. Always owed.
    Documents,
    /// Kernels equal their definitions, in value and every gradient. Always owed.
    FastEqualsPlain,
    /// Lengths that are allowed give finite numbers, others are refused. Always owed.
    FiniteOrRefused,
}

impl Check {
    /// All of them, in the order in which they are shown.
    pub const ALL: [Check; 9] = [
        Check::Causal,
        Check::AnyLength,
        Check::PaddingSafe,
        Check::Streaming,
        Check::PrefixConsistent,
        Check::PermutationEquivariant,
        Check::Documents,
        Check::FastEqualsPlain,
        Check::FiniteOrRefused,
    ];

    /// The name: that of the promise, where it is one.
    pub fn name(self) -> &'static str {
        match self {
            Check::Causal => "causal",
            Check::AnyLength => "any length",
            Check::PaddingSafe => "padding-safe",
            Check::Streaming => "streaming",
            Check::PrefixConsistent => "prefix-consistent",
            Check::PermutationEquivariant => "permutation-equivariant",
            Check::Documents => "documents apart",
            Check::FastEqualsPlain => "fast equals plain",
            Check::FiniteOrRefused => "finite or refused",
        }
    }

    /// Whether a layer with these promises owes it.
    pub fn is_owed(self, promises: &Promises) -> bool {
        match self {
            Check::Causal => promises.causal,
            Check::AnyLength => promises.any_length,
            Check::PaddingSafe => promises.padding_safe,
            Check::Streaming => promises.streaming,
            Check::PrefixConsistent => promises.prefix_consistent,
            Check::PermutationEquivariant => promises.permutation_equivariant,
            Check::Documents | Check::FastEqualsPlain | Check::FiniteOrRefused => true,
        }
    }
}

impl Serialize for Check {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

/// What became of one check on one layer.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "status", rename_all = "snake_case")]
pub enum Outcome {
    /// The layer does not declare it.
    NotPromised,
    /// No length that was chosen admits an experiment.
    NotRun,
    /// Every experiment agreed.
    Held {
        /// Their number.
        experiments: usize,
    },
    /// An experiment refutes it.
    Violated {
        /// The one at the lowest position; among several, at the length run first.
        violation: Violation,
    },
}

/// A promise that does not hold, and where.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Violation {
    /// Number of the layer, from 0.
    pub block: usize,
    /// Its name.
    pub layer: String,
    /// What does not hold.
    pub check: Check,
    /// Length of the sequence.
    pub length: usize,
    /// Row of the batch, from 0, where the violation has one.
    pub sample: Option<usize>,
    /// Position of the output, from 0, where the violation has one.
    pub position: Option<usize>,
    /// Largest difference there, over the largest value of the layer; absent where there is no number.
    pub difference: Option<f64>,
    /// The experiment and what it showed.
    pub what: String,
}

impl Violation {
    /// Order of the report: the lowest block, then the lowest position; what spoils a whole layer comes first, and what is
    /// no number before what is another one.
    fn rank(&self) -> (usize, Option<usize>, bool, Check) {
        (self.block, self.position, self.check != Check::FiniteOrRefused, self.check)
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} breaks `{}`: at length {}", self.layer, self.check.name(), self.length)?;
        if let Some(sample) = self.sample {
            write!(f, ", sample {sample}")?;
        }
        if let Some(position) = self.position {
            write!(f, ", position {position}")?;
        }
        write!(f, ", {}", self.what)?;
        match self.difference {
            Some(difference) => write!(f, " (relative difference {difference:.1e})"),
            None => Ok(()),
        }
    }
}

/// One check of one layer.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Checked {
    /// What was checked.
    pub check: Check,
    /// What came out.
    #[serde(flatten)]
    pub outcome: Outcome,
}

/// Every check of one layer.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct LayerReport {
    /// Number of the layer, from 0.
    pub block: usize,
    /// Its name.
    pub layer: String,
    /// In the order of [`Check::ALL`].
    pub checks: Vec<Checked>,
}

impl LayerReport {
    /// What became of one check.
    pub fn outcome(&self, check: Check) -> &Outcome {
        // Every report holds every check, in their order.
        &self.checks[check as usize].outcome
    }
}

/// What came out of an audit.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct AuditReport {
    /// `causal`, or `both` for models that see both sides.
    pub direction: &'static str,
    /// The lengths that were run.
    pub lengths: Vec<usize>,
    /// The lengths that were refused, as they should be.
    pub refused: Vec<usize>,
    /// The layers.
    pub layers: Vec<LayerReport>,
    /// The violation at the lowest block, and there at the lowest position.
    pub first_violation: Option<Violation>,
}

impl AuditReport {
    /// Whether nothing was refuted.
    pub fn holds(&self) -> bool {
        self.first_violation.is_none()
    }

    /// Adds the experiments of another stack of the same layers.
    pub fn merge(&mut self, other: AuditReport) {
        let lists = [(&mut self.lengths, other.lengths), (&mut self.refused, other.refused)];
        for (list, more) in lists {
            list.extend(more);
            list.sort_unstable();
            list.dedup();
        }
        for (layer, more) in self.layers.iter_mut().zip(other.layers) {
            for (checked, more) in layer.checks.iter_mut().zip(more.checks) {
                checked.outcome.add(more.outcome);
            }
        }
        self.settle();
    }

    /// Finds the first violation.
    pub(super) fn settle(&mut self) {
        let outcomes = self.layers.iter().flat_map(|layer| &layer.checks).map(|checked| &checked.outcome);
        let violations = outcomes.filter_map(|outcome| match outcome {
            Outcome::Violated { violation } => Some(violation),
            Outcome::NotPromised | Outcome::NotRun | Outcome::Held { .. } => None,
        });
        self.first_violation = violations.min_by_key(|violation| violation.rank()).cloned();
    }
}

impl Outcome {
    /// Joins what further experiments found.
    pub(super) fn add(&mut self, more: Outcome) {
        let joined = match (&*self, more) {
            (Outcome::Violated { violation: old }, Outcome::Violated { violation: new }) => {
                (new.rank() < old.rank()).then_some(Outcome::Violated { violation: new })
            }
            (Outcome::Violated { .. }, _) | (_, Outcome::NotPromised | Outcome::NotRun) => None,
            (Outcome::Held { experiments }, Outcome::Held { experiments: more }) => {
                Some(Outcome::Held { experiments: experiments + more })
            }
            (_, more) => Some(more),
        };
        if let Some(joined) = joined {
            *self = joined;
        }
    }
}
