//! Documents as one string with cut points: a million short ones cost no million allocations.

/// An ordered list of documents, none of them empty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Documents {
    text: String,
    /// End of each document in `text`, in bytes.
    ends: Vec<usize>,
}

impl Documents {
    /// Adds a document at the end; an empty one is dropped.
    pub fn push(&mut self, document: &str) {
        if !document.is_empty() {
            self.text.push_str(document);
            self.ends.push(self.text.len());
        }
    }

    /// Adds a document at the end without copying when it is the first.
    pub(crate) fn push_owned(&mut self, document: String) {
        if self.text.is_empty() && !document.is_empty() {
            self.ends.push(document.len());
            self.text = document;
        } else {
            self.push(&document);
        }
    }

    /// Adds all documents of `other` at the end.
    pub fn append(&mut self, other: Documents) {
        if self.is_empty() {
            *self = other;
            return;
        }
        let base = self.text.len();
        self.text.push_str(&other.text);
        self.ends.extend(other.ends.iter().map(|end| base + end));
    }

    /// How many documents.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there is no document.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// UTF-8 bytes of all documents together.
    pub fn bytes(&self) -> u64 {
        self.text.len() as u64
    }

    /// The documents in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &str> + '_ {
        (0..self.len()).map(|i| self.get(i))
    }

    /// One document.
    ///
    /// # Panics
    /// If there are not so many.
    pub fn get(&self, index: usize) -> &str {
        let start = if index == 0 { 0 } else { self.ends[index - 1] };
        &self.text[start..self.ends[index]]
    }

    /// Cuts off the last `fraction` of the bytes.
    ///
    /// The cut is the last line start, or document start, at or before the exact place, so that
    /// neither a line nor a character is divided. A text without such a place is cut at a character.
    pub fn split_off(mut self, fraction: f64) -> (Documents, Documents) {
        let total = self.text.len();
        let target = total - ((total as f64 * fraction).round() as usize).min(total);
        let target = self.text.floor_char_boundary(target);
        if target == total {
            return (self, Documents::default());
        }
        let line = self.text[..target].rfind('\n').map_or(0, |at| at + 1);
        let document = self.ends[..self.ends.partition_point(|&end| end <= target)].last().copied();
        let cut = match line.max(document.unwrap_or(0)) {
            0 => target,
            start => start,
        };
        let first = self.ends.partition_point(|&end| end <= cut);
        let tail = Documents {
            text: self.text[cut..].to_owned(),
            ends: self.ends[first..].iter().map(|end| end - cut).collect(),
        };
        self.text.truncate(cut);
        self.ends.truncate(first);
        if cut > self.ends.last().copied().unwrap_or(0) {
            self.ends.push(cut);
        }
        (self, tail)
    }
}

impl<S: AsRef<str>> FromIterator<S> for Documents {
    fn from_iter<I: IntoIterator<Item = S>>(documents: I) -> Self {
        let mut all = Documents::default();
        documents.into_iter().for_each(|document| all.push(document.as_ref()));
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn collect(documents: &Documents) -> Vec<&str> {
        documents.iter().collect()
    }

    #[test]
    fn empty_documents_are_dropped_and_order_is_kept() {
        let mut all = Documents::from_iter(["a", "", "bc"]);
        all.append(Documents::from_iter(["d"]));
        assert_eq!((collect(&all), all.bytes()), (vec!["a", "bc", "d"], 4));
    }

    #[test]
    fn the_cut_falls_on_a_line_start() {
        let (head, tail) = Documents::from_iter(["one\ntwo\nthree\n"]).split_off(0.3);
        assert_eq!((collect(&head), collect(&tail)), (vec!["one\ntwo\n"], vec!["three\n"]));
    }

    #[test]
    fn the_cut_falls_between_short_documents() {
        let (head, tail) = Documents::from_iter(["aaaa", "bbbb", "cccc"]).split_off(0.5);
        assert_eq!((collect(&head), collect(&tail)), (vec!["aaaa"], vec!["bbbb", "cccc"]));
    }

    #[test]
    fn a_single_line_is_cut_at_a_character() {
        let (head, tail) = Documents::from_iter(["ééééé"]).split_off(0.5);
        assert_eq!((collect(&head), collect(&tail)), (vec!["éé"], vec!["ééé"]));
    }

    #[test]
    fn nothing_is_cut_at_zero() {
        let (head, tail) = Documents::from_iter(["abc"]).split_off(0.0);
        assert_eq!((head.len(), tail.is_empty()), (1, true));
    }

    proptest! {
        #[test]
        fn a_cut_loses_no_byte(texts in prop::collection::vec("[aé\n]{0,12}", 0..6), fraction in 0.0..0.9f64) {
            let all = Documents::from_iter(&texts);
            let (head, tail) = all.clone().split_off(fraction);
            prop_assert_eq!(head.text.clone() + &tail.text, all.text);
            prop_assert!(head.iter().chain(tail.iter()).all(|document| !document.is_empty()));
        }
    }
}
