//! The directions in which points spread most.

/// Products with the covariance that find an axis; many more than a clear axis takes.
const ROUNDS: usize = 500;
/// Change of an axis in a round at which it is found.
const STILL: f64 = 1e-12;

/// Points on their first principal axes.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Projection {
    /// Of every point its place along each axis.
    pub places: Vec<[f64; 2]>,
    /// The share of the variance along each axis; 0 where there is none.
    pub shares: [f64; 2],
}

/// Projects points, rows of `width` numbers, onto the two axes along which they spread most. Signs are chosen so that the greatest number of an
/// axis is positive.
///
/// # Panics
/// If the number of values is no multiple of `width`, or `width` is 0.
pub(super) fn project(points: &[f64], width: usize) -> Projection {
    assert!(width > 0 && points.len().is_multiple_of(width), "rows of {width} numbers");
    let count = (points.len() / width).max(1) as f64;
    let mean: Vec<f64> =
        (0..width).map(|i| points.iter().skip(i).step_by(width).sum::<f64>() / count).collect();
    let mut rest: Vec<f64> = points.iter().enumerate().map(|(at, x)| x - mean[at % width]).collect();
    let total: f64 = rest.iter().map(|x| x * x).sum();
    let mut places = vec![[0.0; 2]; points.len() / width];
    let mut shares = [0.0; 2];
    for axis in 0..2.min(width) {
        let direction = first_axis(&rest, width);
        let mut along = 0.0;
        for (row, place) in rest.chunks_exact_mut(width).zip(&mut places) {
            place[axis] = dot(row, &direction);
            along += place[axis] * place[axis];
            row.iter_mut().zip(&direction).for_each(|(x, d)| *x -= place[axis] * d);
        }
        shares[axis] = if total > 0.0 { along / total } else { 0.0 };
    }
    Projection { places, shares }
}

/// By powers of the covariance, from the point that lies furthest out.
fn first_axis(points: &[f64], width: usize) -> Vec<f64> {
    let length = |x: &[f64]| dot(x, x).sqrt();
    let far = points.chunks_exact(width).max_by(|a, b| length(a).total_cmp(&length(b)));
    let mut axis = far.map_or_else(|| vec![0.0; width], <[f64]>::to_vec);
    if !scale_to_one(&mut axis) {
        return vec![0.0; width];
    }
    for _ in 0..ROUNDS {
        let mut next = vec![0.0; width];
        for row in points.chunks_exact(width) {
            let along = dot(row, &axis);
            next.iter_mut().zip(row).for_each(|(sum, x)| *sum += along * x);
        }
        if !scale_to_one(&mut next) {
            break;
        }
        let change: f64 = next.iter().zip(&axis).map(|(a, b)| (a - b).abs()).sum();
        axis = next;
        if change < STILL {
            break;
        }
    }
    let greatest = axis.iter().copied().max_by(|a, b| a.abs().total_cmp(&b.abs())).unwrap_or(0.0);
    if greatest < 0.0 {
        axis.iter_mut().for_each(|x| *x = -*x);
    }
    axis
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// Whether there is a direction at all.
fn scale_to_one(axis: &mut [f64]) -> bool {
    let length = dot(axis, axis).sqrt();
    axis.iter_mut().for_each(|x| *x /= length.max(f64::MIN_POSITIVE));
    length > 1e-300
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn axes_are_those_of_the_widest_spread() {
        // Along (3, 4)/5 with places −2, 0, 2; across it −1, 2, −1; around (10, 20, 30).
        let along = [-2.0, 0.0, 2.0];
        let across = [-0.5, 1.0, -0.5];
        let points: Vec<f64> = (0..3)
            .flat_map(|i| {
                [10.0 + 0.6 * along[i] - 0.8 * across[i], 20.0 + 0.8 * along[i] + 0.6 * across[i], 30.0]
            })
            .collect();
        let found = project(&points, 3);
        for (place, (a, c)) in found.places.iter().zip(along.iter().zip(across)) {
            assert!((place[0] - a).abs() < 1e-9 && (place[1].abs() - c.abs()).abs() < 1e-9, "{found:?}");
        }
        assert!(
            (found.shares[0] - 8.0 / 9.5).abs() < 1e-12
                && (found.shares.iter().sum::<f64>() - 1.0).abs() < 1e-12
        );
    }

    #[test]
    fn points_without_a_spread_lie_at_the_origin() {
        let found = project(&[1.0, 2.0].repeat(4), 2);
        assert_eq!(found, Projection { places: vec![[0.0; 2]; 4], shares: [0.0; 2] });
        assert_eq!(project(&[3.0, 5.0], 1).places, [[-1.0, 0.0], [1.0, 0.0]].map(|p| [p[0], p[1]]));
    }
}
