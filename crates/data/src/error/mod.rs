//! Everything that can be wrong with a data file, a tokenizer or the layout of a batch.

mod hint;

use std::io;
use std::path::PathBuf;

use crate::image::ImageShape;

/// What went wrong, with the file, the place in it, and the numbers.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DataError {
    /// No training files are named.
    #[error("`data.train` names no file")]
    NothingToRead,
    /// A config value outside its range.
    #[error("`{key}` is {value}; it must be {range}")]
    OutOfRange {
        /// Dotted path of the key.
        key: &'static str,
        /// What was given.
        value: String,
        /// What is allowed.
        range: String,
    },
    /// The same file is trained on and measured on.
    #[error("{path} is listed under `data.evaluate` and under `data.train`")]
    Overlap {
        /// The file.
        path: PathBuf,
    },
    /// A file or folder that does not exist.
    #[error("{path} does not exist")]
    Missing {
        /// The file.
        path: PathBuf,
    },
    /// The operating system refused to read or write.
    #[error("cannot {action} {path}")]
    Io {
        /// `read` or `write`.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A name that does not tell the format.
    #[error("the name of {path} does not tell its format")]
    UnknownFormat {
        /// The file.
        path: PathBuf,
    },
    /// A folder without data files.
    #[error("folder {path} holds no data file")]
    EmptyFolder {
        /// The folder.
        path: PathBuf,
    },
    /// A file without a byte, or without a document.
    #[error("{path} holds no text")]
    Empty {
        /// The file.
        path: PathBuf,
    },
    /// A file with a NUL byte.
    #[error("{path} is not text: NUL byte at offset {offset}")]
    Binary {
        /// The file.
        path: PathBuf,
        /// Position of the first NUL, in decompressed bytes from 0.
        offset: usize,
    },
    /// A file that is not UTF-8.
    #[error("{path} is not UTF-8: byte 0x{byte:02x} at offset {offset} (line {line})")]
    NotUtf8 {
        /// The file.
        path: PathBuf,
        /// Position of the first bad byte, in decompressed bytes from 0.
        offset: usize,
        /// Its line, from 1.
        line: usize,
        /// The byte.
        byte: u8,
        /// The encoding that the first bytes betray.
        encoding: Option<&'static str>,
    },
    /// A compressed file that ends early.
    #[error("{path} ends in the middle of its {compression} stream, after {bytes} decompressed bytes")]
    Truncated {
        /// The file.
        path: PathBuf,
        /// `gzip` or `zstd`.
        compression: &'static str,
        /// How much came out before the end.
        bytes: usize,
    },
    /// A compressed file whose contents contradict themselves.
    #[error("{path} is not a sound {compression} file, after {bytes} decompressed bytes")]
    Corrupt {
        /// The file.
        path: PathBuf,
        /// `gzip` or `zstd`.
        compression: &'static str,
        /// How much came out before the fault.
        bytes: usize,
        /// What the decompressor said.
        #[source]
        source: io::Error,
    },
    /// A line of a JSON-lines file that is not JSON.
    #[error("{path}, line {line}: not valid JSON")]
    BrokenJson {
        /// The file.
        path: PathBuf,
        /// Line, from 1.
        line: usize,
        /// What the parser said, with the column.
        #[source]
        source: serde_json::Error,
    },
    /// A line of a JSON-lines file that is JSON, but no object.
    #[error("{path}, line {line}: expected a JSON object, found {found}")]
    NotAnObject {
        /// The file.
        path: PathBuf,
        /// Line, from 1.
        line: usize,
        /// The JSON type found.
        found: &'static str,
    },
    /// A record without the text field.
    #[error("{path}, record {record}: no field `{field}`")]
    MissingField {
        /// The file.
        path: PathBuf,
        /// Record, from 1; 0 stands for the header or schema.
        record: usize,
        /// The config key that names the field.
        key: &'static str,
        /// The field asked for.
        field: String,
        /// The fields that are there.
        available: Vec<String>,
    },
    /// A record whose text field is no text.
    #[error("{path}, record {record}: field `{field}` is {found}, not text")]
    NotText {
        /// The file.
        path: PathBuf,
        /// Record, from 1.
        record: usize,
        /// The field.
        field: String,
        /// What it holds.
        found: String,
    },
    /// A CSV or TSV file that cannot be parsed.
    #[error("{path}, line {line}: malformed record")]
    Delimited {
        /// The file.
        path: PathBuf,
        /// Line, from 1.
        line: u64,
        /// What the parser said.
        #[source]
        source: csv::Error,
    },
    /// A Parquet file that cannot be read.
    #[error("{path} is not a sound Parquet file")]
    Parquet {
        /// The file.
        path: PathBuf,
        /// What the reader said.
        #[source]
        source: parquet::errors::ParquetError,
    },
    /// Too little text for one row.
    #[error("the {part} text has {tokens} tokens, fewer than one sequence of {length}")]
    TooShort {
        /// `training` or `held-out`.
        part: &'static str,
        /// Tokens there are.
        tokens: usize,
        /// Tokens one row takes.
        length: usize,
    },
    /// More tokens than 32-bit document bookkeeping can hold.
    #[error("the corpus has {documents} documents; the limit is {limit}")]
    TooManyDocuments {
        /// Documents there are.
        documents: usize,
        /// The most there may be.
        limit: usize,
    },
    /// A `tokenizer.json` that cannot be used.
    #[error("{path} is not a usable tokenizer: {reason}")]
    BadTokenizer {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// The tokenizer library refused to train or to encode.
    #[error("the tokenizer failed to {action}: {reason}")]
    Tokenizer {
        /// `train` or `encode`.
        action: &'static str,
        /// What it said.
        reason: String,
    },
    /// A masked objective with a tokenizer that has no mask token.
    #[error("the tokenizer has no mask token")]
    NoMaskToken,
    /// Images where text is to be read.
    #[error("{path} holds images; text is needed here")]
    ImagesForText {
        /// The file or folder.
        path: PathBuf,
    },
    /// Plain text where labelled examples are to be read.
    #[error("{path} is plain text, which has no place for labels")]
    Unlabelled {
        /// The file.
        path: PathBuf,
    },
    /// Plain text where pairs are to be read.
    #[error("{path} is plain text, which has no place for pairs")]
    Unpaired {
        /// The file.
        path: PathBuf,
    },
    /// A record whose label is neither a word nor a whole number.
    #[error("{path}, record {record}: field `{field}` is {found}, not a label")]
    NotALabel {
        /// The file.
        path: PathBuf,
        /// Record, from 1.
        record: usize,
        /// The field.
        field: String,
        /// What it holds.
        found: String,
    },
    /// A record whose score is no finite number.
    #[error("{path}, record {record}: field `{field}` is {found}, not a number")]
    NotANumber {
        /// The file.
        path: PathBuf,
        /// Record, from 1.
        record: usize,
        /// The field.
        field: String,
        /// What it holds.
        found: String,
    },
    /// A labelled record without text.
    #[error("{path}, record {record}: field `{field}` is empty")]
    EmptyText {
        /// The file.
        path: PathBuf,
        /// Record, from 1.
        record: usize,
        /// The field.
        field: String,
    },
    /// An empty line where every line is a text.
    #[error("{path}, line {line} is empty")]
    EmptyLine {
        /// The file.
        path: PathBuf,
        /// Line, from 1.
        line: usize,
    },
    /// Labels of one kind only.
    #[error("every training example has the class `{class}`: there is nothing to tell apart")]
    OneClass {
        /// The class.
        class: String,
    },
    /// A class that appears for the first time when the model is measured.
    #[error("`{class}` is no class of the training data")]
    UnseenClass {
        /// The class.
        class: String,
        /// The classes of the training data.
        known: Vec<String>,
    },
    /// Images and texts in one data set.
    #[error("{images} holds images and {texts} holds text; a model takes one of them")]
    MixedKinds {
        /// A file or folder with images.
        images: PathBuf,
        /// A file with text.
        texts: PathBuf,
    },
    /// Changes of images asked for where there are texts.
    #[error("`data.augment` changes images, but {path} holds text")]
    AugmentedText {
        /// A file with text.
        path: PathBuf,
    },
    /// A file or folder without an image.
    #[error("{path} holds no image")]
    NoImages {
        /// The file or folder.
        path: PathBuf,
    },
    /// A file that does not begin as an idx file of the expected kind.
    #[error("{path} is no idx file of {kind}: it begins with 0x{found:08x}, not with {expected}")]
    NotIdx {
        /// The file.
        path: PathBuf,
        /// `images` or `labels`.
        kind: &'static str,
        /// The first four bytes that were expected.
        expected: &'static str,
        /// The first four bytes, the first one highest.
        found: u32,
    },
    /// An idx file that is shorter or longer than its header says.
    #[error("{path} is {found} bytes long; its header ({header}) promises {expected}")]
    IdxLength {
        /// The file.
        path: PathBuf,
        /// What the header says.
        header: String,
        /// Bytes that should be there, header included, after decompression.
        expected: u128,
        /// Bytes there are.
        found: usize,
    },
    /// An images file without a labels file.
    #[error("no labels for {path}: {tried} does not exist")]
    LabelsMissing {
        /// The images file.
        path: PathBuf,
        /// Where its labels were looked for.
        tried: PathBuf,
    },
    /// A list of labels files that does not fit to the list of images files.
    #[error("`{key}` names {labels} files for {images} files of images")]
    LabelFiles {
        /// Dotted path of the key.
        key: &'static str,
        /// Labels files named.
        labels: usize,
        /// Images files there are.
        images: usize,
    },
    /// Different numbers of images and labels.
    #[error("{path} holds {found} labels for the {expected} images of {images}")]
    LabelCount {
        /// The labels file.
        path: PathBuf,
        /// The images file.
        images: PathBuf,
        /// Labels there are.
        found: usize,
        /// Images there are.
        expected: usize,
    },
    /// A file whose length is no whole number of CIFAR records.
    #[error("{path} is {bytes} bytes long, no whole number of CIFAR records of {record} bytes")]
    CifarLength {
        /// The file.
        path: PathBuf,
        /// Its length, after decompression.
        bytes: usize,
        /// The possible lengths of a record.
        record: &'static str,
    },
    /// A file that both kinds of CIFAR records fill.
    #[error("{path} is {bytes} bytes long, which fits CIFAR-10 and CIFAR-100 alike")]
    CifarKind {
        /// The file.
        path: PathBuf,
        /// Its length, after decompression.
        bytes: usize,
    },
    /// A list of class names of the wrong length.
    #[error("{path} names {found} classes; there are {expected}")]
    ClassNames {
        /// The file with the names.
        path: PathBuf,
        /// Names there are.
        found: usize,
        /// Classes there are.
        expected: usize,
    },
    /// A label that stands for no class.
    #[error("{place}: label {label} is out of range; there are {classes} classes, from 0")]
    LabelRange {
        /// The file and the record, or the image of a set.
        place: String,
        /// The label.
        label: u32,
        /// Number of classes.
        classes: usize,
    },
    /// An image set whose parts do not fit together.
    #[error("{pixels} pixel values and {labels} labels make up no set of images that are {shape}")]
    UnevenSet {
        /// The shape of an image.
        shape: ImageShape,
        /// Pixel values there are.
        pixels: usize,
        /// Labels there are.
        labels: usize,
    },
    /// A set of labelled texts whose parts do not fit together.
    #[error("{labels} labels for {texts} texts")]
    UnevenTexts {
        /// Texts there are.
        texts: usize,
        /// Labels there are.
        labels: usize,
    },
    /// A picture that cannot be decoded.
    #[error("{path} is not a sound PNG or JPEG picture")]
    BrokenPicture {
        /// The file.
        path: PathBuf,
        /// What the decoder said.
        #[source]
        source: image::ImageError,
    },
    /// A JPEG file that ends early.
    #[error("{path} ends in the middle of its picture, after {bytes} bytes")]
    ShortPicture {
        /// The file.
        path: PathBuf,
        /// Its length.
        bytes: usize,
    },
    /// A picture with transparency where nothing says what becomes of it.
    #[error("{path} is partly transparent")]
    Transparent {
        /// The file.
        path: PathBuf,
    },
    /// Images of more than one shape.
    #[error("{path} is {found}, but {first} is {expected}")]
    ImagesDiffer {
        /// The file.
        path: PathBuf,
        /// Its shape.
        found: ImageShape,
        /// The first file.
        first: PathBuf,
        /// The shape of that.
        expected: ImageShape,
    },
    /// An image that a model does not take.
    #[error("{path} is {found}; the model takes images that are {expected}")]
    WrongInput {
        /// The file.
        path: PathBuf,
        /// Its shape.
        found: ImageShape,
        /// What the model was trained on.
        expected: ImageShape,
    },
    /// A number of channels that cannot be converted.
    #[error("{path} has {channels} channels; only images of 1, 3 or 4 channels can be converted")]
    Unconvertible {
        /// The file.
        path: PathBuf,
        /// Its channels.
        channels: usize,
    },
    /// A file where a folder of class folders is to be.
    #[error("{path} is no folder")]
    NotAFolder {
        /// The file.
        path: PathBuf,
    },
    /// A folder of a class without a picture.
    #[error("class folder {path} holds no picture")]
    EmptyClass {
        /// The folder.
        path: PathBuf,
    },
    /// A picture outside of every class folder.
    #[error("{path} lies in no class folder, so its class is unknown")]
    NoClass {
        /// The picture.
        path: PathBuf,
    },
    /// Means or deviations that do not fit the images.
    #[error("`{key}` has {found} values; the images have {expected} channels")]
    Channels {
        /// Dotted path of the key.
        key: &'static str,
        /// Values there are.
        found: usize,
        /// Channels of the images.
        expected: usize,
    },
}
