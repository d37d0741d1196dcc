//! Which checkpoints stay.

use std::fs;
use std::path::Path;

use super::find::list;
use crate::TrainError;
use crate::storage::PARTIAL;

/// Removes all checkpoints up to step `now` but the last `keep` and the one of step `best`. Later ones,
/// left by a run that was damaged and resumed earlier, are not touched.
///
/// # Errors
/// [`TrainError::Write`].
pub fn retain(run: &Path, now: u64, keep: usize, best: Option<u64>) -> Result<(), TrainError> {
    let mut checkpoints = list(run)?;
    checkpoints.retain(|&step, _| step <= now);
    let old = checkpoints.len().saturating_sub(keep);
    for (step, path) in checkpoints.into_iter().take(old) {
        if Some(step) == best {
            continue;
        }
        // Out of sight first: a removal that is interrupted leaves no half checkpoint behind.
        let doomed = path.with_file_name(format!("{PARTIAL}old"));
        if doomed.exists() {
            fs::remove_dir_all(&doomed).map_err(TrainError::write(&doomed))?;
        }
        fs::rename(&path, &doomed)
            .and_then(|()| fs::remove_dir_all(&doomed))
            .map_err(TrainError::write(&path))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::path;
    use super::*;

    #[test]
    fn the_last_ones_and_the_best_stay() {
        let dir = tempfile::tempdir().unwrap();
        for step in [10, 20, 30, 40, 50] {
            fs::create_dir_all(path(dir.path(), step)).unwrap();
        }
        retain(dir.path(), 40, 2, Some(10)).unwrap();
        assert_eq!(list(dir.path()).unwrap().into_keys().collect::<Vec<_>>(), [10, 30, 40, 50]);
        retain(dir.path(), 50, 1, None).unwrap();
        assert_eq!(list(dir.path()).unwrap().into_keys().collect::<Vec<_>>(), [50]);
    }
}
