//! Measuring blocks in turn, and what their times amount to.

use mixlab_train::Observer;

use super::block::{Block, Bytes};
use super::{BreakevenOptions, Candidate, Crossing, MeasureOptions, Measured, MixerReport, Point};
use crate::study::median;

/// Measures every mixer at every length of its report, and finds the crossings. The first mixer is softmax attention,
/// which is defined at every length and so always there to be compared with.
///
/// One pass warms up, one is counted, and then each round times every mixer once: what slows the machine for a while
/// slows all of them.
pub(super) fn measure(
    candidates: &[Candidate],
    mixers: &mut [MixerReport],
    options: &BreakevenOptions,
    measure: MeasureOptions,
    lengths: &[usize],
    observer: &mut dyn Observer,
) {
    let device = measure.device.device();
    let batch_tokens = measure.batch_tokens.or(lengths.last().copied()).unwrap_or(1);
    for (index, &length) in lengths.iter().enumerate() {
        observer.phase(&format!("measuring at length {length}"));
        let size = [(batch_tokens / length).max(1), length, options.width];
        let mut running: Vec<(&mut Point, Block)> = Vec::new();
        for (candidate, mixer) in candidates.iter().zip(&mut *mixers) {
            let Some(point) = mixer.points.get_mut(index) else { continue };
            match Block::build(&candidate.config, size, options.causal, &device) {
                Ok(block) => running.push((point, block)),
                Err(error) => point.unavailable = Some(error.to_string()),
            }
        }
        let warm = |(_, block): &(&mut Point, Block)| {
            block.seconds();
            block.bytes()
        };
        let bytes: Vec<Option<Bytes>> = running.iter().map(warm).collect();
        let round = |_| running.iter().map(|(_, block)| block.seconds()).collect();
        let rounds: Vec<Vec<f64>> = (0..measure.rounds).map(round).collect();
        let measured = summary(&rounds, &bytes, size[0] * length);
        for ((point, _), measured) in running.into_iter().zip(measured) {
            point.measured = Some(measured);
        }
    }
    find_crossings(mixers);
}

/// The seconds of every round and the bytes, in the order of the mixers, as numbers of a token.
fn summary(rounds: &[Vec<f64>], bytes: &[Option<Bytes>], tokens: usize) -> Vec<Measured> {
    let of = |mixer: usize| {
        let seconds: Vec<f64> = rounds.iter().map(|round| round[mixer]).collect();
        let ratios: Vec<f64> = rounds.iter().map(|round| round[mixer] / round[0]).collect();
        let middle = |values: &[f64]| median(values).unwrap_or(f64::NAN);
        Measured {
            tokens,
            microseconds: 1e6 * middle(&seconds) / tokens as f64,
            time_ratio: middle(&ratios),
            lowest_ratio: ratios.iter().copied().fold(f64::INFINITY, f64::min),
            highest_ratio: ratios.iter().copied().fold(0.0, f64::max),
            bytes: bytes[mixer],
            memory_ratio: bytes[mixer]
                .zip(bytes[0])
                .filter(|(_, softmax)| softmax.held > 0)
                .map(|(own, softmax)| own.held as f64 / softmax.held as f64),
        }
    };
    (0..bytes.len()).map(of).collect()
}

/// Crossings of time and of memory, from the ratios of the points.
fn find_crossings(mixers: &mut [MixerReport]) {
    for mixer in mixers.iter_mut().skip(1) {
        let crossing = |ratio: fn(&Measured) -> Option<f64>| {
            let point = |point: &Point| Some((point.length, ratio(point.measured.as_ref()?)?));
            Crossing::of_ratios(&mixer.points.iter().filter_map(point).collect::<Vec<_>>())
        };
        let time = crossing(|measured| Some(measured.time_ratio));
        let memory = crossing(|measured| measured.memory_ratio);
        (mixer.time, mixer.memory) = (time, memory);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOFTMAX: usize = 0;
    const OTHER: usize = 1;

    fn bytes(held: usize) -> Option<Bytes> {
        Some(Bytes { held, peak: 2 * held })
    }

    /// A round in which the machine is four times as slow changes no ratio.
    #[test]
    fn drift_of_the_machine_cancels() {
        let rounds = [vec![2.0, 3.0], vec![8.0, 12.0], vec![2.0, 2.0]];
        let measured = summary(&rounds, &[bytes(100), bytes(40)], 1000);
        assert_eq!(measured[SOFTMAX].time_ratio, 1.0);
        assert_eq!(measured[SOFTMAX].microseconds, 2000.0);
        let other = measured[OTHER];
        assert_eq!((other.time_ratio, other.lowest_ratio, other.highest_ratio), (1.5, 1.0, 1.5));
        assert_eq!((other.microseconds, other.tokens), (3000.0, 1000));
        assert_eq!(other.memory_ratio, Some(0.4));
        assert_eq!(summary(&rounds, &[None, None], 1000)[OTHER].memory_ratio, None);
    }

    fn report(points: Vec<Point>) -> MixerReport {
        MixerReport {
            mixer: "synthetic",
            layers: 1,
            channel_mixer: true,
            unavailable: None,
            formula: None,
            counted: None,
            time: None,
            memory: None,
            points,
        }
    }

    /// Quadratic softmax attention of (1 + n/1000) beside a mixer of constant 1.5, and 300 bytes a token beside n.
    #[test]
    fn crossings_of_synthetic_measurements() {
        let lengths = [100, 400, 600, 1600];
        let measured = lengths.map(|n| {
            let time = 1.0 + n as f64 / 1000.0;
            summary(&[vec![time, 1.5]], &[bytes(n * n), bytes(300 * n)], n)
        });
        let points = |mixer: usize| {
            let point = |(&length, measured): (&usize, &Vec<Measured>)| Point {
                length,
                multiply_adds: 1.0,
                unavailable: None,
                measured: Some(measured[mixer]),
            };
            lengths.iter().zip(&measured).map(point).collect::<Vec<_>>()
        };
        let mut missing = report(points(OTHER));
        missing.points[3].measured = None;
        missing.points[2].measured = None;
        let mut mixers = [report(points(SOFTMAX)), report(points(OTHER)), missing, report(Vec::new())];
        find_crossings(&mut mixers);
        assert_eq!((mixers[0].time, mixers[0].memory), (None, None));
        // Between 400 (ratio 1.5/1.4) and 600 (1.5/1.6): 493, where the curve itself says 500.
        let share = (1.5f64 / 1.4).ln() / (1.6f64 / 1.4).ln();
        let by_hand = (400.0 * 1.5f64.powf(share)).round() as usize;
        assert_eq!((mixers[1].time, by_hand), (Some(Crossing::Above { length: by_hand }), 493));
        assert_eq!(mixers[1].memory, Some(Crossing::Above { length: 300 }));
        assert_eq!(mixers[2].time, Some(Crossing::NoneMeasured));
        assert_eq!((mixers[3].time, mixers[3].memory), (None, None));
    }
}
