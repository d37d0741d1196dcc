//! Memory of a process.

use std::fs;

/// Bytes of a MiB.
pub(crate) const MEBI: f64 = (1u64 << 20) as f64;

/// Resident memory at its highest so far, in MiB. Only Linux says so in a file.
pub fn peak_memory_mib(process: u32) -> Option<f64> {
    field(process, "VmHWM:")
}

/// Resident memory now, in MiB. Only Linux says so in a file.
pub fn memory_mib(process: u32) -> Option<f64> {
    field(process, "VmRSS:")
}

/// Memory that programs could still take, in MiB. Only Linux says so in a file.
pub fn available_mib() -> Option<f64> {
    kib_of(&fs::read_to_string("/proc/meminfo").ok()?, "MemAvailable:")
}

fn field(process: u32, name: &str) -> Option<f64> {
    kib_of(&fs::read_to_string(format!("/proc/{process}/status")).ok()?, name)
}

/// The number of kibibytes behind a name, in MiB.
fn kib_of(text: &str, name: &str) -> Option<f64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    let kib: f64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib / 1024.0)
}

/// Pages of this process that the system has had to provide so far. Only Linux says so in a file.
pub fn page_faults() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/stat").ok()?;
    // The name of the program, in brackets, may hold anything; faults are the eighth field after it.
    let (_, fields) = status.rsplit_once(')')?;
    fields.split_whitespace().nth(7)?.parse().ok()
}

#[cfg(test)]
mod tests {
    #[test]
    #[cfg(target_os = "linux")]
    fn touching_fresh_memory_faults() {
        let before = super::page_faults().expect("a count");
        let fresh = std::hint::black_box(vec![1u8; 64 << 20]);
        assert!(super::page_faults().expect("a count") > before);
        drop(fresh);
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn this_process_has_a_peak() {
        assert!(super::peak_memory_mib(std::process::id()).is_some_and(|mib| mib > 0.5));
        assert_eq!(super::peak_memory_mib(u32::MAX), None);
    }
}
