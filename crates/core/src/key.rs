//! Keyed randomness: every random number is a pure function of
//! (seed, purpose, step, view, site, sample id, element).
//!
//! There is no generator state anywhere. A [`Key`] is derived by folding words into a parent key;
//! a [`Stream`] is a key bound to one sample; an element of a stream is found by its index. Results
//! therefore do not depend on chunk size, thread count, evaluation order or resume point.
//!
//! ```
//! use mixlab_core::{Key, Purpose};
//! let dropout = Key::root(7).purpose(Purpose::Dropout).step(12).view(0).site("block.3.branch");
//! let sample = dropout.sample(41);
//! assert_eq!(sample.uniform(1000), dropout.sample(41).uniform(1000));
//! ```

use crate::philox::{philox4x32_10, philox4x32_10_lanes};

/// What a random number is for. Two purposes never share a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Purpose {
    /// Parameter initialisation.
    Init,
    /// Dropout and every other multiplicative noise in a model.
    Dropout,
    /// The order in which data is visited.
    Order,
    /// Which tokens a masked language model hides, and what stands in their place.
    Mask,
    /// Sampling from a model's distribution.
    Sample,
    /// Data made up for tests and measurements.
    Synthetic,
    /// How a training example is changed each time it is shown.
    Augmentation,
}

impl Purpose {
    /// Written out, not derived from the position in the enum: the words are part of what makes a
    /// run reproducible and must survive new variants.
    fn word(self) -> u64 {
        match self {
            Purpose::Init => 1,
            Purpose::Dropout => 2,
            Purpose::Order => 3,
            Purpose::Mask => 4,
            Purpose::Sample => 5,
            Purpose::Synthetic => 6,
            Purpose::Augmentation => 7,
        }
    }
}

/// The level of the derivation a word is folded at, so that `step(3)` and `view(3)` differ.
#[derive(Clone, Copy)]
#[repr(u32)]
enum Level {
    Purpose = 1,
    Step = 2,
    View = 3,
    Site = 4,
    Index = 5,
}

/// A 64-bit Philox key: a node in the tree of all random streams.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Key(u64);

impl Key {
    /// The root of all streams of one run.
    pub fn root(seed: u64) -> Self {
        Key(seed)
    }

    /// The streams that serve one purpose.
    pub fn purpose(self, purpose: Purpose) -> Self {
        self.fold(Level::Purpose, purpose.word())
    }

    /// The streams of one training step.
    pub fn step(self, step: u64) -> Self {
        self.fold(Level::Step, step)
    }

    /// The streams of one view of a sample, for objectives that see a sample more than once.
    pub fn view(self, view: u64) -> Self {
        self.fold(Level::View, view)
    }

    /// The streams of one named place in the program, such as a parameter path.
    pub fn site(self, path: &str) -> Self {
        self.fold(Level::Site, hash64(path.as_bytes()))
    }

    /// The streams of one numbered place, such as a block of a stack.
    pub fn index(self, index: u64) -> Self {
        self.fold(Level::Index, index)
    }

    /// The stream of one sample. Use sample 0 where there is no notion of a sample.
    pub fn sample(self, sample: u64) -> Stream {
        Stream { key: words(self.0), sample: words(sample) }
    }

    /// The key as a number, for places that store or compare keys.
    pub fn bits(self) -> u64 {
        self.0
    }

    fn fold(self, level: Level, word: u64) -> Self {
        let [w0, w1] = words(word);
        // The last counter word keeps derivation apart from every `Stream` with sample < 2^63.
        let out = philox4x32_10([w0, w1, level as u32, 0x8000_0000], words(self.0));
        Key(u64::from(out[0]) | u64::from(out[1]) << 32)
    }
}

/// The random numbers of one sample under one key, indexed by element.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stream {
    key: [u32; 2],
    sample: [u32; 2],
}

impl Stream {
    /// The four words with element indices `4·block .. 4·block + 4`.
    #[inline]
    pub fn block(&self, block: u64) -> [u32; 4] {
        let [b0, b1] = words(block);
        philox4x32_10([b0, b1, self.sample[0], self.sample[1]], self.key)
    }

