//! NumPy's format of one array: a head that is a Python dictionary, then the numbers.

use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Seek, Write};
use std::path::Path;

use super::writer::Sink;
use super::{VectorError, Vectors};
use crate::read::open;

/// How every file begins.
const MAGIC: &[u8; 6] = b"\x93NUMPY";

/// Bytes before the numbers: a multiple of 64, and enough for any number of rows.
const HEAD: usize = 128;

/// Longest head that is read; those of matrices have about a hundred bytes.
const LONGEST_HEAD: usize = 1 << 16;

/// What a file must hold.
const EXPECTED: &str =
    "an array [rows, width] of little-endian 32- or 64-bit floating-point numbers in C order";

/// An array that is written row by row; how many there are is put into its head at the end.
pub(super) struct Npy {
    file: BufWriter<File>,
    width: usize,
    rows: usize,
}

impl Npy {
    pub fn new(file: File, width: usize) -> io::Result<Self> {
        let mut file = BufWriter::new(file);
        file.write_all(&head(0, width))?;
        Ok(Npy { file, width, rows: 0 })
    }
}

impl Sink for Npy {
    fn write(&mut self, texts: &[&str], values: &[f32]) -> io::Result<()> {
        self.rows += texts.len();
        values.iter().try_for_each(|value| self.file.write_all(&value.to_le_bytes()))
    }

    fn finish(mut self: Box<Self>) -> io::Result<()> {
        self.file.rewind()?;
        self.file.write_all(&head(self.rows, self.width))?;
        self.file.flush()
    }
}

/// The first bytes of a file, version 1.0 of the format.
fn head(rows: usize, width: usize) -> Vec<u8> {
    let dictionary = format!("{{'descr': '<f4', 'fortran_order': False, 'shape': ({rows}, {width}), }}");
    let length = HEAD - MAGIC.len() - 4;
    let mut head = MAGIC.to_vec();
    head.extend([1, 0]);
    head.extend((length as u16).to_le_bytes());
    head.extend(format!("{dictionary:<0$}\n", length - 1).bytes());
    head
}

/// Reads a file.
pub(super) fn read(path: &Path) -> Result<Vectors, VectorError> {
    read_array(path, BufReader::new(open(path)?))
}

/// Reads an array; errors name the file at `path`.
pub(super) fn read_array(path: &Path, mut reader: impl Read) -> Result<Vectors, VectorError> {
    let damaged = |reason: String| VectorError::Damaged { path: path.to_owned(), reason };
    let dictionary = read_head(&mut reader).map_err(|error| damaged(error.to_string()))?;
    let head = Head::parse(&dictionary).ok_or_else(|| damaged(format!("its head is {dictionary}")))?;
    let size = match (head.kind, head.fortran, &head.shape[..]) {
        ("<f4", false, [_, _]) => 4,
        ("<f8", false, [_, _]) => 8,
        _ => {
            let (path, found) = (path.to_owned(), format!("the array {}", dictionary.trim()));
            return Err(VectorError::NoMatrix { path, found, expected: EXPECTED });
        }
    };
    let (rows, width) = (head.shape[0], head.shape[1]);
    let values = read_values(reader, size).map_err(|error| damaged(error.to_string()))?;
    if Some(values.len() as u64) != rows.checked_mul(width) {
        let found = values.len();
        return Err(damaged(format!("its head promises {rows} × {width} numbers, there are {found}")));
    }
    Ok(Vectors { texts: None, width: width as usize, values })
}

/// The dictionary at the beginning.
fn read_head(reader: &mut impl Read) -> io::Result<String> {
    let mut begin = [0; 8];
    reader.read_exact(&mut begin)?;
    if !begin.starts_with(MAGIC) {
        return Err(io::Error::other("it does not begin as an array"));
    }
    let length = if begin[6] == 1 {
        let mut length = [0; 2];
        reader.read_exact(&mut length)?;
        u16::from_le_bytes(length) as usize
    } else {
        let mut length = [0; 4];
        reader.read_exact(&mut length)?;
        u32::from_le_bytes(length) as usize
    };
    if length > LONGEST_HEAD {
        return Err(io::Error::other(format!("its head is {length} bytes long")));
    }
    let mut head = vec![0; length];
    reader.read_exact(&mut head)?;
    Ok(String::from_utf8_lossy(&head).into_owned())
}

