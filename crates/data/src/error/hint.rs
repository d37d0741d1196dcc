//! What to do about each error.

use mixlab_core::Diagnose;

use super::DataError;
use crate::image::ImageShape;

impl Diagnose for DataError {
    fn hint(&self) -> Option<String> {
        use DataError::*;
        Some(match self {
            NothingToRead => "name at least one file, for example `train = [\"book.txt\"]` under `[data]`".into(),
            OutOfRange { key, range, .. } => format!("set `{key}` to {range}"),
            Overlap { .. } => "measure on text the model has not seen: remove the file from one of the lists, or empty `data.evaluate` to hold out the end of the training text".into(),
            Missing { .. } => "paths are taken from the folder the program is started in".into(),
            Io { .. } => return None,
            UnknownFormat { .. } => "rename it (.txt, .md, .jsonl, .csv, .tsv, each also with .gz or .zst, or .parquet) or set `data.format`".into(),
            EmptyFolder { .. } => "name a folder with .txt, .md, .jsonl, .csv, .tsv or .parquet files; for classification also one with class folders of .png and .jpg files, idx files or CIFAR .bin files".into(),
            Empty { .. } => "check that the file was written completely".into(),
            Binary { .. } => "convert it to UTF-8 text first; compressed files need their ending, .gz or .zst".into(),
            NotUtf8 { encoding: Some(encoding), .. } => {
                format!("it starts like {encoding}: convert it, for example with `iconv -f {encoding} -t UTF-8`")
            }
            NotUtf8 { .. } => "convert it, for example with `iconv -f WINDOWS-1252 -t UTF-8`".into(),
            Truncated { .. } => "the download or copy was cut short: fetch the file again".into(),
            Corrupt { compression, .. } => format!("fetch the file again, or check that it really is {compression}"),
            BrokenJson { .. } => "every line must be one complete JSON object".into(),
            NotAnObject { .. } => "every line must be an object such as {\"text\": \"…\"}".into(),
            MissingField { key, field, available, .. } => missing_field_hint(key, field, available),
            NotText { .. } => "name another field with `data.text_field`, or drop such records".into(),
            Delimited { .. } => "check the quotes and the number of fields on that line".into(),
            Parquet { .. } => "fetch or write the file again; supported compressions are none, snappy, gzip and zstd".into(),
            TooShort { .. } => "give more text, or a smaller sequence length".into(),
            TooManyDocuments { .. } => "join short documents, or use fewer files".into(),
            BadTokenizer { .. } => "give a tokenizer.json written by `mixlab tokenizer train` or by the Hugging Face tokenizers library".into(),
            Tokenizer { .. } => "train a tokenizer on this text with `mixlab tokenizer train`".into(),
            NoMaskToken => "use a tokenizer trained by this program, or add a <|mask|> token to yours".into(),
            ImagesForText { .. } => "name text files, or train a classifier".into(),
            Unlabelled { .. } => "give .jsonl, .csv, .tsv or .parquet files with a field for the text and one for the label".into(),
            Unpaired { .. } => "give .jsonl, .csv, .tsv or .parquet files with a field for the source and one for the target: `data.source_field`, `data.target_field`".into(),
            NotALabel { .. } => "a label is text or a whole number: name another field with `data.label_field`, or drop such records".into(),
            NotANumber { .. } => "give a finite number for every pair: name another field, or drop such records".into(),
            EmptyText { .. } => "drop records of which a part is empty".into(),
            EmptyLine { .. } => "every line is one text: remove the empty ones, for example with `grep '[^[:space:]]'`".into(),
            OneClass { .. } => "give examples of at least two classes".into(),
            UnseenClass { known, .. } => format!("the classes are {}; add examples of the new one to `data.train`, or leave it out", list(known)),
            MixedKinds { .. } => "name only images or only texts".into(),
            AugmentedText { .. } => "remove the `[data.augment]` table".into(),
            NoImages { .. } => "check that the file was written completely; pictures end in .png, .jpg or .jpeg".into(),
            NotIdx { kind, found, .. } => idx_hint(kind, *found),
            IdxLength { expected, found, .. } if (*found as u128) < *expected => "the download or copy was cut short: fetch the file again".into(),
            IdxLength { .. } => "check that it is a single idx file".into(),
            LabelsMissing { .. } => "put the labels beside the images under that name, or name them with `data.image.train_labels` or `data.image.evaluate_labels`".into(),
            LabelFiles { .. } => "name one labels file for each images file, in the same order, or none to find them by their names".into(),
            LabelCount { .. } => "check that both files belong together".into(),
            CifarLength { .. } => "fetch the file again, or check that it is of the binary version".into(),
            CifarKind { .. } => "set `data.format` to \"cifar10\" or \"cifar100\"".into(),
            ClassNames { .. } => "give one name a line, or remove the file to number the classes".into(),
            LabelRange { .. } => "fetch the file again, or check that it really is of this format".into(),
            UnevenSet { .. } => "give height × width × channels values and one label for each image".into(),
            UnevenTexts { .. } => "give one label for each text".into(),
            BrokenPicture { .. } | ShortPicture { .. } => "fetch the file again, or remove it from the folder".into(),
            Transparent { .. } => "set `data.image.channels` to 3 or 1, which drops transparency, or fill the background".into(),
            ImagesDiffer { found, expected, .. } => shape_hint(found, expected),
            WrongInput { found, expected, .. } => input_hint(found, expected),
            Unconvertible { .. } => "leave `data.image.size` and `data.image.channels` out".into(),
            EmptyClass { .. } => "put .png or .jpg files in it, or remove the folder".into(),
            NoClass { .. } | NotAFolder { .. } => "name a folder that holds one folder of pictures for each class".into(),
            Channels { key, .. } => format!("give `{key}` one value for each channel, or none to measure it"),
        })
    }
}

