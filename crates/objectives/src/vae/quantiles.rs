//! Draws by a table of the inverse distribution function.

use mixlab_core::Stream;

/// Nodes of the table.
const NODES: usize = 4096;
/// Where the logarithm of the density is this far below its greatest value nothing is left of it.
const NEGLIGIBLE: f64 = 50.0;

/// The angles at which the distribution of an angle reaches evenly spaced nodes' shares, with linear interpolation between them.
///
/// The nodes cover the angles at which the density is not negligible, and the sums are trapezoids. In the angle, unlike in its cosine, the
/// density of a distribution around a direction has no singularity in any dimension.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Quantiles {
    first: f64,
    step: f64,
    /// The distribution function at the nodes.
    shares: Vec<f64>,
}

impl Quantiles {
    /// Of an angle in (0, π) whose density has this logarithm, up to a constant.
    pub fn new(log_density: impl Fn(f64) -> f64) -> Self {
        let angle =
            |node: usize, first: f64, last: f64| first + (last - first) * node as f64 / (NODES - 1) as f64;
        // At all nodes, relative to the greatest.
        let look = |first: f64, last: f64| -> Vec<f64> {
            let values: Vec<f64> = (0..NODES).map(|node| log_density(angle(node, first, last))).collect();
            let highest = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            values.into_iter().map(|value| value - highest).collect()
        };
        // The ends, where a power of the sine may be infinite or nothing, are left out.
        let margin = 1e-9;
        let (mut first, mut last) = (margin, std::f64::consts::PI - margin);
        // Narrow distributions need a second and a third look.
        for _ in 0..3 {
            let values = look(first, last);
            let kept = |value: &&f64| **value > -NEGLIGIBLE;
            let from = values.iter().take_while(|value| !kept(value)).count().saturating_sub(1);
            let to =
                NODES - values.iter().rev().take_while(|value| !kept(value)).count().saturating_sub(1) - 1;
            (first, last) = (angle(from, first, last), angle(to, first, last));
        }
        let mut shares = vec![0.0];
        for pair in look(first, last).windows(2) {
            let mass = 0.5 * (pair[0].exp() + pair[1].exp());
            shares.push(shares.last().expect("never empty") + mass);
        }
        let total = *shares.last().expect("never empty");
        shares.iter_mut().for_each(|share| *share /= total);
        Quantiles { first, step: (last - first) / (NODES - 1) as f64, shares }
    }

    /// The angle of one draw.
    pub fn draw(&self, stream: Stream) -> f64 {
        let u = stream.uniform(0);
        let above = self.shares.partition_point(|&share| share <= u).clamp(1, NODES - 1);
        let (low, high) = (self.shares[above - 1], self.shares[above]);
        let within = if high > low { (u - low) / (high - low) } else { 0.5 };
        self.first + self.step * (above as f64 - 1.0 + within)
    }
}
