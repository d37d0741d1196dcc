//! From which length a mixer is cheaper than softmax attention.
//!
//! Four views of the question: the cost model by its formulas ([`crossovers`] and what was published for a mixer),
//! exact counts of multiply–adds, measured time, and measured memory. They differ: multiply–adds are not time, and an
//! exact attention in tiles keeps no n² scores, which changes the memory and not the multiply–adds.

mod block;
mod chart;
mod count;
mod crossing;
mod error;
mod formula;
mod polynomial;
mod report;
mod rounds;

use mixlab_core::DeviceChoice;
use mixlab_core::config::nearest;
use mixlab_nn::mixer::MixerConfig;
use mixlab_train::Observer;

use self::count::{BlockCount, CONVENTION, UNIT, block_config, published};

pub use block::Bytes;
pub use chart::chart;
pub use crossing::Crossing;
pub use error::BreakevenError;
pub use formula::{
    Ceiling, Crossover, KeptCrossings, KeptNumbers, LayerShape, ceiling, crossovers, kept_crossings,
    kept_numbers,
};
pub use report::{BreakevenReport, Measured, MixerReport, Point};

/// The longest sequence that is counted or measured.
pub const LONGEST: usize = 1 << 20;
/// The widest model.
const WIDEST: usize = 1 << 16;
/// The widest model that is measured: 12 width² weights, with gradients, of every mixer at once.
const WIDEST_MEASURED: usize = 4096;
/// The most channels of all tokens in a pass that is measured: about 10 GB are held for one block.
const MOST_CHANNELS: usize = 1 << 26;
const MOST_ROUNDS: usize = 10_000;

/// What is compared.
#[derive(Clone, Debug, PartialEq)]
pub struct BreakevenOptions {
    /// Width of the model.
    pub width: usize,
    /// Heads, for mixers that have them.
    pub heads: usize,
    /// Lengths to measure and to tabulate, in any order.
    pub lengths: Vec<usize>,
    /// Whether a token sees only itself and earlier ones.
    pub causal: bool,
    /// Mixers by name beside softmax attention; empty for all.
    pub mixers: Vec<String>,
    /// What is measured; nothing if absent.
    pub measure: Option<MeasureOptions>,
}

/// How blocks are measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MeasureOptions {
    /// Passes that are timed, each by itself.
    pub rounds: usize,
    /// Tokens in a pass, at every length as nearly as whole rows allow; absent: the longest length.
    pub batch_tokens: Option<usize>,
    /// Where to compute.
    pub device: DeviceChoice,
}

impl Default for BreakevenOptions {
    /// The base size of the cost model.
    fn default() -> Self {
        BreakevenOptions {
            width: 768,
            heads: 12,
            lengths: vec![128, 256, 512, 1024, 2048, 4096],
            causal: false,
            mixers: Vec::new(),
            measure: Some(MeasureOptions::default()),
        }
    }
}

impl Default for MeasureOptions {
    fn default() -> Self {
        MeasureOptions { rounds: 5, batch_tokens: None, device: DeviceChoice::Cpu }
    }
}

/// Compares mixers with softmax attention.
///
/// # Errors
/// An argument outside its range, a mixer that does not exist, or sizes at which softmax attention cannot be built.
/// Any other mixer that cannot be built, or not for a length, is in the report with the reason.
pub fn measure_breakeven(
    options: &BreakevenOptions,
    observer: &mut dyn Observer,
) -> Result<BreakevenReport, BreakevenError> {
    let lengths = checked_lengths(options)?;
    let shape = LayerShape { heads: options.heads, head_width: options.width / options.heads };
    let candidates = candidates(options)?;
    observer.phase("counting");
    let mut mixers = counted(&candidates, shape, options.causal, &lengths);
    if let Some(measure) = options.measure {
        rounds::measure(&candidates, &mut mixers, options, measure, &lengths, observer);
    }
    Ok(BreakevenReport {
        width: options.width,
        shape,
        causal: options.causal,
        unit: UNIT,
        convention: CONVENTION,
        crossovers: crossovers(shape),
        ceilings: lengths.iter().map(|&length| ceiling(shape, options.causal, length)).collect(),
        kept: lengths.iter().map(|&length| kept_numbers(shape, length)).collect(),
        kept_crossings: kept_crossings(shape),
        lengths,
        mixers,
    })
}

