//! `--memory`: what a process may take.

use clap::Args;

use crate::failure::ProgramError;

/// A budget, if there is one.
#[derive(Debug, Args)]
pub struct MemoryBudget {
    /// A budget such as 2GiB, 800MiB or a number of bytes
    #[arg(long, value_name = "SIZE")]
    memory: Option<String>,
}

impl MemoryBudget {
    /// The budget in bytes.
    pub fn bytes(&self) -> Result<Option<u64>, ProgramError> {
        self.memory.as_deref().map(bytes).transpose()
    }
}

/// A size in bytes, with a unit of powers of 1000 or 1024.
fn bytes(text: &str) -> Result<u64, ProgramError> {
    let wrong = || ProgramError::Argument {
        argument: "--memory",
        found: format!("\"{text}\""),
        expected: "a size such as 2GiB, 800MiB or 4000000000".to_owned(),
    };
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    let number: f64 = number.parse().map_err(|_| wrong())?;
    let factor = match unit.trim().to_ascii_lowercase().as_str() {
        "" | "b" => 1.0,
        "k" | "kib" => 1024.0,
        "m" | "mib" => 1024f64.powi(2),
        "g" | "gib" => 1024f64.powi(3),
        "kb" => 1e3,
        "mb" => 1e6,
        "gb" => 1e9,
        _ => return Err(wrong()),
    };
    let size = number * factor;
    if size >= 1.0 && size < 2f64.powi(60) { Ok(size as u64) } else { Err(wrong()) }
}

#[cfg(test)]
mod tests {
    use super::bytes;

    #[test]
    fn sizes() {
        assert_eq!(bytes("2GiB").ok(), Some(2 << 30));
        assert_eq!(bytes("1.5 m").ok(), Some(3 << 19));
        assert_eq!(bytes("2GB").ok(), Some(2_000_000_000));
        assert_eq!(bytes("800").ok(), Some(800));
        for wrong in ["", "GiB", "-1", "0", "2 parsecs", "1.2.3"] {
            assert!(bytes(wrong).is_err(), "{wrong}");
        }
    }
}
