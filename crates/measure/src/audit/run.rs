//! The audit of a stack, length by length and layer by layer.

use burn::tensor::Tensor;
use mixlab_core::{Key, Precision, Purpose};
use mixlab_kernels::Mask;
use mixlab_nn::Context;

use super::compare::{Finding, Trial, first_not_finite};
use super::report::{AuditReport, Check, Checked, LayerReport, Outcome, Violation};
use super::specimen::{SAMPLES, Specimen};
use super::watch::watched;
use super::{Audited, Subject, experiments};

/// How far an audit has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress<'a> {
    /// Layers done, counted once for every length.
    pub done: usize,
    /// Layers in all.
    pub of: usize,
    /// The layer that was done last.
    pub layer: &'a str,
}

/// Executes every promise of every layer at every one of `lengths` that the stack takes. A length it does not take
/// must be refused by [`Audited::check_length`], and is not run.
///
/// What reaches a layer is what the layers before it make of random inputs, so that a violation is found in the layer
/// that commits it. A layer that does not run at all is passed over: the next one receives its input.
pub fn audit<A: Audited>(
    subject: &Subject<A>,
    lengths: &[usize],
    progress: &mut dyn FnMut(Progress<'_>),
) -> AuditReport {
    let mut audit = Audit { subject, report: empty(subject) };
    let layers = subject.exact.layers();
    for (index, &length) in lengths.iter().enumerate() {
        if !audit.takes(length) {
            continue;
        }
        audit.report.lengths.push(length);
        let key = Key::root(0).purpose(Purpose::Synthetic).index(length as u64);
        let mut x = match watched(|| subject.exact.input(SAMPLES, length, key.site("input"))) {
            Ok(x) => x,
            Err(message) => {
                audit.note(
                    0,
                    Check::FiniteOrRefused,
                    length,
                    failed(format!("the input layer panics: {message}")),
                );
                continue;
            }
        };
        for layer in 0..layers {
            x = audit.layer(layer, x, key.index(layer as u64));
            let done = index * layers + layer + 1;
            let layer = &subject.exact.name(layer);
            progress(Progress { done, of: lengths.len() * layers, layer });
        }
    }
    audit.report.settle();
    audit.report
}

/// A report in which nothing was run yet.
fn empty<A: Audited>(subject: &Subject<A>) -> AuditReport {
    let layer = |layer| {
        let promises = subject.exact.promises(layer, subject.causal);
        let outcome =
            |check: Check| if check.is_owed(&promises) { Outcome::NotRun } else { Outcome::NotPromised };
        let checks = Check::ALL.map(|check| Checked { check, outcome: outcome(check) }).to_vec();
        LayerReport { block: layer, layer: subject.exact.name(layer), checks }
    };
    AuditReport {
        direction: if subject.causal { "causal" } else { "both" },
        lengths: Vec::new(),
        refused: Vec::new(),
        layers: (0..subject.exact.layers()).map(layer).collect(),
        first_violation: None,
    }
}

fn failed(what: String) -> Trial {
    Trial { experiments: 1, finding: Some(Finding::of_all(what)) }
}

/// An audit under way.
struct Audit<'a, A> {
    subject: &'a Subject<A>,
    report: AuditReport,
}

impl<A: Audited> Audit<'_, A> {
    fn owes(&self, layer: usize, check: Check) -> bool {
        *self.report.layers[layer].outcome(check) != Outcome::NotPromised
    }

    /// Whether every layer takes a length. If not, the stack must refuse it.
    fn takes(&mut self, length: usize) -> bool {
        let Subject { exact, causal, .. } = self.subject;
        let accepted = exact.check_length(length, *causal).is_ok();
        for layer in 0..exact.layers() {
            let lengths = exact.lengths(layer, *causal);
            if lengths.allow(length) {
                continue;
            }
            if self.owes(layer, Check::AnyLength) {
                let what = format!("which the layer does not take: it takes {lengths}");
                self.note(layer, Check::AnyLength, length, failed(what));
            }
            let unrefused = accepted.then(|| {
                Finding::of_all(format!("which the model does not refuse though the layer takes {lengths}"))
            });
            self.note(layer, Check::FiniteOrRefused, length, Trial { experiments: 1, finding: unrefused });
        }
        let taken = accepted && (0..exact.layers()).all(|layer| exact.lengths(layer, *causal).allow(length));
        if !taken {
            self.report.refused.push(length);
        }
        taken
    }

    /// Every check of one layer; gives what the next one receives.
    fn layer(&mut self, layer: usize, x: Tensor<3>, key: Key) -> Tensor<3> {
        let length = x.dims()[1];
        let (y, plain) = self.plain_pass(layer, &x);
        for check in [Check::FiniteOrRefused, Check::AnyLength] {
            if self.owes(layer, check) {
                self.note(layer, check, length, plain.clone());
            }
        }
        // Without a sound plain pass there is nothing to compare with.
        let Some(y) = y.filter(|_| plain.finding.is_none()) else { return x };
        let Subject { exact, own, causal } = self.subject;
        let specimen = Specimen::new(exact, own.as_ref(), *causal, layer, key, [x, y.clone()]);
        let experimental = |check: &Check| !matches!(check, Check::AnyLength | Check::FiniteOrRefused);
        for check in Check::ALL.into_iter().filter(experimental) {
            if !self.owes(layer, check) {
                continue;
            }
            let mut trial = Trial::default();
            if let Err(message) = watched(|| experiments::run(check, &specimen, &mut trial)) {
                trial.expect_none(Some(Finding::of_all(format!("the layer panics: {message}"))));
            }
            self.note(layer, check, length, trial);
        }
        y
    }

    /// One pass in double precision and one in that of the model: both must give finite numbers.
    fn plain_pass(&self, layer: usize, x: &Tensor<3>) -> (Option<Tensor<3>>, Trial) {
        let Subject { exact, own, causal } = self.subject;
        let mut trial = Trial::default();
        let mut run = |stack: &A| {
            let context = Context { mask: Mask::default(), ..Context::evaluation(SAMPLES, *causal) };
            let x = x.clone().cast(stack.precision().dtype());
            let precision = match stack.precision() {
                Precision::F32 => "single",
                Precision::F64 => "double",
            };
            match watched(|| stack.forward(layer, x, &context)) {
                Ok(y) => {
                    let what = || format!("which is no number in {precision} precision");
                    trial.expect_none(first_not_finite(&y, what));
                    Some(y)
                }
                Err(message) => {
                    trial.expect_none(Some(Finding::of_all(format!("the layer panics: {message}"))));
                    None
                }
            }
        };
        let y = run(exact);
        if let Some(own) = own {
            run(own);
        }
        (y, trial)
    }

    /// Enters what the experiments of one check saw.
    fn note(&mut self, layer: usize, check: Check, length: usize, trial: Trial) {
        let report = &mut self.report.layers[layer];
        let outcome = match trial.finding {
            Some(Finding { sample, position, difference, what }) => Outcome::Violated {
                violation: Violation {
                    block: layer,
                    layer: report.layer.clone(),
                    check,
                    length,
                    sample,
                    position,
                    difference,
                    what,
                },
            },
            None if trial.experiments == 0 => Outcome::NotRun,
            None => Outcome::Held { experiments: trial.experiments },
        };
        report.checks[check as usize].outcome.add(outcome);
    }
}
