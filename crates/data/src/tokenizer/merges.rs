//! Learning byte-pair merges.
//!
//! The trainer of the `tokenizers` library keeps its queue and its words in hash maps with a random
//! key per process: equal candidates come out in any order, and WordPiece ids with them. This one
//! has no order to lose: candidates are compared by (count, pair) alone, and no map is iterated.
//!
//! Source: Sennrich, Haddow and Birch, "Neural machine translation of rare words with subword
//! units", ACL 2016, algorithm 1, with the counts kept up to date instead of recounted.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap, HashMap};

type Pair = (u32, u32);

/// A vocabulary in the making.
pub(super) struct MergeLearner {
    /// Token strings by id.
    tokens: Vec<String>,
    ids: HashMap<String, u32>,
    words: Vec<Word>,
    counts: HashMap<Pair, u64>,
    /// Words that hold a pair, or once did.
    places: HashMap<Pair, Vec<u32>>,
    /// Candidates, the most frequent first and the oldest tokens first among equals. Counts here
    /// may be out of date, but are never too small.
    queue: BinaryHeap<(u64, Reverse<Pair>)>,
    /// Prefix of tokens that continue a word, dropped when they are joined to the one before.
    continuation: &'static str,
    /// Merged pairs, in order.
    pub(super) merges: Vec<(String, String)>,
}

struct Word {
    symbols: Vec<u32>,
    count: u64,
}

impl MergeLearner {
    /// Starts from `tokens`, in which every character of every word is found, behind
    /// `continuation` where it is not the first of its word.
    pub(super) fn new(
        tokens: Vec<String>,
        continuation: &'static str,
        words: &BTreeMap<String, u64>,
    ) -> Self {
        let ids: HashMap<String, u32> = (0..).zip(&tokens).map(|(id, token)| (token.clone(), id)).collect();
        let mut learner = MergeLearner {
            tokens,
            ids,
            words: Vec::with_capacity(words.len()),
            counts: HashMap::new(),
            places: HashMap::new(),
            queue: BinaryHeap::new(),
            continuation,
            merges: Vec::new(),
        };
        for (word, &count) in words {
            let symbols = learner.characters(word);
            learner.words.push(Word { symbols, count });
        }
        learner.count_pairs();
        learner
    }

    /// Joins the most frequent pair until there are `vocabulary` tokens or no pair occurs
    /// `minimum` times; the tokens by id.
    pub(super) fn learn(mut self, vocabulary: usize, minimum: u64) -> (Vec<String>, Vec<(String, String)>) {
        while self.tokens.len() < vocabulary {
            let Some(pair) = self.next_pair(minimum) else { break };
            self.merge(pair);
        }
        (self.tokens, self.merges)
    }

    fn characters(&self, word: &str) -> Vec<u32> {
        let mut buffer = String::new();
        let id = |(index, character): (usize, char)| {
            buffer.clear();
            if index > 0 {
                buffer.push_str(self.continuation);
            }
            buffer.push(character);
            self.ids.get(&buffer).copied()
        };
        word.chars().enumerate().filter_map(id).collect()
    }

    fn count_pairs(&mut self) {
        let mut candidates = BTreeSet::new();
        for (place, word) in (0..).zip(&self.words) {
            for pair in word.symbols.windows(2).map(pair) {
                *self.counts.entry(pair).or_default() += word.count;
                add_place(&mut self.places, pair, place);
                candidates.insert(pair);
            }
        }
        self.enqueue(&candidates);
    }

    fn enqueue(&mut self, candidates: &BTreeSet<Pair>) {
        for &pair in candidates {
            if let Some(&count) = self.counts.get(&pair) {
                self.queue.push((count, Reverse(pair)));
            }
        }
    }

    fn next_pair(&mut self, minimum: u64) -> Option<Pair> {
        while let Some((count, Reverse(pair))) = self.queue.pop() {
            let current = self.counts.get(&pair).copied().unwrap_or(0);
            if current < minimum {
                continue;
            }
            if current == count {
                return Some(pair);
            }
            self.queue.push((current, Reverse(pair)));
        }
        None
    }

    fn merge(&mut self, pair: Pair) {
        let joined = self.join(pair);
        let mut risen = BTreeSet::new();
        for place in self.places.remove(&pair).unwrap_or_default() {
            let word = &mut self.words[place as usize];
            let old = std::mem::take(&mut word.symbols);
            let new = replace(&old, pair, joined);
            for gone in old.windows(2).map(self::pair) {
                subtract(&mut self.counts, gone, word.count);
            }
            for here in new.windows(2).map(self::pair) {
                *self.counts.entry(here).or_default() += word.count;
                if here.0 == joined || here.1 == joined {
                    add_place(&mut self.places, here, place);
                    risen.insert(here);
                }
            }
            word.symbols = new;
        }
        self.enqueue(&risen);
    }

