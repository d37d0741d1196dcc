//! Round trips through every format, and files that are none.

use std::fs;
use std::path::{Path, PathBuf};

use super::*;

const TEXTS: [&str; 3] = ["one", "zwei \"2\"\n", "three"];

/// Awkward numbers, `[3, 4]`.
const VALUES: [f32; 12] =
    [0.1, -1.0 / 3.0, 1e-38, 3.4e38, 0.0, -0.0, 1.0, 1e-45, 16_777_217.0, 0.7, -0.3, f32::EPSILON];

fn write(folder: &Path, format: VectorFormat) -> PathBuf {
    let path = folder.join(format!("a.{}", format.name()));
    let mut writer = VectorWriter::create(&path, format, 4).unwrap();
    writer.write(&TEXTS[..2], &VALUES[..8]).unwrap();
    writer.write(&TEXTS[2..], &VALUES[8..]).unwrap();
    assert!(!path.exists(), "half a file has no name");
    writer.commit().unwrap();
    path
}

fn names(folder: &Path) -> Vec<String> {
    fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

#[test]
fn every_format_gives_back_the_same_numbers() {
    let folder = tempfile::tempdir().unwrap();
    for format in VectorFormat::ALL {
        let read = read_vectors(&write(folder.path(), format)).unwrap();
        let bits = |values: &[f32]| values.iter().map(|value| value.to_bits()).collect::<Vec<_>>();
        assert_eq!((read.width, read.rows(), bits(&read.values)), (4, 3, bits(&VALUES)), "{format:?}");
        let texts = matches!(format, VectorFormat::JsonLines | VectorFormat::Parquet);
        assert_eq!(read.texts, texts.then(|| TEXTS.map(str::to_owned).to_vec()), "{format:?}");
    }
    assert_eq!(names(folder.path()).len(), 4, "nothing but the files is left");
}

#[test]
fn an_abandoned_or_a_second_file_leaves_no_trace() {
    let folder = tempfile::tempdir().unwrap();
    for format in VectorFormat::ALL {
        let path = folder.path().join("a");
        let mut writer = VectorWriter::create(&path, format, 4).unwrap();
        writer.write(&TEXTS[..1], &VALUES[..4]).unwrap();
        drop(writer);
        assert_eq!(names(folder.path()), [""; 0], "{format:?}");
    }
    let path = write(folder.path(), VectorFormat::Npy);
    let mut second = VectorWriter::create(&path, VectorFormat::Npy, 1).unwrap();
    second.write(&["a"], &[1.0]).unwrap();
    assert!(matches!(second.commit(), Err(VectorError::Write { .. })));
    assert_eq!(read_vectors(&path).unwrap().rows(), 3, "what was there is untouched");
    assert_eq!(names(folder.path()), ["a.npy"]);
}

#[test]
fn damaged_files_are_refused_in_every_way() {
    let folder = tempfile::tempdir().unwrap();
    for format in VectorFormat::ALL {
        let path = write(folder.path(), format);
        let good = fs::read(&path).unwrap();
        for length in [0, 1, 7, good.len() / 2, good.len() - 3] {
            fs::write(&path, &good[..length]).unwrap();
            assert!(read_vectors(&path).is_err(), "{format:?} of {length} bytes");
        }
        fs::write(&path, b"something else\n").unwrap();
        assert!(read_vectors(&path).is_err(), "{format:?}");
    }
    let path = folder.path().join("a.npy");
    let head = "{'descr': '<f4', 'fortran_order': False, 'shape': (9999999999999, 4), }\n";
    let mut lying = b"\x93NUMPY\x01\x00".to_vec();
    lying.extend((head.len() as u16).to_le_bytes());
    fs::write(&path, [&lying[..], head.as_bytes(), &[0; 16]].concat()).unwrap();
    assert!(matches!(read_vectors(&path), Err(VectorError::Damaged { .. })));
}

#[test]
fn the_first_wrong_row_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let error = |lines: &str| {
        let path = folder.path().join("a.jsonl");
        fs::write(&path, lines).unwrap();
        let error = read_vectors(&path).unwrap_err().to_string();
        error.rsplit_once("a.jsonl").unwrap().1.to_owned()
    };
    let row = |embedding: &str| format!("{{\"embedding\": {embedding}}}\n");
    let uneven = error(&(row("[1, 2]") + &row("[1, 2, 3]")));
    assert_eq!(uneven, ", row 2: the vector has 3 numbers, those before it have 2");
    assert!(error(&(row("[1, 2]") + &row("[1, null]"))).starts_with(", line 2: expected an object"));
    assert_eq!(error(&(row("[1, 2]") + &row("[1e39, 2]"))), ", row 2: the vector holds inf");
    for format in [VectorFormat::Npy, VectorFormat::Npz, VectorFormat::Parquet] {
        let path = folder.path().join(format!("nan.{}", format.name()));
        let mut writer = VectorWriter::create(&path, format, 1).unwrap();
        writer.write(&["a", "b", "c"], &[1.0, f32::NAN, 2.0]).unwrap();
        writer.commit().unwrap();
        assert!(matches!(read_vectors(&path), Err(VectorError::NotFinite { row: 2, .. })), "{format:?}");
    }
}

#[test]
fn names_tell_the_format() {
    let of = |name: &str| VectorFormat::of(Path::new(name)).ok();
    assert_eq!((of("a.NPY"), of("b/a.ndjson")), (Some(VectorFormat::Npy), Some(VectorFormat::JsonLines)));
    assert_eq!((of("npy"), of("a.csv")), (None, None));
    assert!("csv".parse::<VectorFormat>().is_err());
}
