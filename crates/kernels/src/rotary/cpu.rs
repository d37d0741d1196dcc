//! The rotation over blocks of positions. Every layer turns by the same angles, so their sines and cosines are
//! kept from one call to the next.

use std::cell::RefCell;
use std::sync::Arc;

use burn_flex::FlexTensor;
use rayon::prelude::*;

use super::{Positions, RotaryLayout, RotaryOptions};
use crate::cpu::{Real, Rows, block_rows, for_blocks, output, tensor, vectorised, with_real, with_rows};
use crate::profile;

/// The rotation of every position.
#[derive(Clone, Debug)]
pub(crate) struct Rotation {
    layout: RotaryLayout,
    angles: Arc<Angles>,
    /// −1 turns backwards.
    direction: f64,
}

impl Rotation {
    pub(crate) fn new(options: RotaryOptions, positions: Positions, length: usize) -> Self {
        Rotation { layout: options.layout, angles: Angles::of(options, (positions, length)), direction: 1.0 }
    }

    pub(crate) fn inverse(&self) -> Self {
        Rotation { direction: -self.direction, ..self.clone() }
    }

    /// The rotation in the precision of the numbers it turns.
    pub(crate) fn table<T: Real>(&self) -> Table<T> {
        let Angles { pairs, cosines, sines, .. } = &*self.angles;
        Table {
            layout: self.layout,
            pairs: *pairs,
            cosines: cosines.iter().map(|&c| T::of(c)).collect(),
            sines: sines.iter().map(|&s| T::of(s * self.direction)).collect(),
        }
    }
}

/// Where rows stand, and how many there are.
type Placed = (Positions, usize);

/// Cosines and sines `[n, pairs]` of the angles of rows, in double precision.
#[derive(Debug)]
struct Angles {
    pairs: usize,
    base: f64,
    positions: Placed,
    cosines: Vec<f64>,
    sines: Vec<f64>,
}

thread_local! {
    static LATEST: RefCell<Option<Arc<Angles>>> = const { RefCell::new(None) };
}

impl Angles {
    /// The angles that were asked for last, or new ones.
    fn of(options: RotaryOptions, positions: Placed) -> Arc<Self> {
        let (pairs, base) = (options.width / 2, options.base);
        LATEST.with_borrow_mut(|latest| {
            let fits = |angles: &&mut Arc<Angles>| {
                (angles.pairs, angles.base, angles.positions) == (pairs, base, positions)
            };
            match latest.as_mut().filter(fits) {
                Some(angles) => Arc::clone(angles),
                None => Arc::clone(latest.insert(Arc::new(Angles::new(pairs, base, positions)))),
            }
        })
    }

    fn new(pairs: usize, base: f64, positions: Placed) -> Self {
        let frequencies: Vec<f64> =
            (0..pairs).map(|i| base.powf(-2.0 * i as f64 / (2 * pairs) as f64)).collect();
        let (at, length) = positions;
        let angles: Vec<(f64, f64)> = (0..length)
            .into_par_iter()
            .flat_map_iter(|row| frequencies.iter().map(move |f| (at.at(row) as f64 * f).sin_cos()))
            .collect();
        let (sines, cosines) = angles.into_iter().unzip();
        Angles { pairs, base, positions, cosines, sines }
    }
}

/// A rotation in one precision.
pub(crate) struct Table<T> {
    layout: RotaryLayout,
    pairs: usize,
    cosines: Vec<T>,
    sines: Vec<T>,
}

impl<T: Real> Table<T> {
    /// Turns all heads of `width` channels at one position, counted from the first of the table.
    pub(crate) fn turn(&self, index: usize, heads: &mut [T], width: usize) {
        let angles = index * self.pairs..(index + 1) * self.pairs;
        let (cosines, sines) = (&self.cosines[angles.clone()], &self.sines[angles]);
        match self.layout {
            RotaryLayout::SplitHalf => split_half(heads, width, cosines, sines),
            RotaryLayout::Interleaved => interleaved(heads, width, cosines, sines),
        }
    }
}

pub(super) fn rotate(x: &FlexTensor, rotation: &Rotation) -> FlexTensor {
    profile::operation("rotary", [x], || with_real!(x.dtype(), R => rotate_as::<R>(x, rotation)))
}

fn rotate_as<T: Real>(x: &FlexTensor, rotation: &Rotation) -> FlexTensor {
    let shape = x.layout().shape().clone();
    let (length, heads, width) = (shape[1], shape[2], shape[3]);
    let x = with_rows(x.clone());
    let x = Rows::<T>::new(&x);
    let table = rotation.table::<T>();
    let row = heads * width;
    let mut out = output::<T>(shape.num_elements());
    for_blocks(&mut out, block_rows(row) * row, |start, block| {
        for (i, out) in (start / row..).zip(block.chunks_exact_mut(row)) {
            for (head, out) in out.chunks_exact_mut(width).enumerate() {
                out.copy_from_slice(x.row(i * heads + head));
            }
            table.turn(i % length, out, width);
        }
    });
    tensor(out, shape)
}

vectorised! {
    /// All heads of one position, channel i paired with channel i + pairs.
    fn split_half<T: Real>(heads: &mut [T], width: usize, cosines: &[T], sines: &[T]) {
        let pairs = cosines.len();
        for head in heads.chunks_exact_mut(width) {
            let (a, b) = head[..2 * pairs].split_at_mut(pairs);
            for ((a, b), (&cosine, &sine)) in a.iter_mut().zip(b).zip(cosines.iter().zip(sines)) {
                (*a, *b) = (*a * cosine - *b * sine, *a * sine + *b * cosine);
            }
        }
    }
}

vectorised! {
    /// All heads of one position, channel 2i paired with channel 2i + 1.
    fn interleaved<T: Real>(heads: &mut [T], width: usize, cosines: &[T], sines: &[T]) {
        let pairs = cosines.len();
        for head in heads.chunks_exact_mut(width) {
            for (pair, (&cosine, &sine)) in head[..2 * pairs].chunks_exact_mut(2).zip(cosines.iter().zip(sines)) {
                (pair[0], pair[1]) = (pair[0] * cosine - pair[1] * sine, pair[0] * sine + pair[1] * cosine);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn angles_are_kept_for_the_same_question_only() {
        let options = RotaryOptions { layout: RotaryLayout::SplitHalf, width: 8, base: 100.0 };
        let rows = |start, length| (Positions::from(start), length);
        let first = Angles::of(options, rows(2, 3));
        assert!(Arc::ptr_eq(&first, &Angles::of(options, rows(2, 3))));
        for (options, positions) in [
            (options, rows(2, 4)),
            (options, rows(3, 2)),
            (options, (Positions { start: 2, gap: 1 }, 3)),
            (RotaryOptions { width: 6, ..options }, rows(2, 3)),
            (RotaryOptions { base: 10.0, ..options }, rows(2, 3)),
        ] {
            let kept = Angles::of(options, positions);
            let new = Angles::new(options.width / 2, options.base, positions);
            assert_eq!((&kept.cosines, &kept.sines), (&new.cosines, &new.sines));
            assert_ne!(kept.cosines, first.cosines);
        }
    }
}
