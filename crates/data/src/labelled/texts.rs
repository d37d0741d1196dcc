//! Texts with their labels.

use xxhash_rust::xxh3::Xxh3;

use super::{class_counts, hash_labels, hold_out, relabel, union};
use crate::{DataError, Documents};

/// Texts, each with the number of its class.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LabelledTexts {
    /// The texts, none of them empty.
    pub texts: Documents,
    /// Class of each text, `[texts]`, an index into `classes`.
    pub labels: Vec<u32>,
    /// Names of the classes, in order.
    pub classes: Vec<String>,
}

impl LabelledTexts {
    /// Checks what a set that was put together by hand may get wrong.
    ///
    /// # Errors
    /// When the numbers of texts and labels differ, or a label has no class.
    pub fn check(&self) -> Result<(), DataError> {
        if self.texts.len() != self.labels.len() {
            return Err(DataError::UnevenTexts { texts: self.texts.len(), labels: self.labels.len() });
        }
        let classes = self.classes.len();
        match self.labels.iter().enumerate().find(|&(_, &label)| label as usize >= classes) {
            Some((text, &label)) => {
                Err(DataError::LabelRange { place: format!("text {text} of a set"), label, classes })
            }
            None => Ok(()),
        }
    }

    /// Number of texts.
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// Whether there is no text.
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }

    /// Number of texts of each class.
    pub fn class_counts(&self) -> Vec<usize> {
        class_counts(&self.labels, self.classes.len())
    }

    /// The same texts with the classes of another set, such as the one a model was trained on.
    ///
    /// # Errors
    /// [`DataError::UnseenClass`] when a text has a class that is not among `known`.
    pub fn with_classes(mut self, known: &[String]) -> Result<Self, DataError> {
        relabel(&mut self.labels, &self.classes, known)?;
        self.classes = known.to_vec();
        Ok(self)
    }

    /// A 128-bit hash of texts, labels and classes, in hexadecimal digits.
    pub fn fingerprint(&self) -> String {
        let mut hash = Xxh3::new();
        for text in self.texts.iter() {
            hash.update(&(text.len() as u64).to_le_bytes());
            hash.update(text.as_bytes());
        }
        hash_labels(&mut hash, &self.labels, &self.classes);
        format!("{:032x}", hash.digest128())
    }

    /// The texts of several files with the classes of all of them.
    pub(super) fn merge(files: Vec<LabelledTexts>) -> Result<Self, DataError> {
        let classes = union(files.iter().map(|file| &file.classes[..]));
        let mut all = LabelledTexts { classes, ..LabelledTexts::default() };
        for file in files {
            let file = file.with_classes(&all.classes)?;
            all.texts.append(file.texts);
            all.labels.extend(file.labels);
        }
        Ok(all)
    }

    /// What to train on, and of every class the last `fraction` of its texts.
    pub(super) fn split(self, fraction: f64) -> (Self, Self) {
        let (train, evaluate) = hold_out(&self.labels, self.classes.len(), fraction);
        let texts: Vec<&str> = self.texts.iter().collect();
        let select = |rows: &[usize]| LabelledTexts {
            texts: rows.iter().map(|&row| texts[row]).collect(),
            labels: rows.iter().map(|&row| self.labels[row]).collect(),
            classes: self.classes.clone(),
        };
        (select(&train), select(&evaluate))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(texts: &[&str], labels: &[u32], classes: &[&str]) -> LabelledTexts {
        LabelledTexts {
            texts: Documents::from_iter(texts),
            labels: labels.to_vec(),
            classes: classes.iter().map(|&class| class.to_owned()).collect(),
        }
    }

    #[test]
    fn files_are_merged_by_the_names_of_their_classes() {
        let files = vec![set(&["x"], &[0], &["dog"]), set(&["y", "z"], &[1, 0], &["cat", "dog"])];
        let all = LabelledTexts::merge(files).unwrap();
        assert_eq!(all, set(&["x", "y", "z"], &[1, 1, 0], &["cat", "dog"]));
        assert_eq!(all.class_counts(), [1, 2]);
    }

    #[test]
    fn the_last_of_each_class_are_held_out() {
        let all = set(&["a", "b", "c", "d", "e"], &[0, 0, 0, 1, 1], &["x", "y"]);
        let (train, evaluate) = all.split(0.4);
        assert_eq!(train, set(&["a", "b", "d"], &[0, 0, 1], &["x", "y"]));
        assert_eq!(evaluate, set(&["c", "e"], &[0, 1], &["x", "y"]));
    }

    #[test]
    fn the_fingerprint_sees_every_part() {
        let base = set(&["ab", "c"], &[0, 1], &["x", "y"]);
        let others = [
            set(&["a", "bc"], &[0, 1], &["x", "y"]),
            set(&["ab", "c"], &[1, 1], &["x", "y"]),
            set(&["ab", "c"], &[0, 1], &["xy", ""]),
        ];
        assert!(others.iter().all(|other| other.fingerprint() != base.fingerprint()));
        assert_eq!(base.fingerprint(), base.clone().fingerprint());
    }

    #[test]
    fn parts_that_do_not_fit_are_refused() {
        let uneven = set(&["a"], &[0, 0], &["x"]);
        assert!(matches!(uneven.check(), Err(DataError::UnevenTexts { texts: 1, labels: 2 })));
        assert!(matches!(set(&["a"], &[1], &["x"]).check(), Err(DataError::LabelRange { .. })));
    }
}
