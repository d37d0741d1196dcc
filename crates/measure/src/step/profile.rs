//! Where the time of an update goes, from the account that the operations keep.

use mixlab_kernels::profile::{Entry, Pass, PassAccount};
use serde::Serialize;

/// One operation in one pass, an update.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct OperationShare {
    /// Name of the operation; `other` is all that is not fused.
    pub operation: &'static str,
    /// How often it ran.
    pub calls: f64,
    /// Time inside it, in milliseconds.
    pub milliseconds: f64,
    /// Megabytes (10⁶) of its operands and results; absent where nobody counts.
    pub megabytes: Option<f64>,
}

impl OperationShare {
    /// 10⁹ bytes a second.
    pub fn gigabytes_per_second(&self) -> Option<f64> {
        self.megabytes.map(|megabytes| megabytes / self.milliseconds)
    }
}

/// One pass of an update.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PassShare {
    /// Name of the pass.
    pub pass: &'static str,
    /// Time of the pass, in milliseconds.
    pub milliseconds: f64,
    /// Its operations, the slowest first.
    pub operations: Vec<OperationShare>,
}

/// The passes of an update on average over `updates` of them, with a last one for what lies between the passes of a
/// total of `seconds`.
pub(super) fn shares(accounts: &[PassAccount], updates: u64, seconds: f64) -> Vec<PassShare> {
    let updates = updates as f64;
    let mut shares: Vec<PassShare> = accounts.iter().map(|account| share(account, updates)).collect();
    let counted: f64 = accounts.iter().map(|account| account.seconds).sum();
    let milliseconds = 1e3 * (seconds - counted) / updates;
    shares.push(PassShare { pass: "batch", milliseconds, operations: Vec::new() });
    shares
}

fn share(account: &PassAccount, updates: f64) -> PassShare {
    let operation = |entry: &Entry| OperationShare {
        operation: entry.operation,
        calls: entry.calls as f64 / updates,
        milliseconds: 1e3 * entry.seconds / updates,
        megabytes: Some(entry.bytes as f64 / 1e6 / updates).filter(|&megabytes| megabytes > 0.0),
    };
    let mut operations: Vec<OperationShare> = account.entries.iter().map(operation).collect();
    let milliseconds = 1e3 * account.other_seconds() / updates;
    operations.push(OperationShare { operation: "other", calls: 0.0, milliseconds, megabytes: None });
    operations.sort_by(|a, b| b.milliseconds.total_cmp(&a.milliseconds));
    let pass = match account.pass {
        Pass::Forward => "forward",
        Pass::Backward => "backward",
        Pass::Update => "update",
    };
    PassShare { pass, milliseconds: 1e3 * account.seconds / updates, operations }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_add_up_to_the_update() {
        let entry = |operation, seconds, bytes| Entry { operation, calls: 6, seconds, bytes };
        let accounts = [
            PassAccount {
                pass: Pass::Forward,
                seconds: 0.5,
                entries: vec![entry("norm", 0.1, 0), entry("linear", 0.3, 8_000_000)],
            },
            PassAccount { pass: Pass::Backward, seconds: 1.0, entries: Vec::new() },
        ];
        let shares = shares(&accounts, 2, 1.6);
        let passes: Vec<_> = shares.iter().map(|s| (s.pass, s.milliseconds.round())).collect();
        assert_eq!(passes, [("forward", 250.0), ("backward", 500.0), ("batch", 50.0)]);
        let rows = &shares[0].operations;
        let names: Vec<_> = rows.iter().map(|o| (o.operation, o.milliseconds.round())).collect();
        assert_eq!(names, [("linear", 150.0), ("norm", 50.0), ("other", 50.0)]);
        assert_eq!((rows[0].calls, rows[0].megabytes, rows[1].megabytes), (3.0, Some(4.0), None));
        assert!((rows[0].gigabytes_per_second().unwrap_or_default() - 4.0 / 150.0).abs() < 1e-12);
    }
}
