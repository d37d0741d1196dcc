//! Telling the class of an embedding by its neighbours.

use burn::tensor::Tensor;

use super::for_each_row;

/// Share of rows `[n, d]` whose class most of the nearest `k` among the reference rows `[m, d]` have; of classes with as many,
/// that of the nearest counts. Without references every row is told by all the others.
///
/// # Panics
/// If there is not one label for each row, or k is 0.
pub fn neighbour_accuracy(
    (rows, labels): (&Tensor<2>, &[u32]),
    references: Option<(&Tensor<2>, &[u32])>,
    k: usize,
) -> f64 {
    assert!(k > 0, "at least one neighbour");
    let (others, classes) = references.unwrap_or((rows, labels));
    assert_eq!([rows.dims()[0], others.dims()[0]], [labels.len(), classes.len()], "a label for each row");
    let mut right = 0usize;
    for_each_row(rows, others, &mut |i, scores| {
        let mut order: Vec<usize> = (0..scores.len()).filter(|&j| references.is_some() || j != i).collect();
        let nearer = |&a: &usize, &b: &usize| scores[b].total_cmp(&scores[a]).then(a.cmp(&b));
        if order.len() > k {
            order.select_nth_unstable_by(k - 1, nearer);
            order.truncate(k);
        }
        order.sort_unstable_by(nearer);
        let near: Vec<u32> = order.iter().map(|&j| classes[j]).collect();
        right += usize::from(majority(&near) == Some(labels[i]));
    });
    right as f64 / labels.len().max(1) as f64
}

/// The most frequent class; of several the one that comes first.
fn majority(near: &[u32]) -> Option<u32> {
    let votes = |class: u32| near.iter().filter(|&&other| other == class).count();
    let mut best: Option<(usize, u32)> = None;
    for &class in near {
        let votes = votes(class);
        if best.is_none_or(|(most, _)| votes > most) {
            best = Some((votes, class));
        }
    }
    best.map(|(_, class)| class)
}

#[cfg(test)]
mod tests {
    use super::super::support::on_circle;
    use super::*;

    #[test]
    fn the_nearest_vote() {
        let rows = on_circle(&[0.0, 5.0, 90.0, 95.0]);
        assert_eq!(neighbour_accuracy((&rows, &[1, 1, 2, 2]), None, 1), 1.0);
        assert_eq!(neighbour_accuracy((&rows, &[1, 2, 2, 1]), None, 1), 0.0);
        // Of all three others the two of the other class outvote the nearest.
        assert_eq!(neighbour_accuracy((&rows, &[1, 1, 2, 2]), None, 3), 0.0);
        let references = on_circle(&[1.0, 2.0, 3.0, 91.0]);
        let near = neighbour_accuracy((&rows, &[7, 7, 8, 8]), Some((&references, &[7, 7, 7, 8])), 1);
        let all = neighbour_accuracy((&rows, &[7, 7, 8, 8]), Some((&references, &[7, 7, 7, 8])), 9);
        assert_eq!((near, all), (1.0, 0.5));
    }

    #[test]
    fn of_equal_votes_the_nearest_counts() {
        assert_eq!(majority(&[3, 1, 1, 3, 2]), Some(3));
        assert_eq!(majority(&[3, 1, 1]), Some(1));
        assert_eq!(majority(&[]), None);
    }
}