    /// The blocks `first .. first + N`, word by word: element `l` of the four arrays is a word of
    /// `block(first + l)`. Always inlined, for vectorised kernels.
    #[inline(always)]
    pub fn blocks<const N: usize>(&self, first: u64) -> [[u32; N]; 4] {
        let (mut low, mut high) = ([0; N], [0; N]);
        for (l, (low, high)) in low.iter_mut().zip(&mut high).enumerate() {
            [*low, *high] = words(first.wrapping_add(l as u64));
        }
        philox4x32_10_lanes([low, high, [self.sample[0]; N], [self.sample[1]; N]], self.key)
    }

    /// 32 uniform bits of one element.
    #[inline]
    pub fn bits(&self, element: u64) -> u32 {
        self.block(element / 4)[(element % 4) as usize]
    }

    /// 64 uniform bits of one element. Independent of [`Stream::bits`] only across different keys.
    #[inline]
    pub fn bits64(&self, element: u64) -> u64 {
        joined(self.half(element))
    }

    /// Uniform on [0, 1) with 53 random bits.
    pub fn uniform(&self, element: u64) -> f64 {
        unit(self.half(element))
    }

    /// Half a block.
    fn half(&self, element: u64) -> [u32; 2] {
        let [w0, w1, w2, w3] = self.block(element / 2);
        if element.is_multiple_of(2) { [w0, w1] } else { [w2, w3] }
    }

    /// Two independent standard normals, elements `2·pair` and `2·pair + 1`, by the Box–Muller transform.
    pub fn normal_pair(&self, pair: u64) -> (f64, f64) {
        // The uniform numbers of the same two elements, from the one block that holds both.
        let [w0, w1, w2, w3] = self.block(pair);
        let [u, v] = [[w0, w1], [w2, w3]].map(unit);
        // 1 − u lies in (0, 1], so the logarithm is finite.
        let radius = (-2.0 * (1.0 - u).ln()).sqrt();
        let (sin, cos) = (std::f64::consts::TAU * v).sin_cos();
        (radius * cos, radius * sin)
    }

    /// Standard normals of the elements 0, 1, 2, …, without end: what [`Stream::normal`] gives for each, in half the time.
    pub fn normals(&self) -> impl Iterator<Item = f64> + use<> {
        let stream = *self;
        (0..).flat_map(move |pair| <[f64; 2]>::from(stream.normal_pair(pair)))
    }

    /// Standard normal of one element.
    pub fn normal(&self, element: u64) -> f64 {
        let (even, odd) = self.normal_pair(element / 2);
        if element.is_multiple_of(2) { even } else { odd }
    }

    /// Uniform on `0..n`. The bias of the multiplication method is below `n / 2^64`.
    ///
    /// # Panics
    /// If `n` is zero.
    pub fn below(&self, element: u64, n: u64) -> u64 {
        assert!(n > 0, "cannot draw from an empty range");
        ((u128::from(self.bits64(element)) * u128::from(n)) >> 64) as u64
    }

    /// A uniformly random permutation of `0..n` (Fisher–Yates).
    pub fn permutation(&self, n: usize) -> Vec<usize> {
        let mut order: Vec<usize> = (0..n).collect();
        for i in (1..n).rev() {
            order.swap(i, self.below(i as u64, i as u64 + 1) as usize);
        }
        order
    }
}