/// All numbers that follow, of `size` bytes each. Memory grows with what is there: a damaged head may promise anything.
fn read_values(mut reader: impl Read, size: usize) -> io::Result<Vec<f32>> {
    let (mut values, mut block) = (Vec::new(), vec![0; 1 << 16]);
    loop {
        let mut filled = 0;
        while filled < block.len() {
            match reader.read(&mut block[filled..])? {
                0 => break,
                more => filled += more,
            }
        }
        if !filled.is_multiple_of(size) {
            return Err(io::Error::other("it ends within a number"));
        }
        values.extend(block[..filled].chunks_exact(size).map(|bytes| match bytes {
            &[a, b, c, d] => f32::from_le_bytes([a, b, c, d]),
            bytes => f64::from_le_bytes(bytes.try_into().expect("eight bytes")) as f32,
        }));
        if filled < block.len() {
            return Ok(values);
        }
    }
}

/// What the dictionary says.
struct Head<'t> {
    kind: &'t str,
    fortran: bool,
    shape: Vec<u64>,
}

impl<'t> Head<'t> {
    fn parse(dictionary: &'t str) -> Option<Self> {
        let value = |key: &str| {
            let (_, rest) = dictionary.split_once(&format!("'{key}'"))?;
            rest.trim_start().strip_prefix(':').map(str::trim_start)
        };
        // Arrays of records have a list here; they are no matrices.
        let descr = value("descr")?;
        let kind =
            descr.strip_prefix('\'').and_then(|rest| rest.split_once('\'')).map_or("", |(kind, _)| kind);
        let (shape, _) = value("shape")?.strip_prefix('(')?.split_once(')')?;
        let numbers = shape.split(',').map(str::trim).filter(|number| !number.is_empty());
        Some(Head {
            kind,
            fortran: value("fortran_order")?.starts_with("True"),
            shape: numbers.map(|number| number.parse().ok()).collect::<Option<_>>()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn array(dictionary: &str, numbers: &[u8]) -> Result<Vectors, VectorError> {
        let mut bytes = MAGIC.to_vec();
        bytes.extend([2, 0]);
        bytes.extend((dictionary.len() as u32).to_le_bytes());
        bytes.extend(dictionary.bytes());
        bytes.extend(numbers);
        read_array(Path::new("a.npy"), &bytes[..])
    }

    #[test]
    fn the_head_is_as_long_as_it_says_and_ends_its_line() {
        for head in [head(0, 1), head(usize::MAX, 65_536)] {
            assert_eq!((head.len(), head.last()), (HEAD, Some(&b'\n')));
            let parsed = std::str::from_utf8(&head[10..]).unwrap();
            assert_eq!(Head::parse(parsed).unwrap().kind, "<f4");
        }
    }

    #[test]
    fn other_writers_are_understood() {
        let numbers: Vec<u8> = [0.5f64, 2.0].iter().flat_map(|value| value.to_le_bytes()).collect();
        let read = array("{'shape':(1,2),'descr' : '<f8', 'fortran_order': False}", &numbers).unwrap();
        assert_eq!((read.width, read.values), (2, vec![0.5, 2.0]));
    }

    #[test]
    fn what_is_no_matrix_of_numbers_is_refused() {
        for dictionary in [
            "{'descr': '<f4', 'fortran_order': True, 'shape': (1, 2), }",
            "{'descr': '<f4', 'fortran_order': False, 'shape': (2,), }",
            "{'descr': '<i4', 'fortran_order': False, 'shape': (1, 2), }",
            "{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (1, 2), }",
        ] {
            let error = array(dictionary, &[0; 8]).unwrap_err();
            assert!(matches!(error, VectorError::NoMatrix { .. }), "{dictionary}: {error}");
        }
        for (shape, bytes) in [("(1, 2)", 7), ("(1, 2)", 4), ("(1, 2)", 12), ("(1, x)", 8), ("1", 4)] {
            let dictionary = format!("{{'descr': '<f4', 'fortran_order': False, 'shape': {shape}, }}");
            let error = array(&dictionary, &vec![0; bytes]).unwrap_err();
            assert!(matches!(error, VectorError::Damaged { .. }), "{dictionary}: {error}");
        }
    }
}
