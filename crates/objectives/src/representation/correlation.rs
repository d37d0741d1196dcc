//! Whether two lists of numbers rise and fall together.

/// Pearson's correlation: covariance over the product of deviations. Absent where one of the lists has a single value.
///
/// # Panics
/// If the lists are not equally long.
pub fn pearson(x: &[f64], y: &[f64]) -> Option<f64> {
    assert_eq!(x.len(), y.len(), "every number has a partner");
    let mean = |of: &[f64]| of.iter().sum::<f64>() / of.len() as f64;
    let (mean_x, mean_y) = (mean(x), mean(y));
    let (mut xy, mut xx, mut yy) = (0.0, 0.0, 0.0);
    for (x, y) in x.iter().zip(y) {
        let (x, y) = (x - mean_x, y - mean_y);
        xy += x * y;
        xx += x * x;
        yy += y * y;
    }
    (xx > 0.0 && yy > 0.0).then(|| (xy / (xx * yy).sqrt()).clamp(-1.0, 1.0))
}

/// Spearman's correlation: Pearson's of the ranks, where equal numbers share the mean of their ranks. Absent where one of the
/// lists has a single value.
///
/// # Panics
/// If the lists are not equally long.
pub fn spearman(x: &[f64], y: &[f64]) -> Option<f64> {
    pearson(&average_ranks(x), &average_ranks(y))
}

/// The rank of every number, from 1; of equal numbers the mean of the ranks they take together.
fn average_ranks(x: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..x.len()).collect();
    order.sort_by(|&i, &j| x[i].total_cmp(&x[j]));
    let mut ranks = vec![0.0; x.len()];
    let mut first = 0;
    for group in order.chunk_by(|&i, &j| x[i] == x[j]) {
        let shared = first as f64 + (group.len() + 1) as f64 / 2.0;
        group.iter().for_each(|&i| ranks[i] = shared);
        first += group.len();
    }
    ranks
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_numbers_share_their_rank() {
        assert_eq!(average_ranks(&[3.0, 1.0, 3.0, 2.0, 3.0]), [4.0, 1.0, 4.0, 2.0, 4.0]);
    }

    #[test]
    fn correlations_by_hand() {
        let x = [1.0, 2.0, 3.0, 4.0];
        assert_eq!(spearman(&x, &[1.0, 8.0, 27.0, 64.0]), Some(1.0));
        assert_eq!(spearman(&x, &[4.0, 3.0, 2.0, 1.0]), Some(-1.0));
        // Ranks 1, 2.5, 2.5, 4: the covariance with 1, 2, 3, 4 is 4.5, the variances are 4.5 and 5.
        let tied = spearman(&x, &[0.0, 5.0, 5.0, 9.0]).unwrap();
        assert!((tied - 4.5 / (4.5f64 * 5.0).sqrt()).abs() < 1e-15, "{tied}");
        assert_eq!(spearman(&x, &[2.0; 4]), None);
        // Σxy = 104, Σxx = 5 and Σyy = 2390 around the means.
        let cubes = pearson(&x, &[1.0, 8.0, 27.0, 64.0]).unwrap();
        assert!((cubes - 104.0 / (5.0f64 * 2390.0).sqrt()).abs() < 1e-15, "{cubes}");
    }
}