fn missing_field_hint(key: &str, field: &str, available: &[String]) -> String {
    let nearest = available
        .iter()
        .map(|name| (strsim::damerau_levenshtein(&name.to_lowercase(), &field.to_lowercase()), name))
        .min();
    match nearest {
        None => "the record has no fields at all".to_owned(),
        // An option of the command line, not a key of a config.
        Some((distance, name)) if distance <= 2 && key.starts_with("--") => {
            format!("did you mean `{key} {name}`?")
        }
        Some((distance, name)) if distance <= 2 => {
            format!("did you mean `{key} = \"{name}\"`?")
        }
        Some(_) => format!("set `{key}` to one of: {}", available.join(", ")),
    }
}

/// The first byte of an idx magic number that counts is the third: the type of the values.
fn idx_hint(kind: &str, found: u32) -> String {
    let values = match found >> 8 {
        0x09 => "signed bytes",
        0x0b => "16-bit integers",
        0x0c => "32-bit integers",
        0x0d => "32-bit floating-point numbers",
        0x0e => "64-bit floating-point numbers",
        0x08 if found == 0x801 => {
            return "this is a file of labels: name the images under `data.train`".into();
        }
        0x08 if kind == "labels" => {
            return "this is a file of images: name the file with their labels".into();
        }
        _ => {
            return "check that it is the file you mean; compressed files need their ending, .gz or .zst"
                .into();
        }
    };
    format!("its values are {values}: write it again with unsigned bytes")
}

fn list(classes: &[String]) -> String {
    const SHOWN: usize = 20;
    let shown = classes.iter().take(SHOWN).map(String::as_str).collect::<Vec<_>>().join(", ");
    match classes.len().saturating_sub(SHOWN) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}

fn shape_hint(found: &ImageShape, expected: &ImageShape) -> String {
    let ImageShape { height, width, channels } = expected;
    if found.channels != *channels {
        let kept = if *channels == 1 { 1 } else { 3 };
        return format!("set `data.image.channels = {kept}` to convert all images");
    }
    format!("set `data.image.size = [{height}, {width}]` to resize all images")
}

fn input_hint(found: &ImageShape, expected: &ImageShape) -> String {
    if found.channels != expected.channels {
        let kind = if expected.channels == 1 { "grey" } else { "colour" };
        return format!("give a {kind} image, or train with `data.image.channels = {}`", expected.channels);
    }
    "resize the image first, or train with `data.image.size` set, which resizes here as well".into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hint_names_the_nearest_field_or_lists_them() {
        let names = vec!["title".to_owned(), "Text".to_owned()];
        let hint = |field, names| missing_field_hint("data.text_field", field, names);
        assert_eq!(hint("txt", &names), "did you mean `data.text_field = \"Text\"`?");
        assert!(hint("paragraph", &names).ends_with("title, Text"));
        assert!(hint("text", &[]).contains("no fields"));
    }

    #[test]
    fn long_lists_of_classes_are_cut() {
        let classes: Vec<String> = (0..23).map(|class| class.to_string()).collect();
        assert!(list(&classes).ends_with("18, 19 and 3 more"));
        assert_eq!(list(&classes[..2]), "0, 1");
    }

    #[test]
    fn idx_hints_tell_what_the_file_is() {
        assert!(idx_hint("images", 0x801).contains("file of labels"));
        assert!(idx_hint("labels", 0x803).contains("file of images"));
        assert!(idx_hint("images", 0xd03).contains("32-bit floating-point"));
        assert!(idx_hint("images", 0x1f8b_0800).contains(".gz"));
    }
}
