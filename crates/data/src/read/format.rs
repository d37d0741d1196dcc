//! What a file name says about its contents.

use std::path::Path;

use crate::{DataError, FileFormat, image};

/// How records are laid out in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Container {
    Text,
    JsonLines,
    /// Fields separated by this byte.
    Delimited(u8),
    Parquet,
}

/// What the whole file is wrapped in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Compression {
    None,
    Gzip,
    Zstd,
}

/// Layout and compression of `path`, by its name; a `format` other than `Auto` overrides the layout.
pub(crate) fn detect(path: &Path, format: FileFormat) -> Result<(Container, Compression), DataError> {
    let unknown = || DataError::UnknownFormat { path: path.to_owned() };
    let images = || DataError::ImagesForText { path: path.to_owned() };
    let (stem, compression) = split_compression(path);
    let container = match format {
        FileFormat::Text => Container::Text,
        FileFormat::JsonLines => Container::JsonLines,
        FileFormat::Csv => Container::Delimited(b','),
        FileFormat::Tsv => Container::Delimited(b'\t'),
        FileFormat::Parquet => Container::Parquet,
        FileFormat::Idx | FileFormat::Cifar10 | FileFormat::Cifar100 | FileFormat::ImageFolder => {
            return Err(images());
        }
        FileFormat::Auto if image::is_image_name(path) => return Err(images()),
        FileFormat::Auto => match stem.rsplit_once('.').map(|(_, ending)| ending) {
            Some("txt" | "text" | "md") => Container::Text,
            Some("jsonl" | "ndjson") => Container::JsonLines,
            Some("csv") => Container::Delimited(b','),
            Some("tsv") => Container::Delimited(b'\t'),
            Some("parquet") => Container::Parquet,
            _ => return Err(unknown()),
        },
    };
    // Parquet is read by seeking and compresses its own pages.
    match (container, compression) {
        (Container::Parquet, Compression::Gzip | Compression::Zstd) => Err(unknown()),
        found => Ok(found),
    }
}

/// The name of a file in lower case without the ending that tells its compression.
pub(crate) fn split_compression(path: &Path) -> (String, Compression) {
    let mut name = path.file_name().map(|name| name.to_string_lossy().to_lowercase()).unwrap_or_default();
    for (ending, compression) in [(".gz", Compression::Gzip), (".zst", Compression::Zstd)] {
        if let Some(stem) = name.strip_suffix(ending) {
            name.truncate(stem.len());
            return (name, compression);
        }
    }
    (name, Compression::None)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn auto(name: &str) -> Option<(Container, Compression)> {
        detect(Path::new(name), FileFormat::Auto).ok()
    }

    #[test]
    fn goes_by_the_name() {
        assert_eq!(auto("a/b.TXT"), Some((Container::Text, Compression::None)));
        assert_eq!(auto("b.v2.jsonl.zst"), Some((Container::JsonLines, Compression::Zstd)));
        assert_eq!(auto("b.csv.gz"), Some((Container::Delimited(b','), Compression::Gzip)));
        assert_eq!(auto("b.tsv"), Some((Container::Delimited(b'\t'), Compression::None)));
        assert_eq!(auto("b.parquet"), Some((Container::Parquet, Compression::None)));
    }

    #[test]
    fn refuses_names_that_say_nothing() {
        for name in ["book", "book.gz", "book.docx", "b.parquet.gz", "txt"] {
            assert_eq!(auto(name), None, "{name}");
        }
    }

    #[test]
    fn images_are_no_text() {
        for name in ["train-images-idx3-ubyte.gz", "labels.idx1-ubyte", "a.PNG", "b.jpeg"] {
            let found = detect(Path::new(name), FileFormat::Auto);
            assert!(matches!(found, Err(DataError::ImagesForText { .. })), "{name}");
        }
        let stated = detect(Path::new("a.txt"), FileFormat::Cifar10);
        assert!(matches!(stated, Err(DataError::ImagesForText { .. })));
    }

    #[test]
    fn a_stated_format_wins_over_the_name() {
        let found = detect(Path::new("book.gz"), FileFormat::Text).ok();
        assert_eq!(found, Some((Container::Text, Compression::Gzip)));
    }
}
