//! Every way in which a file of images can be wrong, and what the user is told.

use std::io::{Cursor, Write};
use std::path::{Path, PathBuf};

use image::codecs::png::PngEncoder;
use image::{DynamicImage, GrayImage, ImageBuffer, ImageEncoder, ImageFormat, RgbImage, RgbaImage};
use mixlab_core::Diagnose;
use mixlab_data::{
    Cifar100Label, DataConfig, DataError, FileFormat, ImageConfig, ImageSet, LabelledSet, load_labelled,
    read_labelled,
};
use proptest::prelude::*;
use tempfile::TempDir;

struct Files(TempDir);

impl Files {
    fn new() -> Self {
        Files(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, name: &str, contents: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, contents).unwrap();
        path
    }

    /// Writes images and labels, and reads them back.
    fn idx(&self, images: impl AsRef<[u8]>, labels: impl AsRef<[u8]>) -> Result<ImageSet, DataError> {
        self.write("a-labels-idx1-ubyte", labels);
        read(&[self.write("a-images-idx3-ubyte", images)], &DataConfig::default())
    }

    fn cifar(&self, contents: impl AsRef<[u8]>) -> Result<ImageSet, DataError> {
        read(&[self.write("batch.bin", contents)], &DataConfig::default())
    }

    fn folder(&self, name: &str) -> Result<ImageSet, DataError> {
        read(&[self.path(name)], &DataConfig::default())
    }
}

fn read(paths: &[PathBuf], config: &DataConfig) -> Result<ImageSet, DataError> {
    match read_labelled(paths, &[], config)? {
        LabelledSet::Images(set) => Ok(set),
        LabelledSet::Texts(_) => panic!("these are images"),
    }
}

/// Message and hint, with the folder of the test left out.
fn told(error: &DataError, files: &Files) -> String {
    let message = format!("{error} | {}", error.hint().unwrap_or_default());
    message.replace(&format!("{}/", files.0.path().display()), "")
}

fn idx(dimensions: &[u32], values: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0, 0, 8, dimensions.len() as u8];
    dimensions.iter().for_each(|size| bytes.extend(size.to_be_bytes()));
    bytes.extend(values);
    bytes
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn encoded(picture: impl Into<DynamicImage>, format: ImageFormat) -> Vec<u8> {
    let mut bytes = Vec::new();
    picture.into().write_to(&mut Cursor::new(&mut bytes), format).unwrap();
    bytes
}

fn grey(width: u32, height: u32, value: u8) -> GrayImage {
    GrayImage::from_fn(width, height, |x, y| image::Luma([value.wrapping_add((3 * x + 11 * y) as u8)]))
}

fn png(picture: impl Into<DynamicImage>) -> Vec<u8> {
    encoded(picture, ImageFormat::Png)
}

fn jpeg(picture: impl Into<DynamicImage>) -> Vec<u8> {
    encoded(picture, ImageFormat::Jpeg)
}

#[test]
fn sound_idx_files_are_read() {
    let files = Files::new();
    let (images, labels) = (idx(&[3, 2, 1], &[1, 2, 3, 4, 5, 6]), idx(&[3], &[9, 2, 9]));
    let set = files.idx(&images, &labels).unwrap();
    assert_eq!((set.height, set.width, set.channels), (2, 1, 1));
    assert_eq!((set.pixels.as_slice(), set.labels.as_slice()), (&[1, 2, 3, 4, 5, 6][..], &[1, 0, 1][..]));
    assert_eq!(set.classes, ["2", "9"]);

    files.write("z-labels-idx1-ubyte.gz", gzip(&labels));
    let zstd = files.write("z-images-idx3-ubyte.zst", zstd::encode_all(&images[..], 3).unwrap());
    assert_eq!(read(&[zstd], &DataConfig::default()).unwrap(), set);

    files.write("c-labels.idx1-ubyte", idx(&[1], &[0]));
    let colour = files.write("c-images.idx4-ubyte", idx(&[1, 1, 2, 3], &[1, 2, 3, 4, 5, 6]));
    let set = read(&[colour], &DataConfig::default()).unwrap();
    assert_eq!((set.height, set.width, set.channels, set.len()), (1, 2, 3, 1));
}

