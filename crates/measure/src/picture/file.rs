//! A picture as a file: refused before anything is measured, written after.

use std::io;
use std::path::{Path, PathBuf};

use mixlab_core::{Diagnose, ExitKind};

use super::Problem;
use crate::atomic;

/// A picture that cannot be drawn or written.
#[derive(Debug, thiserror::Error)]
pub enum PictureError {
    /// A name that does not end in `.svg`.
    #[error("`--chart` is {}, expected a file name that ends in `.svg`", path.display())]
    Name {
        /// What was given.
        path: PathBuf,
    },
    /// The picture could not be written if it were made; nothing has been measured.
    #[error("cannot write `{}`", path.display())]
    Unwritable {
        /// The picture.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The picture could not be written.
    #[error("cannot write `{}`", path.display())]
    Write {
        /// The picture.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The picture could not be drawn.
    #[error("cannot draw the picture: {problem}")]
    Draw {
        /// What the drawing library said.
        problem: String,
    },
}

impl PictureError {
    pub(crate) fn draw(problem: impl Into<Problem>) -> Self {
        PictureError::Draw { problem: problem.into().to_string() }
    }
}

impl Diagnose for PictureError {
    fn hint(&self) -> Option<String> {
        Some(match self {
            PictureError::Name { .. } => "give `--chart` a file name that ends in `.svg`".into(),
            PictureError::Unwritable { .. } => {
                "name a file in a folder that exists and is writable; nothing was measured".into()
            }
            PictureError::Write { .. } => "check that the folder is still there and has space left".into(),
            PictureError::Draw { .. } => return None,
        })
    }

    fn exit(&self) -> ExitKind {
        match self {
            PictureError::Name { .. } | PictureError::Unwritable { .. } => ExitKind::Usage,
            PictureError::Write { .. } | PictureError::Draw { .. } => ExitKind::Failed,
        }
    }
}

/// Whether a picture could be written to `path`. What stands there stays as it is.
///
/// # Errors
/// [`PictureError::Name`]; [`PictureError::Unwritable`] with what the system says.
pub fn check_picture(path: &Path) -> Result<(), PictureError> {
    if path.extension().is_none_or(|extension| extension != "svg") {
        return Err(PictureError::Name { path: path.to_owned() });
    }
    atomic::check(path).map_err(|source| PictureError::Unwritable { path: path.to_owned(), source })
}

/// Replaces `path` by a picture.
///
/// # Errors
/// [`PictureError::Write`].
pub fn write_picture(path: &Path, picture: &str) -> Result<(), PictureError> {
    atomic::write(path, picture.as_bytes())
        .map_err(|source| PictureError::Write { path: path.to_owned(), source })
}
