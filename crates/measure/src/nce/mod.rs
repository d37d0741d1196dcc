//! What rounding takes from the gradient of a contrastive loss, and which form of the loss keeps it.
//!
//! One anchor has K candidates with scores s = cos/τ; the first is its positive, with cosine *gap*, the others are negatives
//! with cosines N(0, 0.05²). With ξ = Σ_{i≠t} e^(s_i − s_t) InfoNCE is log(1 + ξ) and its derivative by s_t is −ξ/(1 + ξ).
//! Computed as `LSE − s_t` and `softmax − 1` both are what is left of two numbers that cancel, and once ξ is below the
//! precision of the format nothing is left. `log1p(ξ)` and minus the sum of the negatives' shares are the same
//! functions and cancel nothing; FlatNCE, log ξ, is another function, whose gradient never gets small.
//!
//! Everything is compared with double precision on the same scores: those of the format. What rounding the scores
//! themselves does to the gradient is told apart, since no form of the loss can undo it.
//!
//! Sources: Chen et al., "Simpler, faster, stronger: breaking the log-K curse on contrastive learners with FlatNCE", 2021;
//! kexue.fm 8586 (2021).

mod chart;
mod derivatives;
mod error;
mod format;
mod report;
mod stepwise;
#[cfg(test)]
mod tests;
mod verdict;

use mixlab_core::{Key, Purpose};
use mixlab_kernels::RowLoss;
use mixlab_train::Observer;

use self::derivatives::{by_kernel, in_double, relative_distance};
use self::stepwise::stepwise;

pub use chart::chart;
pub use error::NceError;
pub use format::Format;
pub use report::{CaseReport, Errors, FormatReport, Losses, NceReport};

/// Standard deviation of the cosines of negatives.
const DEVIATION: f64 = 0.05;
/// The most candidates.
const LARGEST_BATCH: usize = 1 << 16;
/// The most draws.
const MOST_DRAWS: u64 = 10_000;
/// Between these temperatures e^(2/τ) is a number of double precision.
const TEMPERATURES: [f64; 2] = [0.01, 100.0];

/// What is studied.
#[derive(Clone, Debug, PartialEq)]
pub struct NceOptions {
    /// Numbers of candidates, the positive among them.
    pub batches: Vec<usize>,
    /// Temperatures τ.
    pub temperatures: Vec<f64>,
    /// Cosines of the positive; those of negatives are 0 in the mean.
    pub gaps: Vec<f64>,
    /// Draws of the negatives that errors are means of.
    pub draws: u64,
    /// Seed of the negatives.
    pub seed: u64,
}

impl Default for NceOptions {
    fn default() -> Self {
        NceOptions {
            batches: vec![64, 512, 4096],
            temperatures: vec![0.1, 0.05],
            gaps: vec![0.6, 0.8, 1.0],
            draws: 20,
            seed: 0,
        }
    }
}

impl NceOptions {
    fn check(&self) -> Result<(), NceError> {
        let out_of_range = |argument: &'static str, found: String, expected: String| {
            Err(NceError::OutOfRange { argument, found, expected })
        };
        for (argument, count) in [
            ("--batch", self.batches.len()),
            ("--temperature", self.temperatures.len()),
            ("--gap", self.gaps.len()),
        ] {
            if count == 0 {
                return out_of_range(argument, "empty".to_owned(), "at least one number".to_owned());
            }
        }
        if let Some(batch) = self.batches.iter().find(|batch| !(2..=LARGEST_BATCH).contains(batch)) {
            let expected = format!("2 to {LARGEST_BATCH} candidates");
            return out_of_range("--batch", batch.to_string(), expected);
        }
        // The ranges leave out what is no number.
        let [lowest, highest] = TEMPERATURES;
        if let Some(temperature) = self.temperatures.iter().find(|t| !(lowest..=highest).contains(*t)) {
            let expected = format!("numbers from {lowest} to {highest}");
            return out_of_range("--temperature", temperature.to_string(), expected);
        }
        if let Some(gap) = self.gaps.iter().find(|gap| !(-1.0..=1.0).contains(*gap)) {
            return out_of_range("--gap", gap.to_string(), "cosines from -1 to 1".to_owned());
        }
        if !(1..=MOST_DRAWS).contains(&self.draws) {
            return out_of_range("--draws", self.draws.to_string(), format!("1 to {MOST_DRAWS}"));
        }
        Ok(())
    }
}

/// Every batch at every temperature and gap. The same draws serve them all.
///
/// # Errors
/// [`NceError`]: an option outside its range.
pub fn measure_nce(options: &NceOptions, observer: &mut dyn Observer) -> Result<NceReport, NceError> {
    options.check()?;
    let mut cases = Vec::new();
    for &batch in &options.batches {
        for &temperature in &options.temperatures {
            for &gap in &options.gaps {
                observer.phase(&format!("{batch} candidates, temperature {temperature}, gap {gap}"));
                cases.push(case(options, batch, temperature, gap));
            }
        }
    }
    Ok(NceReport {
        draws: options.draws,
        seed: options.seed,
        deviation: DEVIATION,
        verdict: verdict::verdict(&cases),
        cases,
    })
}

fn case(options: &NceOptions, batch: usize, temperature: f64, gap: f64) -> CaseReport {
    let draws: Vec<Vec<f64>> =
        (0..options.draws).map(|draw| scores(options.seed, draw, batch, temperature, gap)).collect();
    let xi = |scores: &Vec<f64>| scores[1..].iter().map(|score| (score - scores[0]).exp()).sum::<f64>();
    CaseReport {
        batch,
        temperature,
        gap,
        xi: draws.iter().map(xi).sum::<f64>() / draws.len() as f64,
        formats: Format::ALL.map(|format| compare(&draws, format)).into(),
    }
}

/// The scores of one draw in double precision, the positive's first. Cosines are numbers of single precision.
fn scores(seed: u64, draw: u64, batch: usize, temperature: f64, gap: f64) -> Vec<f64> {
    let stream = Key::root(seed).purpose(Purpose::Synthetic).site("nce").sample(draw);
    let negatives = (1..batch as u64).map(|candidate| DEVIATION * stream.normal(candidate));
    let cosines = [gap].into_iter().chain(negatives);
    cosines.map(|cosine| f64::from(cosine as f32) / temperature).collect()
}

/// The mean over the draws of all errors in one format.
fn compare(draws: &[Vec<f64>], format: Format) -> FormatReport {
    let (mut moved, mut step_by_step, mut kernel) = (0.0, Vec::new(), Vec::new());
    for scores in draws {
        let rounded: Vec<f64> = scores.iter().map(|&score| format.round(score)).collect();
        let [info_nce, flat_nce] = [RowLoss::InfoNce, RowLoss::FlatNce].map(|loss| in_double(&rounded, loss));
        let exact = |loss| if loss == RowLoss::FlatNce { &flat_nce } else { &info_nce };
        step_by_step.push(Losses::each(|loss| stepwise(&rounded, loss, format).errors(exact(loss))));
        kernel.push(Losses::each(|loss| by_kernel(&rounded, loss, format).errors(exact(loss))));
        let unrounded = in_double(scores, RowLoss::InfoNce);
        moved += relative_distance(&info_nce.by_scores, &unrounded.by_scores);
    }
    FormatReport {
        format,
        rounded_scores: moved / draws.len() as f64,
        stepwise: Losses::mean(&step_by_step),
        kernel: Losses::mean(&kernel),
    }
}