/// The lengths in order, each once, if every number is inside its range.
fn checked_lengths(options: &BreakevenOptions) -> Result<Vec<usize>, BreakevenError> {
    let refuse = |argument, found: String, expected: String| {
        Err(BreakevenError::OutOfRange { argument, found, expected })
    };
    let widest = if options.measure.is_some() { WIDEST_MEASURED } else { WIDEST };
    if !(1..=widest).contains(&options.width) {
        let more = if options.measure.is_some() {
            format!(", or to {WIDEST} with --no-time")
        } else {
            String::new()
        };
        return refuse("--width", options.width.to_string(), format!("1 to {widest}{more}"));
    }
    if options.heads == 0 || !options.width.is_multiple_of(options.heads) {
        return Err(BreakevenError::Heads { heads: options.heads, width: options.width });
    }
    let mut lengths = options.lengths.clone();
    lengths.sort_unstable();
    lengths.dedup();
    let (Some(&shortest), Some(&longest)) = (lengths.first(), lengths.last()) else {
        return refuse("--lengths", "empty".to_owned(), "one length or more".to_owned());
    };
    if let Some(wrong) = [shortest, longest].into_iter().find(|length| !(1..=LONGEST).contains(length)) {
        return refuse("--lengths", wrong.to_string(), format!("1 to {LONGEST}"));
    }
    let Some(measure) = options.measure else { return Ok(lengths) };
    if !(1..=MOST_ROUNDS).contains(&measure.rounds) {
        return refuse("--rounds", measure.rounds.to_string(), format!("1 to {MOST_ROUNDS}"));
    }
    let most = (MOST_CHANNELS / options.width).min(LONGEST);
    if longest > most {
        let expected = format!("at most {most} at this width, or --no-time");
        return refuse("--lengths", longest.to_string(), expected);
    }
    match measure.batch_tokens {
        Some(tokens) if !(longest..=most).contains(&tokens) => {
            refuse("--batch-tokens", tokens.to_string(), format!("{longest}, the longest length, to {most}"))
        }
        _ => Ok(lengths),
    }
}

/// A mixer to compare, or the reason why it cannot be.
struct Candidate {
    name: &'static str,
    config: MixerConfig,
    unavailable: Option<String>,
}

/// The mixers of the comparison with their heads; softmax attention comes first, as everything is compared with it.
fn candidates(options: &BreakevenOptions) -> Result<Vec<Candidate>, BreakevenError> {
    let catalogue = MixerConfig::catalogue();
    let known: Vec<String> = catalogue.iter().map(|mixer| mixer.name().to_owned()).collect();
    if let Some(name) = options.mixers.iter().find(|name| !known.contains(name)) {
        let nearest = nearest(name, &known);
        return Err(BreakevenError::UnknownMixer { name: name.clone(), nearest, known });
    }
    let reference = |mixer: &MixerConfig| matches!(mixer, MixerConfig::SoftmaxAttention(_));
    let asked = |mixer: &MixerConfig| {
        options.mixers.is_empty() || options.mixers.iter().any(|name| name == mixer.name())
    };
    let (first, others): (Vec<MixerConfig>, Vec<MixerConfig>) = catalogue.into_iter().partition(reference);
    let candidates = first.into_iter().chain(others.into_iter().filter(asked));
    candidates.map(|mixer| candidate(&mixer, options)).collect()
}

fn candidate(mixer: &MixerConfig, options: &BreakevenOptions) -> Result<Candidate, BreakevenError> {
    let name = mixer.name();
    let unavailable = |reason: String| Candidate { name, config: mixer.clone(), unavailable: Some(reason) };
    let config = match with_heads(mixer, options.heads) {
        Ok(config) => config,
        Err(error) => return Ok(unavailable(error.to_string())),
    };
    if options.causal && !config.promises(true).causal {
        return Ok(unavailable("it is not causal: later tokens change earlier outputs".to_owned()));
    }
    match block_config(&config, options.width, 1).validate() {
        Ok(()) => Ok(Candidate { name, config, unavailable: None }),
        Err(error) if matches!(config, MixerConfig::SoftmaxAttention(_)) => {
            Err(BreakevenError::Reference(error))
        }
        Err(error) => Ok(unavailable(error.to_string())),
    }
}

/// The mixer with so many heads, if heads are an option of it: whether they are is read from its config file form, so
/// that a new mixer needs no entry here.
fn with_heads(mixer: &MixerConfig, heads: usize) -> Result<MixerConfig, serde_json::Error> {
    let mut value = serde_json::to_value(mixer)?;
    if let Some(option) = value.get_mut("heads") {
        *option = heads.into();
    }
    serde_json::from_value(value)
}

/// What needs no measurement: formulas and counts.
fn counted(candidates: &[Candidate], shape: LayerShape, causal: bool, lengths: &[usize]) -> Vec<MixerReport> {
    let reference = &candidates[0].config;
    let softmax = BlockCount::new(reference, shape, causal);
    candidates
        .iter()
        .enumerate()
        .map(|(index, Candidate { name, config, unavailable })| {
            let count = BlockCount::new(config, shape, causal);
            let compared = index > 0 && unavailable.is_none();
            let formula = published(config, shape, causal).zip(published(reference, shape, causal));
            let point = |&length: &usize| Point {
                length,
                multiply_adds: count.at(length) / length as f64,
                unavailable: None,
                measured: None,
            };
            MixerReport {
                mixer: name,
                layers: block_config(config, shape.width(), 1).blocks(),
                channel_mixer: !config.has_own_gate(),
                formula: formula.filter(|_| compared).map(|(own, softmax)| own.below(softmax)),
                counted: compared.then(|| count.below(&softmax)),
                time: None,
                memory: None,
                points: if unavailable.is_some() { Vec::new() } else { lengths.iter().map(point).collect() },
                unavailable: unavailable.clone(),
            }
        })
        .collect()
}

#[cfg(test)]
mod tests;
