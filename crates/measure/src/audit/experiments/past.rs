//! What the past must not know: later tokens, the final length, and how a sequence was cut.

use burn::tensor::Tensor;
use mixlab_kernels::Mask;
use mixlab_nn::Context;

use super::everywhere;
use crate::audit::Audited;
use crate::audit::compare::{Finding, Trial};
use crate::audit::specimen::{SAMPLES, Specimen, rows};

/// Replaces one token. No output before it may move.
pub(super) fn causal<A: Audited>(specimen: &Specimen<'_, A>, trial: &mut Trial) {
    for t in specimen.positions() {
        let found = specimen.forward(specimen.replaced(|_, position| position == t), Mask::default());
        let what = || format!("which moves when token {t} is replaced");
        let (found, plain) = (rows(&found, 0..t), rows(&specimen.y, 0..t));
        trial.expect_none(specimen.differs(&found, &plain, everywhere, what));
    }
}

/// Leaves out the last tokens. The outputs of the others may not move.
pub(super) fn prefix_consistent<A: Audited>(specimen: &Specimen<'_, A>, trial: &mut Trial) {
    let n = specimen.length();
    for t in specimen.positions().into_iter().filter(|&t| specimen.lengths().allow(t)) {
        let prefix = specimen.forward(rows(&specimen.x, 0..t), Mask::default());
        let what = || format!("which is another one when the sequence ends after {t} of its {n} tokens");
        trial.expect_none(specimen.differs(&rows(&specimen.y, 0..t), &prefix, everywhere, what));
    }
}

/// Continues a sequence in pieces of many sizes. Together they are the full pass.
pub(super) fn streaming<A: Audited>(specimen: &Specimen<'_, A>, trial: &mut Trial) {
    for (name, pieces) in splits(specimen) {
        let finding = match in_pieces(specimen, &pieces) {
            Ok(found) => {
                let what = || format!("where {name} are not the full pass");
                specimen.differs(&found, &specimen.y, everywhere, what)
            }
            Err(message) => Some(Finding::of_all(format!("there is no state: {message}"))),
        };
        trial.expect_none(finding);
    }
}

fn in_pieces<A: Audited>(specimen: &Specimen<'_, A>, pieces: &[usize]) -> Result<Tensor<3>, String> {
    let Specimen { stack, layer, x, .. } = specimen;
    let mut state = stack.state(*layer, SAMPLES).map_err(|error| error.to_string())?;
    let (mut start, mut outputs) = (0, Vec::new());
    for piece in pieces {
        // A sequence that is continued is causal, whatever the direction of the model.
        let context = Context { start, ..Context::evaluation(SAMPLES, true) };
        outputs.push(stack.step(*layer, rows(x, start..start + piece), &mut state, &context));
        start += piece;
    }
    Ok(Tensor::cat(outputs, 1))
}

/// Token by token; random pieces of 1 to 8; random pieces of up to the whole. All add up to the length.
fn splits<A: Audited>(specimen: &Specimen<'_, A>) -> Vec<(&'static str, Vec<usize>)> {
    let n = specimen.length();
    let random = |name: &str, most: usize| {
        let stream = specimen.key.site("pieces").site(name).sample(0);
        let (mut pieces, mut left) = (Vec::new(), n);
        while left > 0 {
            let piece = 1 + stream.below(pieces.len() as u64, most as u64) as usize;
            pieces.push(piece.min(left));
            left -= piece.min(left);
        }
        pieces
    };
    let splits = vec![
        ("single steps", vec![1; n]),
        ("pieces of mixed sizes", random("small", 8)),
        ("a few large pieces", random("large", n)),
    ];
    // A single token has a single split.
    splits.into_iter().take(if n == 1 { 1 } else { 3 }).collect()
}
