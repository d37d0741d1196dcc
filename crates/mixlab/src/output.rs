//! Standard output is data, standard error is everything else.

use std::io::{self, Write};

use crate::failure::ProgramError;

/// Writes to standard output and makes it visible at once.
pub fn print(text: &str) -> Result<(), ProgramError> {
    let mut stdout = io::stdout().lock();
    stdout
        .write_all(text.as_bytes())
        .and_then(|()| stdout.flush())
        .map_err(|source| ProgramError::Stdout { source })
}

/// Writes one JSON document and a line break to standard output.
pub fn print_json<T: serde::Serialize>(value: &T) -> Result<(), ProgramError> {
    let text = serde_json::to_string_pretty(value)
        .map_err(|error| ProgramError::Stdout { source: io::Error::other(error) })?;
    print(&format!("{text}\n"))
}

/// Writes a report as JSON or as text to standard output.
pub fn print_report<R: serde::Serialize>(
    report: &R,
    json: bool,
    text: impl FnOnce(&R) -> String,
) -> Result<(), ProgramError> {
    if json { print_json(report) } else { print(&text(report)) }
}

/// Tells the person at the terminal something. Nobody may be there to read it.
pub fn tell(text: &str) {
    let _ = writeln!(io::stderr().lock(), "{text}");
}

/// Columns of text, each as wide as its widest cell; the last one is not padded.
pub fn columns(rows: &[Vec<String>]) -> String {
    let count = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| {
        rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..count).map(width).collect();
    let mut text = String::new();
    for row in rows {
        let cells: Vec<String> =
            row.iter().zip(&widths).map(|(cell, &width)| format!("{cell:<width$}")).collect();
        text.push_str(cells.join("  ").trim_end());
        text.push('\n');
    }
    text
}

/// Text folded at `width` columns, every line indented. Only blank lines of the text divide it.
pub fn fold(text: &str, indent: &str, width: usize) -> String {
    let mut folded = String::new();
    for paragraph in text.split("\n\n").filter(|paragraph| !paragraph.trim().is_empty()) {
        let mut line = indent.to_owned();
        for word in paragraph.split_whitespace() {
            if line.chars().count() + 1 + word.chars().count() > width && line.trim_start() != "" {
                folded.push_str(line.trim_end());
                folded.push('\n');
                line = indent.to_owned();
            }
            line.push_str(word);
            line.push(' ');
        }
        folded.push_str(line.trim_end());
        folded.push('\n');
    }
    folded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up_without_trailing_space() {
        let rows = [vec!["a".to_owned(), "bb".into()], vec!["ccc".into(), "d".into()]];
        assert_eq!(columns(&rows), "a    bb\nccc  d\n");
    }

    #[test]
    fn folding_never_loses_or_splits_a_word() {
        let text = fold("one\ntwo three-and-a-half four\n\nfive", "  ", 14);
        assert_eq!(text, "  one two\n  three-and-a-half\n  four\n  five\n");
    }
}