#[test]
fn several_idx_files_are_joined_by_their_classes() {
    let files = Files::new();
    let train = files.write("images", idx(&[2, 1, 1], &[10, 20]));
    let labels = files.write("labels", idx(&[2], &[7, 3]));
    let other = files.write("other", idx(&[1, 1, 1], &[30]));
    let other_labels = files.write("other-labels", idx(&[1], &[5]));
    let config = DataConfig { format: FileFormat::Idx, ..DataConfig::default() };
    let joined = read_labelled(&[train.clone(), other.clone()], &[labels.clone(), other_labels], &config);
    let LabelledSet::Images(set) = joined.unwrap() else { panic!("these are images") };
    assert_eq!((set.pixels, set.labels), (vec![10, 20, 30], vec![2, 0, 1]));
    assert_eq!(set.classes, ["3", "5", "7"]);
    let error = read_labelled(&[train, other], &[labels], &config).unwrap_err();
    assert!(told(&error, &files).starts_with(
        "`data.image.evaluate_labels` names 1 files for 2 files of images | name one labels file for each"
    ));
}

#[test]
fn short_and_long_idx_files() {
    let files = Files::new();
    let (images, labels) = (idx(&[2, 2, 2], &[0; 8]), idx(&[2], &[0, 1]));
    for keep in 0..images.len() {
        let error = files.idx(&images[..keep], &labels).unwrap_err();
        assert!(matches!(error, DataError::IdxLength { found, .. } if found == keep), "{keep}: {error}");
    }
    let error = files.idx(&images[..20], &labels).unwrap_err();
    let expected = "a-images-idx3-ubyte is 20 bytes long; its header (2 × 2 × 2) promises 24 | the download";
    assert!(told(&error, &files).starts_with(expected), "{}", told(&error, &files));
    let error = files.idx([&images[..], &[0]].concat(), &labels).unwrap_err();
    assert!(told(&error, &files).ends_with("promises 24 | check that it is a single idx file"));
    assert!(matches!(files.idx(&images, &labels[..9]).unwrap_err(), DataError::IdxLength { found: 9, .. }));
    let gzipped =
        gzip(&idx(&[50, 20, 20], &(0..20_000_u32).map(|n| (n * n % 251) as u8).collect::<Vec<_>>()));
    let cut = files.write("b-images-idx3-ubyte.gz", &gzipped[..gzipped.len() / 2]);
    files.write("b-labels-idx1-ubyte", idx(&[50], &[0; 50]));
    let error = read(&[cut], &DataConfig::default()).unwrap_err();
    assert!(matches!(error, DataError::Truncated { compression: "gzip", .. }), "{error}");
}

#[test]
fn a_header_that_promises_the_world_allocates_nothing() {
    let files = Files::new();
    let huge = idx(&[u32::MAX, u32::MAX, u32::MAX, u32::MAX], &[0; 4]);
    let error = files.idx(huge, idx(&[1], &[0])).unwrap_err();
    let promised = 20 + u128::from(u32::MAX).pow(4);
    assert!(matches!(error, DataError::IdxLength { expected, found: 24, .. } if expected == promised));
}

#[test]
fn files_that_are_no_idx_files() {
    let files = Files::new();
    let (images, labels) = (idx(&[2, 1, 1], &[0; 2]), idx(&[2], &[0, 1]));
    let error = files.idx(&labels, &labels).unwrap_err();
    let expected = "a-images-idx3-ubyte is no idx file of images: it begins with 0x00000801, not with \
                    0x00000803 or 0x00000804 | this is a file of labels";
    assert!(told(&error, &files).starts_with(expected), "{}", told(&error, &files));
    let error = files.idx(&images, &images).unwrap_err();
    assert!(told(&error, &files).contains("a-labels-idx1-ubyte is no idx file of labels"));
    let mut floats = images.clone();
    floats[2] = 0x0d;
    let error = files.idx(floats, &labels).unwrap_err();
    assert!(told(&error, &files).contains("its values are 32-bit floating-point numbers"));
    let error = files.idx(gzip(&images), &labels).unwrap_err();
    assert!(told(&error, &files).contains("it begins with 0x1f8b0800"), "{error}");
}

