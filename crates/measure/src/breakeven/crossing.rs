//! At which lengths something is cheaper than something else.

use std::fmt;

use serde::Serialize;

use super::LONGEST;

/// At which lengths a mixer is cheaper than softmax attention.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "cheaper", rename_all = "snake_case")]
pub enum Crossing {
    /// At every length.
    Always,
    /// At every length above this one.
    Above {
        /// The last length at which it is not.
        length: usize,
    },
    /// At lengths below this one, but not beyond.
    Below {
        /// The length beyond the last one at which it is.
        length: usize,
    },
    /// At no length.
    Never,
    /// At every length measured, which says nothing of others.
    AllMeasured,
    /// At no length measured, which says nothing of others.
    NoneMeasured,
}

impl Crossing {
    /// From exact counts. Every length up to [`LONGEST`] is looked at: counts of chunked mixers have steps, between
    /// which a bisection could miss a length at which they are dearer again.
    pub(super) fn of_counts(cheaper: impl Fn(usize) -> bool) -> Self {
        let last = |wanted: bool| (1..LONGEST).rev().find(|&length| cheaper(length) == wanted);
        match cheaper(LONGEST) {
            true => last(false).map_or(Crossing::Always, |length| Crossing::Above { length }),
            false => last(true).map_or(Crossing::Never, |length| Crossing::Below { length: length + 1 }),
        }
    }

    /// From measured ratios (mixer over softmax attention) by length, shortest first. What counts is the last crossing:
    /// between its two lengths the logarithm of the ratio is taken as linear in that of the length. `None` without a
    /// measurement.
    pub(super) fn of_ratios(ratios: &[(usize, f64)]) -> Option<Self> {
        let cheaper = ratios.last()?.1 < 1.0;
        let Some(last) = ratios.iter().rposition(|&(_, ratio)| (ratio < 1.0) != cheaper) else {
            return Some(if cheaper { Crossing::AllMeasured } else { Crossing::NoneMeasured });
        };
        let ((length, before), (next, after)) = (ratios[last], ratios[last + 1]);
        let share = before.ln() / (before.ln() - after.ln());
        let crossing = (length as f64).ln() + share * (next as f64 / length as f64).ln();
        let length = crossing.exp().round() as usize;
        Some(if cheaper { Crossing::Above { length } } else { Crossing::Below { length } })
    }
}

impl fmt::Display for Crossing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = match self {
            Crossing::Always => "always".to_owned(),
            Crossing::Above { length } => format!("above {length}"),
            Crossing::Below { length } => format!("below {length}"),
            Crossing::Never => "never".to_owned(),
            Crossing::AllMeasured => "all".to_owned(),
            Crossing::NoneMeasured => "none".to_owned(),
        };
        f.pad(&text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_with_steps_cross_at_the_last_step() {
        assert_eq!(Crossing::of_counts(|_| true), Crossing::Always);
        assert_eq!(Crossing::of_counts(|n| n < 1000), Crossing::Below { length: 1000 });
        assert_eq!(Crossing::of_counts(|_| false), Crossing::Never);
        assert_eq!(Crossing::of_counts(|n| n > 64), Crossing::Above { length: 64 });
        assert_eq!(Crossing::of_counts(|n| n > 64 && n != 700_001), Crossing::Above { length: 700_001 });
    }

    /// Times a·n^p of a token cross where they say, whatever the lengths measured.
    #[test]
    fn power_laws_cross_exactly() {
        let ratio = |n: usize| (n as f64 / 1500.0).powf(-0.7);
        for lengths in [&[128, 1024, 4096][..], &[1, 1499, 1501], &[1000, 2000]] {
            let ratios: Vec<_> = lengths.iter().map(|&n| (n, ratio(n))).collect();
            assert_eq!(Crossing::of_ratios(&ratios), Some(Crossing::Above { length: 1500 }), "{lengths:?}");
        }
    }

    #[test]
    fn measured_crossings_by_hand() {
        let of = |ratios: &[(usize, f64)]| Crossing::of_ratios(ratios);
        assert_eq!(of(&[]), None);
        assert_eq!(of(&[(128, 0.9)]), Some(Crossing::AllMeasured));
        assert_eq!(of(&[(128, 1.0)]), Some(Crossing::NoneMeasured));
        assert_eq!(of(&[(128, 0.9), (256, 0.8)]), Some(Crossing::AllMeasured));
        assert_eq!(of(&[(128, 1.1), (256, 1.2)]), Some(Crossing::NoneMeasured));
        assert_eq!(of(&[(100, 0.5), (400, 2.0)]), Some(Crossing::Below { length: 200 }));
        // Twice as slow at 100, half as slow at 400: equal at √(100·400).
        assert_eq!(of(&[(100, 2.0), (400, 0.5)]), Some(Crossing::Above { length: 200 }));
        // Of two crossings the last one counts, after which it stays cheaper.
        let wavering = [(50, 2.0), (60, 0.9), (100, 2.0), (400, 0.5), (800, 0.4)];
        assert_eq!(of(&wavering), Some(Crossing::Above { length: 200 }));
        assert_eq!(of(&[(100, 1.0), (400, 0.5)]), Some(Crossing::Above { length: 100 }));
    }

    #[test]
    fn crossings_are_told_in_a_word() {
        assert_eq!(format!("{:>12}", Crossing::Above { length: 4096 }), "  above 4096");
        let json = serde_json::to_string(&Crossing::Above { length: 64 }).unwrap();
        assert_eq!(json, r#"{"cheaper":"above","length":64}"#);
    }
}
