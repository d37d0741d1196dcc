//! Values as numbers.

/// Values by the number of their first appearance, and how many there are.
pub(super) fn numbered<T: PartialEq>(values: impl Iterator<Item = T>) -> (Vec<usize>, usize) {
    let mut known: Vec<T> = Vec::new();
    let numbers = values
        .map(|value| {
            known.iter().position(|other| *other == value).unwrap_or_else(|| {
                known.push(value);
                known.len() - 1
            })
        })
        .collect();
    (numbers, known.len())
}