#[test]
fn counts_that_disagree_and_no_images() {
    let files = Files::new();
    let error = files.idx(idx(&[3, 1, 1], &[0; 3]), idx(&[2], &[0, 1])).unwrap_err();
    let expected = "a-labels-idx1-ubyte holds 2 labels for the 3 images of a-images-idx3-ubyte | check that";
    assert!(told(&error, &files).starts_with(expected));
    for empty in [idx(&[0, 28, 28], &[]), idx(&[5, 0, 28], &[]), idx(&[5, 28, 0], &[])] {
        let error = files.idx(empty, idx(&[0], &[])).unwrap_err();
        assert!(matches!(error, DataError::NoImages { .. }), "{error}");
    }
    let alone = files.write("b-images-idx3-ubyte", idx(&[1, 1, 1], &[0]));
    let error = read(&[alone], &DataConfig::default()).unwrap_err();
    let expected = "no labels for b-images-idx3-ubyte: b-labels-idx1-ubyte does not exist | put the labels";
    assert!(told(&error, &files).starts_with(expected), "{}", told(&error, &files));
}

/// A record with the given labels whose red, green and blue planes count upwards from 0, 1 and 2.
fn record(labels: &[u8]) -> Vec<u8> {
    let plane = |first: usize| (0..1024).map(move |pixel| (first + pixel) as u8);
    labels.iter().copied().chain((0..3).flat_map(plane)).collect()
}

#[test]
fn cifar_records_become_channel_last() {
    let files = Files::new();
    let ten = files.cifar([record(&[3]), record(&[9])].concat()).unwrap();
    assert_eq!((ten.height, ten.width, ten.channels, ten.classes.len()), (32, 32, 3, 10));
    assert_eq!(ten.labels, [3, 9]);
    assert_eq!(ten.image(1)[..9], [0, 1, 2, 1, 2, 3, 2, 3, 4]);
    assert_eq!(ten.image(0)[3 * 300..3 * 300 + 3], [300_u16 as u8, 301_u16 as u8, 302_u16 as u8]);

    let paths = [files.write("train.bin", record(&[19, 99]))];
    let fine = read(&paths, &DataConfig::default()).unwrap();
    assert_eq!((fine.labels[0], fine.classes.len()), (99, 100));
    let image = ImageConfig { cifar100_label: Cifar100Label::Coarse, ..ImageConfig::default() };
    let config = DataConfig { image, ..DataConfig::default() };
    let coarse = read(&paths, &config).unwrap();
    assert_eq!((coarse.labels[0], coarse.classes.len()), (19, 20));

    files.write("coarse_label_names.txt", (0..20).map(|n| format!("group {n}\n")).collect::<String>());
    assert_eq!(read(&paths, &config).unwrap().classes[19], "group 19");
    files.write("coarse_label_names.txt", "one\ntwo\n");
    let error = read(&paths, &config).unwrap_err();
    assert!(told(&error, &files).starts_with("coarse_label_names.txt names 2 classes; there are 20"));
}

#[test]
fn damaged_cifar_files() {
    let files = Files::new();
    let error = files.cifar(&record(&[0])[..3000]).unwrap_err();
    let expected = "batch.bin is 3000 bytes long, no whole number of CIFAR records of 3073 or 3074 bytes";
    assert!(told(&error, &files).starts_with(expected));
    assert!(matches!(files.cifar([]).unwrap_err(), DataError::NoImages { .. }));
    let error = files.cifar([record(&[1]), record(&[10])].concat()).unwrap_err();
    let expected = "batch.bin, record 2: label 10 is out of range; there are 10 classes, from 0 | fetch";
    assert!(told(&error, &files).starts_with(expected));
    for labels in [[20, 0], [0, 100], [255, 255]] {
        assert!(matches!(files.cifar(record(&labels)).unwrap_err(), DataError::LabelRange { .. }));
    }
    let hundred = DataConfig { format: FileFormat::Cifar100, ..DataConfig::default() };
    let error = read(&[files.write("x", record(&[0]))], &hundred).unwrap_err();
    assert!(matches!(error, DataError::CifarLength { record: "3074", .. }), "{error}");
}

