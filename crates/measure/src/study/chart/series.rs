//! Learning curves of a group, before they are drawn.

use std::collections::BTreeMap;

use crate::study::metric::Metric;
use crate::study::results::Group;

/// Mean, smallest and largest value of the finished runs at one step.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Point {
    pub step: f64,
    pub mean: f64,
    pub low: f64,
    pub high: f64,
}

/// The curve of one group. A step counts if every finished run has a finite value there: a mean over
/// changing company would jump where a run joins or leaves.
pub(super) fn curve(group: &Group, metric: &Metric) -> Vec<Point> {
    let mut steps: BTreeMap<u64, Vec<f64>> = BTreeMap::new();
    let mut runs = 0;
    for (_, run) in group.finished() {
        // Where a step was logged twice, the later line holds.
        let values: BTreeMap<u64, f64> = run.series(metric.source, &metric.field).into_iter().collect();
        runs += usize::from(!values.is_empty());
        for (step, value) in values.into_iter().filter(|(_, value)| value.is_finite()) {
            steps.entry(step).or_default().push(value);
        }
    }
    let complete = steps.into_iter().filter(|(_, values)| values.len() == runs);
    complete
        .map(|(step, values)| Point {
            step: step as f64,
            mean: values.iter().sum::<f64>() / values.len() as f64,
            low: values.iter().copied().fold(f64::INFINITY, f64::min),
            high: values.iter().copied().fold(f64::NEG_INFINITY, f64::max),
        })
        .collect()
}

/// The top of the picture: high enough for everything after the first fifth of the run. The steep
/// beginning would press all that differs into the lowest part.
pub(super) fn ceiling(curves: &[Vec<Point>]) -> f64 {
    let last = curves.iter().flatten().map(|p| p.step).fold(0.0, f64::max);
    let late = |point: &&Point| point.step >= last / 5.0;
    curves.iter().flatten().filter(late).map(|p| p.high).fold(f64::NEG_INFINITY, f64::max)
}

/// The part of a polyline at or below `top`, as separate pieces that end exactly on it.
pub(super) fn below(line: &[(f64, f64)], top: f64) -> Vec<Vec<(f64, f64)>> {
    let mut pieces: Vec<Vec<(f64, f64)>> = vec![Vec::new()];
    let mut previous: Option<(f64, f64)> = None;
    for &(x, y) in line {
        if let Some((x0, y0)) = previous
            && (y0 > top) != (y > top)
        {
            let crossing = (x0 + (x - x0) * (top - y0) / (y - y0), top);
            pieces.last_mut().into_iter().for_each(|piece| piece.push(crossing));
            if y > top {
                pieces.push(Vec::new());
            }
        }
        if y <= top {
            pieces.last_mut().into_iter().for_each(|piece| piece.push((x, y)));
        }
        previous = Some((x, y));
    }
    pieces.retain(|piece| !piece.is_empty());
    pieces
}

/// The outline of a curve's band, with what is above `top` flattened onto it.
pub(super) fn band(points: &[Point], top: f64) -> Vec<(f64, f64)> {
    // A point where either edge crosses the top, so that flattening moves nothing below it.
    let crossings = |pair: &[Point]| -> Vec<Point> {
        let (a, b) = (pair[0], pair[1]);
        let share = |from: f64, to: f64| (top - from) / (to - from);
        let mut shares: Vec<f64> = [share(a.low, b.low), share(a.high, b.high)]
            .into_iter()
            .filter(|share| *share > 0.0 && *share < 1.0)
            .collect();
        shares.sort_by(f64::total_cmp);
        let between = |from: f64, to: f64, share: f64| from + share * (to - from);
        let point = |t: f64| Point {
            step: between(a.step, b.step, t),
            mean: between(a.mean, b.mean, t),
            low: between(a.low, b.low, t),
            high: between(a.high, b.high, t),
        };
        [vec![a], shares.into_iter().map(point).collect()].concat()
    };
    let mut dense: Vec<Point> = points.windows(2).flat_map(crossings).collect();
    dense.extend(points.last());
    let upper = dense.iter().map(|p| (p.step, p.high.min(top)));
    let lower = dense.iter().rev().map(|p| (p.step, p.low.min(top)));
    upper.chain(lower).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::study::metric::presets;
    use crate::study::results::{RunRecord, RunStatus};
    use crate::study::run::{Line, Run};

    fn record(values: &[(u64, f64)]) -> RunRecord {
        let line = |&(step, value): &(u64, f64)| Line {
            step,
            split: "eval".to_owned(),
            values: BTreeMap::from([("loss".to_owned(), value)]),
        };
        let run = Run { lines: values.iter().map(line).collect(), ..Run::default() };
        RunRecord { name: "r".to_owned(), seed: None, status: RunStatus::Finished(run) }
    }

    #[test]
    fn a_curve_is_the_mean_where_all_runs_have_a_value() {
        let runs = vec![
            record(&[(0, 4.0), (10, 2.0), (20, 9.0), (20, 1.0), (30, 1.0)]),
            record(&[(0, 5.0), (10, f64::NAN), (20, 3.0)]),
            RunRecord { name: "f".to_owned(), seed: None, status: RunStatus::Failed("x".to_owned()) },
        ];
        let group = Group { coordinates: Vec::new(), runs };
        let expected = [
            Point { step: 0.0, mean: 4.5, low: 4.0, high: 5.0 },
            Point { step: 20.0, mean: 2.0, low: 1.0, high: 3.0 },
        ];
        assert_eq!(curve(&group, &presets()[0]), expected);
    }

    #[test]
    fn lines_are_cut_at_the_top() {
        let line = [(0.0, 4.0), (2.0, 0.0), (3.0, 1.0), (4.0, 3.0), (5.0, 3.0), (6.0, 1.0)];
        assert_eq!(
            below(&line, 2.0),
            [vec![(1.0, 2.0), (2.0, 0.0), (3.0, 1.0), (3.5, 2.0)], vec![(5.5, 2.0), (6.0, 1.0)],]
        );
        assert_eq!(below(&line, 5.0), [line.to_vec()]);
        assert!(below(&[(0.0, 3.0)], 2.0).is_empty());
    }

    #[test]
    fn a_band_is_flattened_without_moving_what_is_below() {
        let point = |step: f64, low: f64, high: f64| Point { step, mean: low, low, high };
        let points = [point(0.0, 4.0, 6.0), point(4.0, 0.0, 2.0)];
        let upper = [(0.0, 3.0), (1.0, 3.0), (3.0, 3.0), (4.0, 2.0)];
        let lower = [(4.0, 0.0), (3.0, 1.0), (1.0, 3.0), (0.0, 3.0)];
        assert_eq!(band(&points, 3.0), [upper, lower].concat());
        assert_eq!(band(&points, 9.0), [(0.0, 6.0), (4.0, 2.0), (4.0, 0.0), (0.0, 4.0)]);
    }

    #[test]
    fn the_beginning_does_not_set_the_scale() {
        let point = |step: f64, high: f64| Point { step, mean: high, low: high, high };
        let curves = vec![vec![point(1.0, 10.0), point(50.0, 3.0), point(100.0, 2.0)]];
        assert_eq!(ceiling(&curves), 3.0);
    }
}
