//! Bytes of a file, decompressed, and the proof that they are text.

use std::fs::File;
use std::io::{BufReader, ErrorKind, Read};
use std::path::Path;

use super::Compression;
use crate::DataError;

const BYTE_ORDER_MARK: char = '\u{feff}';

/// The whole text of a file. A UTF-8 byte order mark is no part of it.
pub(super) fn text(path: &Path, compression: Compression) -> Result<String, DataError> {
    let bytes = bytes(path, compression)?;
    if bytes.is_empty() {
        return Err(DataError::Empty { path: path.to_owned() });
    }
    let mut text = check(path, bytes, (0, 0))?;
    drop_mark(&mut text);
    Ok(text)
}

/// Removes a UTF-8 byte order mark from the beginning.
pub(super) fn drop_mark(text: &mut String) {
    if text.starts_with(BYTE_ORDER_MARK) {
        text.drain(..BYTE_ORDER_MARK.len_utf8());
    }
}

/// Opens a file for reading.
pub(crate) fn open(path: &Path) -> Result<File, DataError> {
    File::open(path).map_err(|source| match source.kind() {
        ErrorKind::NotFound => DataError::Missing { path: path.to_owned() },
        _ => unreadable(path, source),
    })
}

/// The bytes of a file, decompressed.
pub(crate) fn bytes(path: &Path, compression: Compression) -> Result<Vec<u8>, DataError> {
    let file = open(path)?;
    let length = file.metadata().map_err(|source| unreadable(path, source))?.len();
    let mut bytes = Vec::new();
    if length == 0 {
        return Ok(bytes);
    }
    let outcome = decompressed(path, file, compression)?.read_to_end(&mut bytes);
    match outcome {
        Ok(_) => Ok(bytes),
        Err(source) => Err(broken(path, compression, bytes.len(), source)),
    }
}

/// What an open file holds, decompressed while it is read.
pub(super) fn decompressed(
    path: &Path,
    file: File,
    compression: Compression,
) -> Result<Box<dyn Read>, DataError> {
    Ok(match compression {
        Compression::None => Box::new(file),
        Compression::Gzip => Box::new(flate2::bufread::MultiGzDecoder::new(BufReader::new(file))),
        Compression::Zstd => {
            let decoder = zstd::stream::read::Decoder::new(file);
            Box::new(decoder.map_err(|source| broken(path, compression, 0, source))?)
        }
    })
}

/// The error for a file whose reading failed after `bytes` decompressed bytes.
pub(super) fn broken(
    path: &Path,
    compression: Compression,
    bytes: usize,
    source: std::io::Error,
) -> DataError {
    let compression = match compression {
        Compression::None => return unreadable(path, source),
        Compression::Gzip => "gzip",
        Compression::Zstd => "zstd",
    };
    let path = path.to_owned();
    match source.kind() {
        ErrorKind::UnexpectedEof => DataError::Truncated { path, compression, bytes },
        _ => DataError::Corrupt { path, compression, bytes, source },
    }
}

/// The error for a file or folder that the operating system does not let us read.
pub(crate) fn unreadable(path: &Path, source: std::io::Error) -> DataError {
    DataError::Io { action: "read", path: path.to_owned(), source }
}

/// The text that `bytes` spell, which lie behind so many bytes and lines of the file. UTF-16 is recognised by its byte order
/// mark before its NUL bytes make it look binary.
pub(super) fn check(
    path: &Path,
    bytes: Vec<u8>,
    (bytes_before, lines_before): (usize, usize),
) -> Result<String, DataError> {
    let encoding = match bytes.get(..2) {
        Some([0xff, 0xfe]) if bytes_before == 0 => Some("UTF-16LE"),
        Some([0xfe, 0xff]) if bytes_before == 0 => Some("UTF-16BE"),
        _ => None,
    };
    if encoding.is_none()
        && let Some(offset) = bytes.iter().position(|&byte| byte == 0)
    {
        return Err(DataError::Binary { path: path.to_owned(), offset: bytes_before + offset });
    }
    String::from_utf8(bytes).map_err(|error| {
        let offset = error.utf8_error().valid_up_to();
        let bytes = error.as_bytes();
        let line = lines_before + 1 + bytes[..offset].iter().filter(|&&byte| byte == b'\n').count();
        let (byte, offset) = (bytes[offset], bytes_before + offset);
        DataError::NotUtf8 { path: path.to_owned(), offset, line, byte, encoding }
    })
}