#[test]
fn cifar_files_are_joined() {
    let files = Files::new();
    let paths = [files.write("a.bin", record(&[1])), files.write("b.bin.gz", gzip(&record(&[4])))];
    assert_eq!(read(&paths, &DataConfig::default()).unwrap().labels, [1, 4]);
}

#[test]
fn class_folders_are_read_in_the_order_of_names() {
    let files = Files::new();
    files.write("set/10/b.png", png(grey(3, 2, 100)));
    files.write("set/10/a.PNG", png(grey(3, 2, 50)));
    files.write("set/2/only.jpg", jpeg(GrayImage::from_pixel(3, 2, image::Luma([77]))));
    files.write("set/2/notes.txt", "left out");
    files.write("set/.hidden/x.png", "no picture");
    files.write("set/README.md", "left out");
    let set = files.folder("set").unwrap();
    assert_eq!((set.height, set.width, set.channels), (2, 3, 1));
    assert_eq!((set.classes, set.labels), (vec!["2".to_owned(), "10".to_owned()], vec![1, 1, 0]));
    assert_eq!(set.pixels[..6], [50, 53, 56, 61, 64, 67]);
    assert_eq!(set.pixels[6..9], [100, 103, 106]);
    assert!(set.pixels[12..].iter().all(|&value| value.abs_diff(77) <= 1), "{:?}", &set.pixels[12..]);
}

#[test]
fn pictures_are_converted_as_the_config_says() {
    let files = Files::new();
    files.write("set/a/grey.png", png(grey(4, 4, 9)));
    files.write("set/b/colour.png", png(RgbImage::from_pixel(6, 5, image::Rgb([200, 200, 200]))));
    let error = files.folder("set").unwrap_err();
    let expected = "set/b/colour.png is 5 × 6 × 3, but set/a/grey.png is 4 × 4 × 1 | set \
                    `data.image.channels = 1` to convert all images";
    assert_eq!(told(&error, &files), expected);
    let with = |size, channels| {
        let image = ImageConfig { size, channels, ..ImageConfig::default() };
        read(&[files.path("set")], &DataConfig { image, ..DataConfig::default() })
    };
    let error = with(None, Some(1)).unwrap_err();
    assert!(told(&error, &files).ends_with("set `data.image.size = [4, 4]` to resize all images"));
    let set = with(Some([5, 3]), Some(3)).unwrap();
    assert_eq!((set.height, set.width, set.channels, set.len()), (5, 3, 3, 2));
    assert!(set.image(1).iter().all(|&value| value == 200));
    assert!(set.image(0).chunks_exact(3).all(|pixel| pixel[0] == pixel[1] && pixel[1] == pixel[2]));
    assert_eq!(with(Some([4, 4]), Some(1)).unwrap().image(0), grey(4, 4, 9).as_raw());
}

#[test]
fn the_files_decide_where_the_config_does_not() {
    let files = Files::new();
    let opaque = RgbaImage::from_pixel(2, 2, image::Rgba([1, 2, 3, 255]));
    files.write("opaque/a/1.png", png(opaque.clone()));
    let deep = ImageBuffer::<image::Rgb<u16>, Vec<u16>>::from_pixel(2, 2, image::Rgb([257, 514, 771]));
    files.write("opaque/b/1.png", png(deep));
    let set = files.folder("opaque").unwrap();
    assert_eq!((set.channels, set.image(0)), (3, set.image(1)));
    assert_eq!(set.image(0)[..3], [1, 2, 3]);

    let mut glass = opaque;
    glass.get_pixel_mut(1, 1)[3] = 254;
    files.write("glass/a/1.png", png(glass));
    let error = files.folder("glass").unwrap_err();
    assert!(
        told(&error, &files).starts_with("glass/a/1.png is partly transparent | set `data.image.channels`")
    );
    let image = ImageConfig { channels: Some(3), ..ImageConfig::default() };
    let config = DataConfig { image, ..DataConfig::default() };
    assert_eq!(read(&[files.path("glass")], &config).unwrap().image(0)[9..], [1, 2, 3]);
}

