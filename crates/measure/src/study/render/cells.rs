//! Numbers with as many digits as their spread supports.

use crate::study::statistics::Summary;
use crate::study::table::Table;

const MOST_DECIMALS: i32 = 6;

/// Decimal places of a column: two digits of its smallest spread, or four digits of a single value.
pub(in crate::study) fn decimals(summaries: impl Iterator<Item = Summary>) -> usize {
    summaries
        .map(|summary| match summary.deviation {
            Some(deviation) if deviation > 0.0 => 1 - exponent(deviation),
            _ if summary.mean == 0.0 => 0,
            _ => 3 - exponent(summary.mean.abs()),
        })
        .max()
        .unwrap_or(0)
        .clamp(0, MOST_DECIMALS) as usize
}

/// The power of ten of the first digit.
fn exponent(number: f64) -> i32 {
    number.log10().floor() as i32
}

/// `mean ± deviation`, the deviation left out for a single number.
pub(in crate::study) fn value(summary: &Summary, decimals: usize) -> String {
    match summary.deviation {
        Some(deviation) => format!("{:.decimals$} ± {:.decimals$}", summary.mean, deviation),
        None => format!("{:.decimals$}", summary.mean),
    }
}

/// The range, empty for a single number.
pub(super) fn range(summary: &Summary, decimals: usize) -> String {
    if summary.n < 2 {
        return String::new();
    }
    format!("[{:.decimals$}, {:.decimals$}]", summary.min, summary.max)
}

/// Decimal places of every metric column.
pub(super) fn column_decimals(table: &Table) -> Vec<usize> {
    (0..table.metrics.len())
        .map(|index| decimals(table.rows.iter().filter_map(|row| row.columns[index].summary)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places(samples: &[&[f64]]) -> usize {
        decimals(samples.iter().filter_map(|sample| Summary::of(sample)))
    }

    #[test]
    fn digits_follow_the_spread() {
        assert_eq!(places(&[&[2.30, 2.33]]), 3); // spread 0.021
        assert_eq!(places(&[&[5100.0, 5200.0]]), 0); // spread 71
        assert_eq!(places(&[&[2.30, 2.33], &[2.1, 2.9]]), 3);
        assert_eq!(places(&[&[2.345_678]]), 3);
        assert_eq!(places(&[&[12_345.6]]), 0);
        assert_eq!(places(&[&[0.0]]), 0);
        assert_eq!(places(&[&[1e-12]]), 6);
        assert_eq!(places(&[]), 0);
    }
}
