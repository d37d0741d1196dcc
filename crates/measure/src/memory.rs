//! Resident memory of a process.

use std::fs;

/// Resident memory at its highest so far, in MiB. Only Linux says so in a file.
pub fn peak_memory_mib(process: u32) -> Option<f64> {
    let status = fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kib: f64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib / 1024.0)
}

#[cfg(test)]
mod tests {
    #[test]
    #[cfg(target_os = "linux")]
    fn this_process_has_a_peak() {
        assert!(super::peak_memory_mib(std::process::id()).is_some_and(|mib| mib > 0.5));
        assert_eq!(super::peak_memory_mib(u32::MAX), None);
    }
}