/// A 64-bit FNV-1a hash with a final avalanche: stable for ever, on every platform.
pub fn hash64(bytes: &[u8]) -> u64 {
    let mut h = 0xcbf2_9ce4_8422_2325u64;
    for &b in bytes {
        h = (h ^ u64::from(b)).wrapping_mul(0x0000_0100_0000_01b3);
    }
    // FNV leaves the high bits weak for short strings; this is the finaliser of SplitMix64.
    h = (h ^ (h >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    h = (h ^ (h >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    h ^ (h >> 31)
}

#[inline(always)]
fn words(x: u64) -> [u32; 2] {
    [x as u32, (x >> 32) as u32]
}

#[inline(always)]
fn joined([low, high]: [u32; 2]) -> u64 {
    u64::from(low) | u64::from(high) << 32
}

/// A number in [0, 1) of the upper 53 bits.
#[inline(always)]
fn unit(words: [u32; 2]) -> f64 {
    (joined(words) >> 11) as f64 * (1.0 / (1u64 << 53) as f64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    fn stream() -> Stream {
        Key::root(1).purpose(Purpose::Synthetic).sample(0)
    }

    #[test]
    fn every_coordinate_changes_the_stream() {
        let base = Key::root(1).purpose(Purpose::Dropout).step(2).view(3).site("a");
        let others = [
            Key::root(2).purpose(Purpose::Dropout).step(2).view(3).site("a").sample(5),
            Key::root(1).purpose(Purpose::Init).step(2).view(3).site("a").sample(5),
            Key::root(1).purpose(Purpose::Dropout).step(3).view(3).site("a").sample(5),
            Key::root(1).purpose(Purpose::Dropout).step(2).view(2).site("a").sample(5),
            Key::root(1).purpose(Purpose::Dropout).step(2).view(3).site("b").sample(5),
            base.index(0).sample(5),
            base.sample(6),
        ];
        let mut seen: BTreeSet<[u32; 4]> = others.iter().map(|s| s.block(0)).collect();
        seen.insert(base.sample(5).block(0));
        assert_eq!(seen.len(), others.len() + 1);
    }

    #[test]
    fn blocks_are_the_single_blocks() {
        let first = u64::from(u32::MAX) - 1;
        let blocks = stream().blocks::<4>(first);
        for l in 0..4 {
            assert_eq!(blocks.map(|word| word[l]), stream().block(first + l as u64));
        }
    }

    #[test]
    fn step_and_view_of_the_same_number_differ() {
        assert_ne!(Key::root(1).step(3), Key::root(1).view(3));
    }

    #[test]
    fn moments_of_uniform_and_normal() {
        let (s, n) = (stream(), 200_000u64);
        let mean = |f: &dyn Fn(u64) -> f64| (0..n).map(f).sum::<f64>() / n as f64;
        assert!((mean(&|i| s.uniform(i)) - 0.5).abs() < 3e-3);
        assert!((mean(&|i| s.uniform(i).powi(2)) - 1.0 / 3.0).abs() < 3e-3);
        assert!(mean(&|i| s.normal(i)).abs() < 1e-2);
        assert!((mean(&|i| s.normal(i).powi(2)) - 1.0).abs() < 2e-2);
        assert!((mean(&|i| s.normal(i).powi(4)) - 3.0).abs() < 0.1);
    }

    #[test]
    fn normals_in_a_row_are_the_single_ones() {
        for (element, value) in (0..9).zip(stream().normals()) {
            assert_eq!(value, stream().normal(element));
        }
        let radius = (-2.0 * (1.0 - stream().uniform(4)).ln()).sqrt();
        assert_eq!(stream().normal(4), radius * (std::f64::consts::TAU * stream().uniform(5)).cos());
    }

    #[test]
    fn below_stays_in_range_and_reaches_every_value() {
        let seen: BTreeSet<u64> = (0..1000).map(|i| stream().below(i, 7)).collect();
        assert_eq!(seen, (0..7).collect());
    }

    #[test]
    fn permutation_holds_every_index_once() {
        let order = stream().permutation(101);
        assert_ne!(order, (0..101).collect::<Vec<_>>());
        assert_eq!(order.into_iter().collect::<BTreeSet<_>>().len(), 101);
        assert!(stream().permutation(0).is_empty());
    }

    #[test]
    fn hash_is_stable() {
        assert_eq!(hash64(b""), hash64(b""));
        assert_ne!(hash64(b"blocks.0.weight"), hash64(b"blocks.1.weight"));
    }
}
