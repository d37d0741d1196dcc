//! The lines of a text as they are read.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};

use super::{Compression, source};
use crate::DataError;

/// Lines of a file or of standard input, checked to be text and without their ends. A UTF-8 byte order mark is no part of the
/// first one.
pub(super) struct Lines {
    path: PathBuf,
    reader: Box<dyn BufRead>,
    compression: Compression,
    /// Lines and bytes so far.
    lines: usize,
    bytes: usize,
}

impl Lines {
    /// Of a file.
    pub fn open(path: &Path, compression: Compression) -> Result<Self, DataError> {
        let reader = source::decompressed(path, source::open(path)?, compression)?;
        Ok(Lines::new(path, Box::new(BufReader::new(reader)), compression))
    }

    /// Of anything; errors call it `path`.
    pub fn new(path: &Path, reader: Box<dyn BufRead>, compression: Compression) -> Self {
        Lines { path: path.to_owned(), reader, compression, lines: 0, bytes: 0 }
    }

    /// The next line, nothing at the end.
    fn read(&mut self) -> Result<Option<String>, DataError> {
        let mut line = Vec::new();
        let read = self.reader.read_until(b'\n', &mut line);
        let read = read.map_err(|source| source::broken(&self.path, self.compression, self.bytes, source))?;
        if read == 0 {
            return Ok(None);
        }
        let mut text = source::check(&self.path, line, (self.bytes, self.lines))?;
        if text.ends_with('\n') {
            text.pop();
            if text.ends_with('\r') {
                text.pop();
            }
        }
        if self.lines == 0 {
            source::drop_mark(&mut text);
        }
        self.bytes += read;
        self.lines += 1;
        Ok(Some(text))
    }
}

impl Iterator for Lines {
    type Item = Result<String, DataError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.read().transpose()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(bytes: &'static [u8]) -> Result<Vec<String>, DataError> {
        Lines::new(Path::new("a"), Box::new(bytes), Compression::None).collect()
    }

    #[test]
    fn lines_lose_their_ends_and_the_mark() {
        assert_eq!(lines("\u{feff}a\r\n\n b ".as_bytes()).unwrap(), ["a", "", " b "]);
        assert_eq!(lines(b"").unwrap(), [""; 0]);
    }

    #[test]
    fn what_is_no_text_is_named_with_its_place() {
        let error = |bytes| lines(bytes).unwrap_err().to_string();
        assert_eq!(error(b"ab\nc\xe9d\n"), "a is not UTF-8: byte 0xe9 at offset 4 (line 2)");
        assert_eq!(error(b"ab\nc\0"), "a is not text: NUL byte at offset 4");
        assert!(matches!(
            lines(b"\xff\xfea\0"),
            Err(DataError::NotUtf8 { encoding: Some("UTF-16LE"), offset: 0, .. })
        ));
    }
}
