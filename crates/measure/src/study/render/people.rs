//! The terminal's table and Markdown's.

use crate::study::metric::Better;
use crate::study::table::{Row, Table};

use super::cells::{column_decimals, range, value};

/// Aligned columns for a terminal.
pub(in crate::study) fn text(table: &Table) -> String {
    let decimals = column_decimals(table);
    let mut header = heading(table);
    header.extend(table.metrics.iter().map(|metric| {
        let arrow = match metric.better {
            Better::Lower => '↓',
            Better::Higher => '↑',
        };
        // As wide as a number without its star, so that the arrow stands above the digits.
        format!("{} {arrow}  ", metric.name)
    }));
    let cell = |row: &Row, index: usize| {
        let column = &row.columns[index];
        let Some(summary) = &column.summary else { return "–  ".to_owned() };
        let range = range(summary, decimals[index]);
        let space = if range.is_empty() { "" } else { " " };
        let n = count_remark(row, summary.n);
        let star = if column.best { " *" } else { "  " };
        format!("{}{space}{range}{n}{star}", value(summary, decimals[index]))
    };
    let mut grid = vec![header];
    for row in &table.rows {
        let mut cells = leading(table, row);
        cells.extend((0..table.metrics.len()).map(|index| cell(row, index)));
        grid.push(cells);
    }
    let mut lines = vec![table.title.clone(), String::new()];
    lines.extend(align(&grid, table.axes.len().max(1)));
    lines.push(String::new());
    lines.push("mean ± sample standard deviation [min, max] over n runs, * best mean".to_owned());
    lines.extend(remarks(table));
    lines.join("\n") + "\n"
}

/// A Markdown table, the best mean in bold.
pub(in crate::study) fn markdown(table: &Table) -> String {
    let decimals = column_decimals(table);
    let mut header = heading(table);
    let axes = table.axes.len().max(1);
    header.extend(table.metrics.iter().map(|metric| {
        let better = match metric.better {
            Better::Lower => "lower",
            Better::Higher => "higher",
        };
        format!("{} ({better} is better)", metric.name)
    }));
    let rule: Vec<String> =
        (0..header.len()).map(|i| if i < axes { "---" } else { "--:" }.to_owned()).collect();
    let mut lines =
        vec![format!("**{}**", escape(&table.title)), String::new(), pipes(&header), pipes(&rule)];
    for row in &table.rows {
        let mut cells: Vec<String> = leading(table, row).iter().map(|cell| escape(cell)).collect();
        cells.extend(row.columns.iter().zip(&decimals).map(|(column, &decimals)| {
            let Some(summary) = &column.summary else { return "–".to_owned() };
            let bold = if column.best { "**" } else { "" };
            let range = range(summary, decimals);
            let space = if range.is_empty() { "" } else { " " };
            format!("{bold}{}{bold}{space}{range}{}", value(summary, decimals), count_remark(row, summary.n))
        }));
        lines.push(pipes(&cells));
    }
    lines.push(String::new());
    lines.push("Mean ± sample standard deviation [min, max] over n runs; the best mean is bold.".to_owned());
    lines.extend(remarks(table).iter().map(|remark| format!("\n* {}", escape(remark))));
    lines.join("\n") + "\n"
}

/// Titles of the columns before the metrics.
fn heading(table: &Table) -> Vec<String> {
    let mut header = table.axes.clone();
    if header.is_empty() {
        header.push("runs".to_owned());
    }
    header.push("n".to_owned());
    let shown = |count: fn(&Row) -> usize| table.rows.iter().any(|row| count(row) > 0);
    if shown(|row| row.failed) {
        header.push("failed".to_owned());
    }
    if shown(|row| row.pending) {
        header.push("pending".to_owned());
    }
    header
}

/// The cells under [`heading`].
fn leading(table: &Table, row: &Row) -> Vec<String> {
    let mut cells = row.coordinates.clone();
    if cells.is_empty() {
        cells.push("all".to_owned());
    }
    cells.push(row.finished.to_string());
    let header = heading(table);
    for (title, count) in [("failed", row.failed), ("pending", row.pending)] {
        if header[table.axes.len().max(1)..].iter().any(|shown| shown == title) {
            cells.push(count.to_string());
        }
    }
    cells
}

/// Said where a metric rests on fewer runs than the row.
fn count_remark(row: &Row, n: usize) -> String {
    if n == row.finished { String::new() } else { format!(" (n={n})") }
}

/// One line per failure and missing value, then the notes.
fn remarks(table: &Table) -> Vec<String> {
    let problems = table.rows.iter().flat_map(|row| &row.runs).flat_map(|run| {
        let word = if run.status == "failed" { "failed" } else { "no value" };
        run.problems.iter().map(move |problem| format!("{word}: {}: {problem}", run.run))
    });
    problems.chain(table.notes.iter().map(|note| format!("note: {note}"))).collect()
}

/// Pads every column; the first `left` columns to the left, the others to the right.
fn align(grid: &[Vec<String>], left: usize) -> Vec<String> {
    let width = |column: usize| grid.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..grid[0].len()).map(width).collect();
    grid.iter()
        .map(|row| {
            let cells = row.iter().zip(&widths).enumerate().map(|(i, (cell, &width))| {
                if i < left { format!("{cell:<width$}") } else { format!("{cell:>width$}") }
            });
            cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
        })
        .collect()
}

fn pipes(cells: &[String]) -> String {
    format!("| {} |", cells.join(" | "))
}

fn escape(text: &str) -> String {
    text.replace('|', "\\|").replace('\n', " ")
}
