//! What hidden tokens and other documents must not do.

use burn::tensor::Tensor;
use mixlab_kernels::Mask;

use super::everywhere;
use crate::audit::Audited;
use crate::audit::compare::{Trial, first_not_finite};
use crate::audit::specimen::{Specimen, documents, rows, shown};

/// Padding behind, hidden tokens inside, and a sample of padding alone.
pub(super) fn padding_safe<A: Audited>(specimen: &Specimen<'_, A>, trial: &mut Trial) {
    for real in specimen.positions() {
        behind(specimen, real, trial);
    }
    let n = specimen.length();
    if n > 1 {
        let stream = specimen.key.site("hidden").sample(0);
        // One token of the first sample; of the second about a third, the first one always.
        let (one, third) = (n / 2, |position: usize| position == 0 || stream.below(position as u64, 3) == 0);
        let hidden =
            |sample: usize, position: usize| if sample == 0 { position == one } else { third(position) };
        let mask = shown(n, |sample, position| !hidden(sample, position));
        hidden_content(specimen, hidden, "hidden inside", mask.clone(), trial);
        let mask = Mask { segments: documents(n, documents_of(specimen)).segments, ..mask };
        hidden_content(specimen, hidden, "hidden inside documents", mask, trial);
    }
    nothing_but_padding(specimen, trial);
}

/// The first `real` tokens with padding behind them: as if they were all.
fn behind<A: Audited>(specimen: &Specimen<'_, A>, real: usize, trial: &mut Trial) {
    let mask = shown(specimen.length(), |_, position| position < real);
    hidden_content(specimen, |_, position| position >= real, "padding behind", mask.clone(), trial);
    if !specimen.lengths().allow(real) {
        return;
    }
    let short = specimen.forward(rows(&specimen.x, 0..real), Mask::default());
    let padded = specimen.forward(specimen.x.clone(), mask);
    let what = || format!("which padding behind the {real} real tokens moves");
    trial.expect_none(specimen.differs(&rows(&padded, 0..real), &short, everywhere, what));
}

/// What hidden tokens hold does not matter.
fn hidden_content<A: Audited>(
    specimen: &Specimen<'_, A>,
    hidden: impl Fn(usize, usize) -> bool,
    kind: &str,
    mask: Mask,
    trial: &mut Trial,
) {
    let plain = specimen.forward(specimen.x.clone(), mask.clone());
    let found = specimen.forward(specimen.replaced(&hidden), mask);
    trial.expect_none(first_not_finite(&found, || format!("which is no number with {kind}")));
    let what = || format!("which moves with what tokens hold that are {kind}");
    trial.expect_none(specimen.differs(&found, &plain, |sample, position| !hidden(sample, position), what));
}

/// A sample without real tokens is finite, and does not reach the one beside it.
fn nothing_but_padding<A: Audited>(specimen: &Specimen<'_, A>, trial: &mut Trial) {
    let found = specimen.forward(specimen.x.clone(), shown(specimen.length(), |sample, _| sample > 0));
    trial.expect_none(first_not_finite(&found, || {
        "which is no number beside a sample of padding alone".to_owned()
    }));
    let what = || "which moves under a mask that hides nothing of its sample".to_owned();
    trial.expect_none(specimen.differs(&found, &specimen.y, |sample, _| sample > 0, what));
}

/// Each document of a row is replaced. No other may move.
pub(super) fn documents_apart<A: Audited>(specimen: &Specimen<'_, A>, trial: &mut Trial) {
    let n = specimen.length();
    if n < 2 {
        return;
    }
    let document = documents_of(specimen);
    let mask = documents(n, &document);
    let plain = specimen.forward(specimen.x.clone(), mask.clone());
    trial.expect_none(first_not_finite(&plain, || "which is no number beside other documents".to_owned()));
    for changed in 0..n.min(3) as u32 {
        let other = specimen.replaced(|sample, position| document(sample, position) == changed);
        let found = specimen.forward(other, mask.clone());
        let what = || format!("which moves when document {changed} of its row is replaced");
        let kept = |sample, position| document(sample, position) != changed;
        trial.expect_none(specimen.differs(&found, &plain, kept, what));
    }
    if specimen.promises().padding_safe {
        let end = (0..n).position(|position| document(0, position) > 0).unwrap_or(n);
        first_document(specimen, end, &plain, trial);
    }
}

/// The document of every token, from 0: three in a row, at other places in every sample. Of two tokens there is no third.
fn documents_of<A: Audited>(specimen: &Specimen<'_, A>) -> impl Fn(usize, usize) -> u32 + use<A> {
    let n = specimen.length();
    let starts = [0, 1].map(|sample| {
        let stream = specimen.key.site("documents").sample(sample);
        let second = 1 + stream.below(0, (n - 2).max(1) as u64) as usize;
        let third = match n - 1 - second {
            0 => n,
            left => second + 1 + stream.below(1, left as u64) as usize,
        };
        [second, third]
    });
    move |sample, position| starts[sample].iter().filter(|&&start| start <= position).count() as u32
}

/// The first document of a row is what it is alone, if hidden tokens do not matter.
fn first_document<A: Audited>(specimen: &Specimen<'_, A>, end: usize, packed: &Tensor<3>, trial: &mut Trial) {
    if !specimen.lengths().allow(end) {
        return;
    }
    let first = |x| rows(x, 0..end).narrow(0, 0, 1);
    let alone = specimen.forward(first(&specimen.x), Mask::default());
    let what = || format!("which other documents behind its own {end} tokens move");
    trial.expect_none(specimen.differs(&first(packed), &alone, everywhere, what));
}
