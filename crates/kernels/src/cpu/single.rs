//! Elementary functions of `f32` without branches or tables, so that loops over them vectorise.
//!
//! The polynomials are minimax fits (Remez exchange in 60-digit arithmetic) of the function named
//! beside them; the tests bound the error in units in the last place over the whole range. A value
//! that is not a number stays so.

/// Horner's scheme, highest coefficient last.
#[inline(always)]
fn polynomial<const N: usize>(x: f32, coefficients: [f32; N]) -> f32 {
    let mut sum = coefficients[N - 1];
    for i in (0..N - 1).rev() {
        sum = sum.mul_add(x, coefficients[i]);
    }
    sum
}

/// Keeps x inside the bounds; comparisons instead of `clamp` keep what is not a number.
#[inline(always)]
fn bounded(x: f32, low: f32, high: f32) -> f32 {
    let x = if x < low { low } else { x };
    if x > high { high } else { x }
}

/// exp(x) = 2ⁿ · exp(r) with |r| ≤ ln(2)/2; overflows to infinity.
///
/// Results below the smallest normal number are zero: denormal numbers would slow every product that
/// meets them by two orders of magnitude, and softmax makes many.
#[inline(always)]
pub(super) fn exp(x: f32) -> f32 {
    // Adding 1.5·2²³ leaves n, rounded to nearest, in the low bits of the sum.
    const ROUND: f32 = 12_582_912.0;
    // ln(2) in two parts; the product of n and the first is exact.
    const LN2_HIGH: f32 = 0.693_359_4;
    const LN2_LOW: f32 = -2.121_944_4e-4;
    // ln(2⁻¹²⁶).
    const UNDERFLOW: f32 = -87.336_54;
    let underflows = x < UNDERFLOW;
    let x = bounded(x, UNDERFLOW, 100.0);
    let shifted = x.mul_add(std::f32::consts::LOG2_E, ROUND);
    let rounded = shifted - ROUND;
    let n = (shifted.to_bits() as i32).wrapping_sub(ROUND.to_bits() as i32);
    let r = rounded.mul_add(-LN2_LOW, rounded.mul_add(-LN2_HIGH, x));
    // (exp(r) − 1 − r) / r².
    let tail = polynomial(r, [0.5, 0.166_665_73, 0.041_666_362, 0.008_363_776, 0.001_394_216_7]);
    let power = (r * r).mul_add(tail, r) + 1.0;
    // 2ⁿ in two factors: at the upper end n is beyond the exponents of finite numbers.
    let half = n >> 1;
    let power = power * power_of_two(half) * power_of_two(n.wrapping_sub(half));
    if underflows { 0.0 } else { power }
}

#[inline(always)]
fn power_of_two(n: i32) -> f32 {
    f32::from_bits((n.wrapping_add(127) as u32) << 23)
}

/// tanh(x): an odd polynomial near zero, 1 − 2/(exp(2|x|) + 1) elsewhere.
#[inline(always)]
pub(super) fn tanh(x: f32) -> f32 {
    let (size, square) = (x.abs(), x * x);
    // tanh(x)/x as a function of x², for x² < 0.4.
    let near = x * polynomial(
        square,
        [1.0, -0.333_332_5, 0.133_309_32, -0.053_705_32, 0.020_539_938, -0.005_602_740_7],
    );
    let far = 1.0 - 2.0 / (exp(size + size) + 1.0);
    if square < 0.4 { near } else { far.copysign(x) }
}

/// erf(x): an odd polynomial inside [−1, 1], 1 − exp(−q(|x|)) elsewhere.
#[inline(always)]
pub(super) fn erf(x: f32) -> f32 {
    let (size, square) = (x.abs(), x * x);
    // erf(x)/x − 1 as a function of x²: adding x last leaves the error of one rounding.
    let tail = polynomial(
        square,
        [
            0.128_379_17,
            -0.376_126_26,
            0.112_835_854,
            -0.026_853_813,
            0.005_188_327_7,
            -0.000_801_019_37,
            7.853_862e-5,
        ],
    );
    let near = x.mul_add(tail, x);
    // q = −ln(erfc), fitted on [1, 3.95]; beyond, erf is 1 in single precision.
    let far = polynomial(
        bounded(size, 1.0, 3.95),
        [
            -5.777_410_5e-5,
            1.128_993_3,
            0.634_320_56,
            0.107_296_58,
            -0.024_539_828,
            0.003_972_174_6,
            -0.000_397_738_24,
            1.828_554_6e-5,
        ],
    );
    let far = 1.0 - exp(-far);
    if square <= 1.0 { near } else { far.copysign(x) }
}

#[cfg(test)]
mod tests {
    /// Distance of `actual` from the exact value in units in the last place of the exact value.
    fn ulps(actual: f32, exact: f64) -> f64 {
        let unit = (exact.abs().max(f64::from(f32::MIN_POSITIVE)) as f32).next_up() as f64
            - exact.abs().max(f64::from(f32::MIN_POSITIVE)) as f32 as f64;
        (f64::from(actual) - exact).abs() / unit
    }

    /// The worst error over a grid that is dense in value and, near zero, in logarithm.
    fn worst(function: fn(f32) -> f32, exact: fn(f64) -> f64, low: f32, high: f32) -> (f64, f32) {
        let linear = (0..400_000).map(|i| low + (high - low) * i as f32 / 400_000.0);
        let tiny = (0..40_000).flat_map(|i| {
            let x = 2f32.powf(-i as f32 / 1000.0);
            [x, -x]
        });
        linear
            .chain(tiny.filter(|x| (low..=high).contains(x)))
            .map(|x| (ulps(function(x), exact(f64::from(x))), x))
            .fold((0.0, 0.0), |a, b| if b.0 > a.0 { b } else { a })
    }

    #[test]
    fn exp_is_within_two_units() {
        let (error, at) = worst(super::exp, f64::exp, -87.0, 88.7);
        assert!(error < 2.0, "{error} units at {at}");
    }

    #[test]
    fn tanh_is_within_two_units() {
        let (error, at) = worst(super::tanh, f64::tanh, -12.0, 12.0);
        assert!(error < 2.0, "{error} units at {at}");
    }

    #[test]
    fn erf_is_within_two_units() {
        let (error, at) = worst(super::erf, libm::erf, -6.0, 6.0);
        assert!(error < 2.0, "{error} units at {at}");
    }

    #[test]
    fn ends_of_the_range() {
        assert_eq!(super::exp(f32::NEG_INFINITY), 0.0);
        assert_eq!(super::exp(f32::INFINITY), f32::INFINITY);
        assert_eq!(super::exp(0.0), 1.0);
        assert_eq!(super::exp(-87.4), 0.0);
        assert!(super::exp(-87.336).is_normal());
        assert_eq!(super::tanh(f32::INFINITY), 1.0);
        assert_eq!(super::tanh(f32::NEG_INFINITY), -1.0);
        assert_eq!(super::erf(f32::NEG_INFINITY), -1.0);
        assert_eq!(super::erf(4.5), 1.0);
        for function in [super::exp, super::tanh, super::erf] {
            assert!(function(f32::NAN).is_nan());
        }
    }
}
