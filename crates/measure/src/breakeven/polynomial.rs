//! Costs as polynomials in the length, and where one falls below another.

use std::ops::{Add, Mul, Sub};

use super::Crossing;

/// `constant + linear·n + quadratic·n²`.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Polynomial {
    pub constant: f64,
    pub linear: f64,
    pub quadratic: f64,
}

impl Polynomial {
    /// `n`.
    pub const N: Polynomial = Polynomial { constant: 0.0, linear: 1.0, quadratic: 0.0 };
    /// `n²`.
    pub const N_SQUARED: Polynomial = Polynomial { constant: 0.0, linear: 0.0, quadratic: 1.0 };

    /// A number that does not depend on the length.
    pub fn constant(constant: f64) -> Self {
        Polynomial { constant, ..Polynomial::default() }
    }

    /// Its value at one length.
    pub fn at(self, n: f64) -> f64 {
        self.constant + n * (self.linear + n * self.quadratic)
    }

    /// Where it is below `other`: the lengths from 1 on at which their difference `D(n) = other − self` is positive. What
    /// counts is the largest root of D, beyond which its sign stays.
    pub fn below(self, other: Polynomial) -> Crossing {
        let difference = other - self;
        let Polynomial { constant: c, linear: b, quadratic: a } = difference;
        let last_sign = [a, b, c].into_iter().find(|&coefficient| coefficient != 0.0).unwrap_or(0.0);
        let cheaper = |length: f64| difference.at(length) > 0.0;
        let finally = last_sign > 0.0;
        let everywhere = if finally { Crossing::Always } else { Crossing::Never };
        let Some(root) = largest_root(a, b, c) else { return everywhere };
        // The root is rounded; the polynomial itself says on which side of it an integer lies.
        let mut length = root.floor().max(0.0);
        while length >= 1.0 && cheaper(length) == finally {
            length -= 1.0;
        }
        while cheaper(length + 1.0) != finally {
            length += 1.0;
        }
        match length as usize {
            0 => everywhere,
            length if finally => Crossing::Above { length },
            length => Crossing::Below { length: length + 1 },
        }
    }
}

/// The largest real root of `a·n² + b·n + c`, if there is one.
fn largest_root(a: f64, b: f64, c: f64) -> Option<f64> {
    if a != 0.0 {
        let discriminant = b * b - 4.0 * a * c;
        (discriminant >= 0.0).then(|| (-b + discriminant.sqrt().copysign(a)) / (2.0 * a))
    } else {
        (b != 0.0).then(|| -c / b)
    }
}

impl Add for Polynomial {
    type Output = Polynomial;

    fn add(self, other: Polynomial) -> Polynomial {
        Polynomial {
            constant: self.constant + other.constant,
            linear: self.linear + other.linear,
            quadratic: self.quadratic + other.quadratic,
        }
    }
}

impl Sub for Polynomial {
    type Output = Polynomial;

    fn sub(self, other: Polynomial) -> Polynomial {
        self + other * -1.0
    }
}

impl Mul<f64> for Polynomial {
    type Output = Polynomial;

    fn mul(self, factor: f64) -> Polynomial {
        Polynomial {
            constant: self.constant * factor,
            linear: self.linear * factor,
            quadratic: self.quadratic * factor,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn polynomial(constant: f64, linear: f64, quadratic: f64) -> Polynomial {
        Polynomial { constant, linear, quadratic }
    }

    #[test]
    fn crossings_by_hand() {
        let nothing = Polynomial::default();
        // n² − 10n + 21 has roots 3 and 7: below it again from 8 on.
        assert_eq!(nothing.below(polynomial(21.0, -10.0, 1.0)), Crossing::Above { length: 7 });
        assert_eq!(nothing.below(polynomial(-10.5, 1.0, 0.0)), Crossing::Above { length: 10 });
        assert_eq!(nothing.below(polynomial(-10.0, 1.0, 0.0)), Crossing::Above { length: 10 });
        assert_eq!(nothing.below(polynomial(-0.5, 1.0, 0.0)), Crossing::Always);
        assert_eq!(nothing.below(polynomial(1.0, 0.0, 1.0)), Crossing::Always);
        assert_eq!(nothing.below(polynomial(2.0, 0.0, 0.0)), Crossing::Always);
        assert_eq!(nothing.below(polynomial(-1e9, 1.0, -1.0)), Crossing::Never);
        // −n² + 10n − 21 is positive from 4 to 6.
        assert_eq!(nothing.below(polynomial(-21.0, 10.0, -1.0)), Crossing::Below { length: 7 });
        assert_eq!(nothing.below(polynomial(10.5, -1.0, 0.0)), Crossing::Below { length: 11 });
        assert_eq!(nothing.below(polynomial(0.5, -1.0, 0.0)), Crossing::Never);
        assert_eq!(nothing.below(nothing), Crossing::Never, "equal is not cheaper");
    }

    #[test]
    fn a_crossing_is_where_a_search_finds_it() {
        for (a, b, c) in
            [(1.0, -700.0, -3.0), (3.0, -1.0, -50_000.0), (0.5, 0.5, -8256.0), (0.0, 7.0, -999.0)]
        {
            let difference = polynomial(c, b, a);
            let last = (1..2000).rev().find(|&n| difference.at(f64::from(n)) <= 0.0).expect("a last length");
            let found = Polynomial::default().below(difference);
            assert_eq!(found, Crossing::Above { length: last as usize }, "{difference:?}");
        }
    }
}