    /// The id of the joined token. Two ways of joining can spell the same token: it is added once.
    fn join(&mut self, (left, right): Pair) -> u32 {
        let (left, right) = (self.tokens[left as usize].clone(), self.tokens[right as usize].clone());
        let tail = right.strip_prefix(self.continuation).unwrap_or(&right);
        let token = format!("{left}{tail}");
        self.merges.push((left, right));
        if let Some(&id) = self.ids.get(&token) {
            return id;
        }
        let id = self.tokens.len() as u32;
        self.ids.insert(token.clone(), id);
        self.tokens.push(token);
        id
    }
}

fn pair(window: &[u32]) -> Pair {
    (window[0], window[1])
}

/// Words are visited in order, so a repeat can only be the last entry.
fn add_place(places: &mut HashMap<Pair, Vec<u32>>, pair: Pair, place: u32) {
    let list = places.entry(pair).or_default();
    if list.last() != Some(&place) {
        list.push(place);
    }
}

fn subtract(counts: &mut HashMap<Pair, u64>, pair: Pair, count: u64) {
    if let Some(left) = counts.get_mut(&pair) {
        *left -= count;
        if *left == 0 {
            counts.remove(&pair);
        }
    }
}

/// `symbols` with every occurrence of `pair`, from the left, replaced by `joined`.
fn replace(symbols: &[u32], pair: Pair, joined: u32) -> Vec<u32> {
    let mut out = Vec::with_capacity(symbols.len());
    let mut i = 0;
    while i < symbols.len() {
        if symbols[i] == pair.0 && symbols.get(i + 1) == Some(&pair.1) {
            out.push(joined);
            i += 2;
        } else {
            out.push(symbols[i]);
            i += 1;
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn alphabet() -> Vec<String> {
        ('a'..='e').map(String::from).collect()
    }

    fn counts(words: &[(&str, u64)]) -> BTreeMap<String, u64> {
        words.iter().map(|&(word, count)| (word.to_owned(), count)).collect()
    }

    #[test]
    fn the_most_frequent_pair_is_joined_first_and_the_older_among_equals() {
        let learner = MergeLearner::new(alphabet(), "", &counts(&[("abab", 3), ("cd", 3), ("bab", 1)]));
        // ab: 3·2 + 1 = 7, then (ab, ab) 3 and (c, d) 3: ids of c and d are smaller.
        let (tokens, merges) = learner.learn(8, 1);
        assert_eq!(tokens[5..], ["ab", "cd", "abab"]);
        assert_eq!(merges[0], ("a".to_owned(), "b".to_owned()));
    }

    #[test]
    fn joining_stops_at_the_minimum_count() {
        let (tokens, _) = MergeLearner::new(alphabet(), "", &counts(&[("ab", 5), ("cd", 2)])).learn(100, 3);
        assert_eq!(tokens[5..], ["ab"]);
    }

    #[test]
    fn continuation_marks_are_dropped_inside_a_token() {
        let mut tokens = alphabet();
        tokens.extend(('a'..='e').map(|c| format!("~{c}")));
        let (tokens, _) = MergeLearner::new(tokens, "~", &counts(&[("eabc", 4)])).learn(13, 1);
        assert_eq!(tokens[10..], ["ea", "~bc", "eabc"]);
    }

    /// Counts everything anew before each merge, as the paper's listing does.
    fn recounting(words: &BTreeMap<String, u64>, merges: usize) -> Vec<(String, String)> {
        let mut tokens = alphabet();
        let mut split: Vec<(Vec<u32>, u64)> = words
            .iter()
            .map(|(word, &count)| (word.bytes().map(|b| u32::from(b - b'a')).collect(), count))
            .collect();
        let mut out = Vec::new();
        while out.len() < merges {
            let mut counts: BTreeMap<Pair, u64> = BTreeMap::new();
            for (symbols, count) in &split {
                symbols.windows(2).for_each(|window| *counts.entry(pair(window)).or_default() += count);
            }
            let Some((_, Reverse(best))) = counts.into_iter().map(|(pair, n)| (n, Reverse(pair))).max()
            else {
                break;
            };
            let (left, right) = (tokens[best.0 as usize].clone(), tokens[best.1 as usize].clone());
            let token = format!("{left}{right}");
            let id = tokens.iter().position(|known| *known == token).unwrap_or(tokens.len());
            if id == tokens.len() {
                tokens.push(token);
            }
            split.iter_mut().for_each(|(symbols, _)| *symbols = replace(symbols, best, id as u32));
            out.push((left, right));
        }
        out
    }

    proptest! {
        #[test]
        fn equals_counting_everything_anew(
            words in prop::collection::btree_map("[a-e]{1,8}", 1u64..5, 1..12),
        ) {
            let (_, merges) = MergeLearner::new(alphabet(), "", &words).learn(30, 1);
            prop_assert_eq!(&merges, &recounting(&words, merges.len()));
        }
    }
}
