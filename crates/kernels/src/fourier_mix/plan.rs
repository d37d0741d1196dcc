//! Plans of real transforms, made once a length, and the buffers they work in.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use realfft::num_complex::Complex;
use realfft::{FftNum, RealFftPlanner, RealToComplex};

use crate::cpu::Real;

/// How to transform real sequences of one length: immutable, and on one machine, whose instructions it is made for, a
/// function of length and number type alone.
pub(super) type Plan<T> = Arc<dyn RealToComplex<T>>;

/// Number types with plans.
pub(super) trait Planned: Real + FftNum {
    fn plans() -> &'static Mutex<Plans<Self>>;
}

impl Planned for f32 {
    fn plans() -> &'static Mutex<Plans<f32>> {
        static PLANS: Mutex<Plans<f32>> = Mutex::new(Plans::new());
        &PLANS
    }
}

impl Planned for f64 {
    fn plans() -> &'static Mutex<Plans<f64>> {
        static PLANS: Mutex<Plans<f64>> = Mutex::new(Plans::new());
        &PLANS
    }
}

/// The plans of the process. Nothing but time depends on what they hold.
pub(super) struct Plans<T> {
    by_length: BTreeMap<usize, Plan<T>>,
    /// Sum of the lengths.
    total: usize,
}

/// Largest sum of lengths: ragged batches may bring any length, and a plan is several times as large as its sequence.
const LARGEST: usize = 1 << 19;

impl<T: Planned> Plans<T> {
    const fn new() -> Self {
        Plans { by_length: BTreeMap::new(), total: 0 }
    }

    fn get(&mut self, length: usize) -> Plan<T> {
        if let Some(plan) = self.by_length.get(&length) {
            return plan.clone();
        }
        // A planner of its own for each length: one that is used again builds on parts of earlier plans where it would
        // choose others, and rounding would depend on what was transformed before.
        let plan = RealFftPlanner::new().plan_fft_forward(length);
        if self.total + length > LARGEST {
            *self = Plans::new();
        }
        self.total += length;
        self.by_length.insert(length, plan.clone());
        plan
    }
}

/// The plan for sequences of a length that is not zero.
pub(super) fn plan<T: Planned>(length: usize) -> Plan<T> {
    T::plans().lock().unwrap_or_else(PoisonError::into_inner).get(length)
}

/// A plan with buffers for one thread.
pub(super) struct Transform<'a, T> {
    plan: &'a Plan<T>,
    input: Vec<T>,
    scratch: Vec<Complex<T>>,
}

impl<'a, T: Planned> Transform<'a, T> {
    pub(super) fn new(plan: &'a Plan<T>) -> Self {
        Transform { plan, input: plan.make_input_vec(), scratch: plan.make_scratch_vec() }
    }

    /// Memory for a spectrum: the frequencies from zero to half the length.
    pub(super) fn spectrum(&self) -> Vec<Complex<T>> {
        self.plan.make_output_vec()
    }

    /// `spectrum[k] ← Σ_m values[m]·exp(−2πi·km/n)`.
    pub(super) fn run(&mut self, values: &[T], spectrum: &mut [Complex<T>]) {
        self.input.copy_from_slice(values);
        let done = self.plan.process_with_scratch(&mut self.input, spectrum, &mut self.scratch);
        done.expect("buffers are of the plan's sizes");
    }
}

#[cfg(test)]
mod tests {
    use realfft::RealFftPlanner;

    use super::{LARGEST, Planned, Plans, Transform, plan};

    /// One planner for all would fail this: with it the bits at 216 are others after 5400 (f32), those at 1728 after 432
    /// (f64).
    #[test]
    fn bits_do_not_depend_on_earlier_plans() {
        check::<f32>();
        check::<f64>();
    }

    fn check<T: Planned>() {
        let lengths = [5400, 216, 432, 1728, 576, 2304, 127, 126, 768, 2, 1];
        let mut plans = Plans::<T>::new();
        for length in lengths {
            plans.get(length);
        }
        for length in lengths {
            let values: Vec<T> = (0..length).map(|i| T::of((i as f64 * 0.7).sin())).collect();
            let alone = RealFftPlanner::new().plan_fft_forward(length);
            let [kept, of_process, alone] = [plans.get(length), plan(length), alone].map(|plan| {
                let mut transform = Transform::new(&plan);
                let mut spectrum = transform.spectrum();
                transform.run(&values, &mut spectrum);
                spectrum
            });
            assert!(kept == alone && of_process == alone, "length {length}");
        }
    }

    #[test]
    fn a_bounded_number_is_kept() {
        let mut plans = Plans::<f32>::new();
        let length = LARGEST / 4;
        for length in [length, length + 1, length - 1, length + 2, length] {
            plans.get(length);
            assert!(plans.total <= LARGEST && plans.by_length.contains_key(&length));
            assert_eq!(plans.total, plans.by_length.keys().sum::<usize>());
        }
        assert_eq!(plans.by_length.len(), 2);
    }
}