#[test]
fn pictures_are_turned_the_way_their_camera_was() {
    let files = Files::new();
    // A little-endian TIFF directory with one entry: tag 0x0112, type 3, one value, 6: turned by 90°.
    let exif = [b"II*\0\x08\0\0\0", &b"\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\0\0\0\0"[..]].concat();
    let mut bytes = Vec::new();
    let mut encoder = PngEncoder::new(&mut bytes);
    encoder.set_exif_metadata(exif).unwrap();
    encoder.write_image(&[10, 20], 2, 1, image::ExtendedColorType::L8).unwrap();
    files.write("set/a/1.png", bytes);
    let set = files.folder("set").unwrap();
    assert_eq!((set.height, set.width, set.pixels), (2, 1, vec![10, 20]));
}

#[test]
fn folders_without_classes_or_pictures() {
    let files = Files::new();
    files.write("flat/1.png", png(grey(2, 2, 0)));
    files.write("flat/2.png", png(grey(2, 2, 0)));
    let folder = DataConfig { format: FileFormat::ImageFolder, ..DataConfig::default() };
    let error = read(&[files.path("flat")], &folder).unwrap_err();
    assert!(told(&error, &files).starts_with("flat/1.png lies in no class folder, so its class is unknown"));
    assert!(matches!(files.folder("flat").unwrap_err(), DataError::EmptyFolder { .. }));
    let error = read(&[files.path("flat/1.png")], &DataConfig::default()).unwrap_err();
    assert!(matches!(error, DataError::NoClass { .. }), "{error}");
    files.write("set/a/1.png", png(grey(2, 2, 0)));
    files.write("set/b/notes.txt", "");
    let error = files.folder("set").unwrap_err();
    assert!(told(&error, &files).starts_with("class folder set/b holds no picture | put .png or .jpg files"));
    files.write("set/b/2.png", png(grey(2, 2, 0)));
    files.write("set/3.png", png(grey(2, 2, 0)));
    assert!(matches!(files.folder("set").unwrap_err(), DataError::NoClass { .. }));
    std::fs::create_dir(files.path("empty")).unwrap();
    assert!(matches!(read(&[files.path("empty")], &folder).unwrap_err(), DataError::EmptyFolder { .. }));
    let file = files.write("file", "");
    assert!(matches!(read(&[file], &folder).unwrap_err(), DataError::NotAFolder { .. }));
}

#[test]
fn damaged_pictures_are_named() {
    let files = Files::new();
    let pattern = RgbImage::from_fn(40, 30, |x, y| image::Rgb([(x * 6) as u8, (y * 8) as u8, (x ^ y) as u8]));
    for (name, whole) in [("x.png", png(pattern.clone())), ("x.jpg", jpeg(pattern))] {
        let inside = format!("set/a/{name}");
        for keep in [1, 20, 60, whole.len() / 2, whole.len() - 20] {
            files.write(&inside, &whole[..keep]);
            let error = files.folder("set").unwrap_err();
            let named = matches!(error, DataError::BrokenPicture { .. } | DataError::ShortPicture { .. });
            assert!(named && told(&error, &files).starts_with(&inside), "{keep}: {error}");
        }
        files.write(&inside, []);
        assert!(matches!(files.folder("set").unwrap_err(), DataError::NoImages { .. }));
        files.write(&inside, "GIF89a, or so it says");
        assert!(matches!(files.folder("set").unwrap_err(), DataError::BrokenPicture { .. }));
        for position in (0..whole.len()).step_by(whole.len() / 300 + 1) {
            let mut flipped = whole.clone();
            flipped[position] ^= 1 << (position % 8);
            files.write(&inside, flipped);
            // Damage to the compressed values can go unnoticed; what matters is that nothing panics.
            let _ = files.folder("set");
        }
        std::fs::remove_file(files.path(&inside)).unwrap();
    }
    // What a picture is goes by its contents.
    files.write("set/a/really.png", jpeg(grey(8, 8, 0)));
    assert_eq!(files.folder("set").unwrap().len(), 1);
}

