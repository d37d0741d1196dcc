//! An account of where the time of an update goes, and how many bytes its operations move.
//!
//! While an account is open, every fused operation enters its time and the bytes of its operands and results into the
//! pass that is under way. What is left of a pass is the engine's own operations and the bookkeeping between them. An
//! account belongs to the thread that opened it, which is also the one that operations are called from; without one,
//! an operation costs a look at a thread-local variable more.

use std::cell::RefCell;
use std::time::Instant;

use burn_flex::FlexTensor;

thread_local! {
    static ACCOUNT: RefCell<Option<Open>> = const { RefCell::new(None) };
}

/// A part of an update.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pass {
    /// From the batch to the loss.
    Forward,
    /// From the loss to the gradients.
    Backward,
    /// From the gradients to new parameters.
    Update,
}

/// What one operation took in one pass.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// Name of the operation.
    pub operation: &'static str,
    /// How often it ran.
    pub calls: u64,
    /// Time inside it.
    pub seconds: f64,
    /// Bytes of the tensors it read and wrote, each counted once a call. What it reads again, or keeps for itself
    /// meanwhile, is not seen.
    pub bytes: u64,
}

/// What one pass took.
#[derive(Clone, Debug, PartialEq)]
pub struct PassAccount {
    /// The pass.
    pub pass: Pass,
    /// Time of the whole pass.
    pub seconds: f64,
    /// Its fused operations, in the order in which they first ran.
    pub entries: Vec<Entry>,
}

impl PassAccount {
    /// Time outside the fused operations.
    pub fn other_seconds(&self) -> f64 {
        self.seconds - self.entries.iter().map(|entry| entry.seconds).sum::<f64>()
    }
}

struct Open {
    /// The pass under way.
    pass: Option<Pass>,
    passes: Vec<PassAccount>,
}

impl Open {
    fn account(&mut self, pass: Pass) -> &mut PassAccount {
        let index = self.passes.iter().position(|account| account.pass == pass).unwrap_or_else(|| {
            self.passes.push(PassAccount { pass, seconds: 0.0, entries: Vec::new() });
            self.passes.len() - 1
        });
        &mut self.passes[index]
    }

    fn enter(&mut self, operation: &'static str, seconds: f64, bytes: u64) {
        let Some(pass) = self.pass else { return };
        let entries = &mut self.account(pass).entries;
        let index = entries.iter().position(|entry| entry.operation == operation).unwrap_or_else(|| {
            entries.push(Entry { operation, calls: 0, seconds: 0.0, bytes: 0 });
            entries.len() - 1
        });
        let entry = &mut entries[index];
        entry.calls += 1;
        entry.seconds += seconds;
        entry.bytes += bytes;
    }
}

/// Opens an empty account on this thread.
pub fn open() {
    ACCOUNT.set(Some(Open { pass: None, passes: Vec::new() }));
}

/// Closes the account of this thread; the passes stand in the order in which they first ran.
pub fn close() -> Vec<PassAccount> {
    ACCOUNT.take().map(|open| open.passes).unwrap_or_default()
}

/// Runs a part of an update as this pass.
pub fn pass<R>(pass: Pass, work: impl FnOnce() -> R) -> R {
    let begin = Instant::now();
    set_pass(Some(pass));
    let result = work();
    set_pass(None);
    ACCOUNT.with_borrow_mut(|account| {
        if let Some(account) = account {
            account.account(pass).seconds += begin.elapsed().as_secs_f64();
        }
    });
    result
}

fn set_pass(pass: Option<Pass>) {
    ACCOUNT.with_borrow_mut(|account| {
        if let Some(account) = account {
            account.pass = pass;
        }
    });
}

/// Runs an operation that reads the tensors given.
pub(crate) fn operation<'a, R: Traffic>(
    name: &'static str,
    read: impl IntoIterator<Item = &'a FlexTensor>,
    work: impl FnOnce() -> R,
) -> R {
    if ACCOUNT.with_borrow(Option::is_none) {
        return work();
    }
    let bytes: u64 = read.into_iter().map(Traffic::bytes_moved).sum();
    let begin = Instant::now();
    let result = work();
    let seconds = begin.elapsed().as_secs_f64();
    ACCOUNT.with_borrow_mut(|account| {
        if let Some(account) = account {
            account.enter(name, seconds, bytes + result.bytes_moved());
        }
    });
    result
}

/// What an operation hands back, as bytes it wrote.
pub(crate) trait Traffic {
    fn bytes_moved(&self) -> u64;
}

impl Traffic for FlexTensor {
    fn bytes_moved(&self) -> u64 {
        (self.layout().num_elements() * self.dtype().size()) as u64
    }
}

impl<T: Traffic> Traffic for Option<T> {
    fn bytes_moved(&self) -> u64 {
        self.as_ref().map_or(0, Traffic::bytes_moved)
    }
}

impl<T: Traffic, const N: usize> Traffic for [T; N] {
    fn bytes_moved(&self) -> u64 {
        self.iter().map(Traffic::bytes_moved).sum()
    }
}

/// A result with what is kept for the backward pass, which is not counted.
impl<T: Traffic, S> Traffic for (T, S) {
    fn bytes_moved(&self) -> u64 {
        self.0.bytes_moved()
    }
}

/// The updated parameters, which are written where they were read.
impl Traffic for Vec<crate::Updated> {
    fn bytes_moved(&self) -> u64 {
        let size = |x: &burn::tensor::Tensor<1>| (x.shape().num_elements() * x.dtype().size()) as u64;
        // Parameter and moments are read and written, the gradient is read.
        let slot = |u: &crate::Updated| 3 * size(&u.parameter) + 2 * u.moments.iter().map(size).sum::<u64>();
        self.iter().map(slot).sum()
    }
}

impl Traffic for f64 {
    fn bytes_moved(&self) -> u64 {
        0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Activation, linear};
    use burn::tensor::{DType, Device, Distribution, Tensor};

    #[test]
    fn operations_are_entered_where_they_ran() {
        let device = Device::flex().autodiff();
        let random = |shape: [usize; 2]| {
            Tensor::<2>::random(shape, Distribution::Default, (&device, DType::F32)).require_grad()
        };
        let (x, weight) = (random([6, 4]), random([4, 5]));
        assert_eq!(close(), [], "no account was open");
        open();
        let loss = pass(Pass::Forward, || linear(x, weight, None, Activation::Identity).sum());
        linear(random([6, 4]), random([4, 5]), None, Activation::Identity);
        pass(Pass::Backward, || loss.backward());
        let passes = close();
        let seen: Vec<_> = passes.iter().map(|p| (p.pass, p.entries.len(), p.entries[0].calls)).collect();
        assert_eq!(
            seen,
            [(Pass::Forward, 1, 1), (Pass::Backward, 1, 1)],
            "outside a pass nothing is entered"
        );
        let [forward, backward] = [&passes[0].entries[0], &passes[1].entries[0]];
        assert_eq!((forward.operation, forward.bytes), ("linear", 4 * (24 + 20 + 30)));
        assert_eq!(backward.bytes, 4 * (30 + 24 + 20) + 4 * (24 + 20));
        assert!(passes.iter().all(|p| p.other_seconds() >= 0.0 && p.entries[0].seconds > 0.0));
        assert_eq!(close(), [], "an account is closed once");
    }
}
