//! Class names, and examples set apart class by class.

use xxhash_rust::xxh3::Xxh3;

use crate::DataError;

/// Classes in their order: by value where all are whole numbers, else by spelling. A name that is there
/// several times is kept once.
pub(crate) fn sort_classes(mut classes: Vec<String>) -> Vec<String> {
    let number = |class: &String| class.parse::<i128>().ok();
    match classes.iter().all(|class| number(class).is_some()) {
        true => classes.sort_by_cached_key(|class| (number(class), class.clone())),
        false => classes.sort(),
    }
    classes.dedup();
    classes
}

/// The classes of several files. Files that agree keep their own order, which need not be sorted.
pub(super) fn union<'c>(lists: impl Iterator<Item = &'c [String]> + Clone) -> Vec<String> {
    let first = lists.clone().next().unwrap_or_default();
    match lists.clone().all(|list| list == first) {
        true => first.to_vec(),
        false => sort_classes(lists.flatten().cloned().collect()),
    }
}

/// Turns indices into `from` into indices into `to`, by name.
///
/// A class of `from` that no label has may be missing in `to`.
pub(crate) fn relabel(labels: &mut [u32], from: &[String], to: &[String]) -> Result<(), DataError> {
    let position = |class| to.iter().position(|known| known == class).map(|index| index as u32);
    let table: Vec<Option<u32>> = from.iter().map(position).collect();
    for label in labels {
        let class = *label as usize;
        *label = table[class]
            .ok_or_else(|| DataError::UnseenClass { class: from[class].clone(), known: to.to_vec() })?;
    }
    Ok(())
}

/// Number of examples of each class.
pub(crate) fn class_counts(labels: &[u32], classes: usize) -> Vec<usize> {
    let mut counts = vec![0; classes];
    labels.iter().for_each(|&label| counts[label as usize] += 1);
    counts
}

/// Probability one for a class, zero for the others.
pub(crate) fn one_hot(label: u32, classes: usize) -> Vec<f32> {
    let mut targets = vec![0.0; classes];
    targets[label as usize] = 1.0;
    targets
}

/// Adds labels and classes to a fingerprint. Names end in a byte that is in no UTF-8 text.
pub(crate) fn hash_labels(hash: &mut Xxh3, labels: &[u32], classes: &[String]) {
    labels.iter().for_each(|label| hash.update(&label.to_le_bytes()));
    classes.iter().for_each(|class| {
        hash.update(class.as_bytes());
        hash.update(&[0xff]);
    });
}

/// Which examples to train on and which to hold out: of every class the last in the order of the
/// files, without any chance.
///
/// The places where `fraction` of all examples, class after class, are rounded to whole ones decide how
/// many each class gives, so that all together are right to half an example even where classes are
/// small. The first example of a class is never held out. Both lists are in the order of the files.
pub(super) fn hold_out(labels: &[u32], classes: usize, fraction: f64) -> (Vec<usize>, Vec<usize>) {
    let counts = class_counts(labels, classes);
    let mut before = 0;
    let kept: Vec<usize> = counts
        .iter()
        .map(|&count| {
            let rounded = |examples: usize| (examples as f64 * fraction).round() as usize;
            let held_out = rounded(before + count) - rounded(before);
            before += count;
            count - held_out.min(count.saturating_sub(1))
        })
        .collect();
    let mut seen = vec![0; classes];
    (0..labels.len()).partition(|&example| {
        let class = labels[example] as usize;
        seen[class] += 1;
        seen[class] <= kept[class]
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(|&name| name.to_owned()).collect()
    }

    #[test]
    fn numbers_are_sorted_by_value_and_words_by_spelling() {
        assert_eq!(sort_classes(names(&["10", "-1", "2", "2"])), ["-1", "2", "10"]);
        assert_eq!(sort_classes(names(&["10", "b", "2"])), ["10", "2", "b"]);
        assert_eq!(sort_classes(names(&["1", "01"])), ["01", "1"]);
    }

    #[test]
    fn files_that_agree_keep_their_order() {
        let (ship, cat) = (names(&["ship", "cat"]), names(&["cat", "dog"]));
        assert_eq!(union([&ship[..], &ship[..]].into_iter()), ship);
        assert_eq!(union([&ship[..], &cat[..]].into_iter()), ["cat", "dog", "ship"]);
    }

    #[test]
    fn labels_follow_the_names_and_unused_classes_may_be_missing() {
        let mut labels = [0, 2, 0];
        relabel(&mut labels, &names(&["a", "b", "c"]), &names(&["c", "a"])).unwrap();
        assert_eq!(labels, [1, 0, 1]);
        let error = relabel(&mut [1], &names(&["a", "b"]), &names(&["a"])).unwrap_err();
        assert!(matches!(error, DataError::UnseenClass { class, known } if class == "b" && known == ["a"]));
    }

    #[test]
    fn the_last_of_each_class_are_held_out() {
        let labels = [0, 1, 0, 1, 0, 1, 0, 1];
        assert_eq!(hold_out(&labels, 2, 0.25), (vec![0, 1, 2, 3, 4, 5], vec![6, 7]));
        assert_eq!(hold_out(&labels, 2, 0.0).1, [0; 0]);
        // A tenth of 10 classes of 3 are 3 examples, though a tenth of each class is none.
        let small: Vec<u32> = (0..30).map(|example| example / 3).collect();
        assert_eq!(hold_out(&small, 10, 0.1).1, [5, 14, 26]);
    }

    proptest! {
        #[test]
        fn holding_out_is_a_partition_that_keeps_every_class(
            labels in prop::collection::vec(0u32..5, 1..200), fraction in 0.0..0.9f64,
        ) {
            let (train, held_out) = hold_out(&labels, 5, fraction);
            let mut all: Vec<usize> = train.iter().chain(&held_out).copied().collect();
            all.sort_unstable();
            prop_assert!(all.into_iter().eq(0..labels.len()));
            prop_assert!(train.is_sorted() && held_out.is_sorted());
            let of = |rows: &[usize]| class_counts(&rows.iter().map(|&row| labels[row]).collect::<Vec<_>>(), 5);
            let (all, kept, given) = (class_counts(&labels, 5), of(&train), of(&held_out));
            for class in 0..5 {
                prop_assert_eq!(kept[class] > 0, all[class] > 0);
                let wanted = all[class] as f64 * fraction;
                prop_assert!((given[class] as f64 - wanted).abs() <= 1.0, "{} of {}", given[class], all[class]);
            }
        }
    }
}