#[test]
fn a_small_picture_that_claims_to_be_huge_is_refused() {
    let files = Files::new();
    let mut small = png(grey(1, 1, 0));
    // Width, height and the checksum of the header chunk.
    small[16..20].copy_from_slice(&60_000_u32.to_be_bytes());
    small[20..24].copy_from_slice(&60_000_u32.to_be_bytes());
    let mut checksum = flate2::Crc::new();
    checksum.update(&small[12..29]);
    small[29..33].copy_from_slice(&checksum.sum().to_be_bytes());
    files.write("set/a/1.png", small);
    let error = files.folder("set").unwrap_err();
    let source = std::error::Error::source(&error).unwrap().to_string();
    assert!(matches!(error, DataError::BrokenPicture { .. }) && source.contains("limit"), "{source}");
}

#[test]
fn images_are_no_text_and_text_is_no_image() {
    let files = Files::new();
    files.write("a-labels-idx1-ubyte", idx(&[2], &[0, 1]));
    let images = files.write("a-images-idx3-ubyte", idx(&[2, 1, 1], &[0, 9]));
    let config = |train: &Path| DataConfig { train: vec![train.to_owned()], ..DataConfig::default() };
    let error = mixlab_data::load(&config(&images)).unwrap_err();
    assert!(told(&error, &files).starts_with("a-images-idx3-ubyte holds images; text is needed here | name"));
    let prose = files.write("a.txt", "words");
    let error = load_labelled(&config(&prose)).unwrap_err();
    assert!(told(&error, &files).starts_with("a.txt is plain text, which has no place for labels | give"));
    let csv = files.write("a.csv", "text,label\na,1\nb,2\n");
    let both = DataConfig { train: vec![images.clone(), csv.clone()], ..DataConfig::default() };
    let error = load_labelled(&both).unwrap_err();
    assert!(told(&error, &files).starts_with("a-images-idx3-ubyte holds images and a.csv holds text"));
    for (train, evaluate) in [(&images, &csv), (&csv, &images)] {
        let config = DataConfig { evaluate: vec![evaluate.clone()], ..config(train) };
        let error = load_labelled(&config).unwrap_err();
        assert!(told(&error, &files).starts_with("a-images-idx3-ubyte holds images and a.csv holds text"));
    }
}

proptest! {
    #[test]
    fn idx_files_round_trip(
        count in 1usize..5, height in 1usize..5, width in 1usize..5, seed: u8, first in 0u8..250,
    ) {
        let pixels: Vec<u8> = (0..count * height * width).map(|n| (n as u8).wrapping_mul(seed)).collect();
        let labels: Vec<u8> = (0..count).map(|image| first + (image % 3) as u8).collect();
        let files = Files::new();
        let sizes = [count as u32, height as u32, width as u32];
        let set = files.idx(idx(&sizes, &pixels), idx(&[count as u32], &labels)).unwrap();
        prop_assert_eq!(&set.pixels, &pixels);
        let back: Vec<String> = set.labels.iter().map(|&label| set.classes[label as usize].clone()).collect();
        prop_assert!(back.iter().eq(&labels.iter().map(u8::to_string).collect::<Vec<_>>()));
        prop_assert!(set.check().is_ok());
    }

    #[test]
    fn no_bytes_make_a_reader_panic(bytes in prop::collection::vec(any::<u8>(), 0..200), rank in 0u8..6) {
        let files = Files::new();
        let begun = [&[0, 0, 8, rank][..], &bytes].concat();
        let _ = files.idx(&begun, idx(&[1], &[0]));
        let _ = files.idx(idx(&[1, 1, 1], &[0]), &begun);
        let _ = files.cifar(&bytes);
        files.write("set/a/1.png", [&b"\x89PNG\r\n\x1a\n"[..], &bytes].concat());
        files.write("set/b/1.jpg", [&b"\xff\xd8\xff"[..], &bytes, &[0xff, 0xd9]].concat());
        let _ = files.folder("set");
    }
}
