//! Lists of lengths as they are typed and shown.

use crate::failure::ProgramError;

/// The longest sequence that is audited.
const LONGEST: usize = 1 << 16;

/// Numbers and ranges such as `1-16,33`, in ascending order and each once.
///
/// # Errors
/// Something else, or a number outside 1 to 65536.
pub fn parse(text: &str) -> Result<Vec<usize>, ProgramError> {
    let mut lengths = Vec::new();
    for part in text.split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let number = |text: &str| text.trim().parse().ok().filter(|length| (1..=LONGEST).contains(length));
        match (number(first), number(last)) {
            (Some(first), Some(last)) if first <= last => lengths.extend(first..=last),
            _ => {
                return Err(ProgramError::Argument {
                    argument: "--lengths",
                    found: format!("`{text}`"),
                    expected: format!("numbers from 1 to {LONGEST}, such as 1-130 or 1,33,512"),
                });
            }
        }
    }
    lengths.sort_unstable();
    lengths.dedup();
    Ok(lengths)
}

/// The same in as few words as possible; at least three neighbours become a range.
pub fn show(lengths: &[usize]) -> String {
    let runs = lengths.chunk_by(|a, b| b - a == 1);
    let words: Vec<String> = runs
        .flat_map(|run| match run {
            [first, .., last] if run.len() > 2 => vec![format!("{first} to {last}")],
            few => few.iter().map(usize::to_string).collect(),
        })
        .collect();
    words.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_ranges_are_read_and_shown() {
        let lengths = parse("7, 1-4,3,130").expect("lengths");
        assert_eq!(lengths, [1, 2, 3, 4, 7, 130]);
        assert_eq!(show(&lengths), "1 to 4, 7, 130");
        assert_eq!(show(&[1, 2, 5]), "1, 2, 5");
        assert_eq!(show(&[]), "");
    }

    #[test]
    fn what_is_no_list_of_lengths_is_refused() {
        for text in ["", "0", "65537", "1-65537", "3-2", "-3", "a", "1,,2", "1-2-3"] {
            let error = parse(text).expect_err(text).to_string();
            assert!(error.contains(text) && error.contains("1 to 65536"), "{error}");
        }
    }
}
