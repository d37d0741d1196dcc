//! Images as they are shown in training, in evaluation and to a trained model.

use std::path::PathBuf;

use image::{DynamicImage, GrayImage, RgbImage};
use mixlab_core::Diagnose;
use mixlab_data::{
    AugmentConfig, DataConfig, DataError, ImageBatch, ImageConfig, ImageEvaluation, ImageInput, ImageSet,
    ImageShape, ImageTraining, LabelledData, Normalisation, load_labelled,
};
use proptest::prelude::*;
use tempfile::TempDir;

const SHAPE: ImageShape = ImageShape { height: 6, width: 5, channels: 3 };

fn set(images: usize) -> ImageSet {
    let pixels = (0..images * SHAPE.values()).map(|n| (n * n * 31 % 251) as u8).collect();
    let labels = (0..images).map(|image| (image % 4) as u32).collect();
    ImageSet::new(SHAPE, pixels, labels, ["a", "b", "c", "d"].map(str::to_owned).to_vec()).unwrap()
}

fn normalisation(set: &ImageSet) -> Normalisation {
    Normalisation::new(set, &ImageConfig::default()).unwrap()
}

fn training(images: usize, augment: AugmentConfig, batch: usize, accumulation: usize) -> ImageTraining {
    let set = set(images);
    let normalisation = normalisation(&set);
    ImageTraining::new(set, normalisation, augment, batch, accumulation, 9).unwrap()
}

/// Everything at once.
fn augment() -> AugmentConfig {
    AugmentConfig { flip: true, shift: 2, crop: Some(0.4), noise: 0.1, mixup: 0.3 }
}

/// Every image of a batch with all that belongs to it.
fn rows(batch: &ImageBatch) -> Vec<(u64, u32, Vec<f32>, Vec<f32>)> {
    let pixels = batch.pixels.chunks(SHAPE.values()).map(<[f32]>::to_vec);
    let targets = batch.targets.chunks(4).map(<[f32]>::to_vec);
    let numbers = batch.samples.iter().copied().zip(batch.labels.iter().copied());
    numbers.zip(pixels.zip(targets)).map(|((sample, label), (p, t))| (sample, label, p, t)).collect()
}

#[test]
fn a_sample_looks_the_same_in_every_batch() {
    let (single, large) = (training(11, augment(), 1, 1), training(11, augment(), 6, 1));
    let accumulated = training(11, augment(), 2, 3);
    for step in 0..8 {
        let whole = rows(&large.batch(step, 0));
        let parts: Vec<_> = (0..3).flat_map(|micro| rows(&accumulated.batch(step, micro))).collect();
        let one_by_one: Vec<_> = (0..6).flat_map(|n| rows(&single.batch(step * 6 + n, 0))).collect();
        assert_eq!(whole, parts);
        assert_eq!(whole, one_by_one);
    }
    assert_eq!(large.batch(3, 0), large.batch(3, 0));
}

#[test]
fn an_epoch_shows_every_image_once_and_differently_from_the_last() {
    let data = training(8, AugmentConfig::default(), 8, 1);
    let sorted = |step| {
        let mut rows: Vec<(u32, Vec<u32>)> = rows(&data.batch(step, 0))
            .into_iter()
            .map(|(_, label, pixels, _)| (label, pixels.iter().map(|pixel| pixel.to_bits()).collect()))
            .collect();
        rows.sort();
        rows
    };
    let set = set(8);
    let plain = ImageEvaluation::new(set.clone(), &normalisation(&set), 8).unwrap().batch(0);
    let mut expected: Vec<(u32, Vec<u32>)> = rows(&plain)
        .into_iter()
        .map(|(_, label, pixels, _)| (label, pixels.iter().map(|pixel| pixel.to_bits()).collect()))
        .collect();
    expected.sort();
    assert_eq!(sorted(0), expected);
    assert_eq!(sorted(1), expected);
    assert_ne!(data.batch(0, 0).labels, data.batch(1, 0).labels);
    let changed = training(8, augment(), 8, 1);
    assert_ne!(changed.batch(0, 0).pixels, changed.batch(1, 0).pixels);
    assert_eq!((data.epochs(2), data.rows_per_epoch()), (2.0, 8));
    assert_eq!(data.batch(1, 0).samples, [8, 9, 10, 11, 12, 13, 14, 15]);
}

#[test]
fn another_seed_changes_images_and_their_order() {
    let set = set(20);
    let with = |seed| {
        let normalisation = normalisation(&set);
        ImageTraining::new(set.clone(), normalisation, augment(), 20, 1, seed).unwrap().batch(0, 0)
    };
    assert_eq!(with(1), with(1));
    assert_ne!(with(1).labels, with(2).labels);
}

#[test]
fn mixed_images_and_their_targets_have_the_same_weights() {
    // Images of one colour: what is mixed of which image can be read off its pixels.
    let pixels = (0..4_u8).flat_map(|image| vec![60 * image; SHAPE.values()]).collect();
    let classes = ["a", "b", "c", "d"].map(str::to_owned).to_vec();
    let set = ImageSet::new(SHAPE, pixels, vec![0, 1, 2, 3], classes).unwrap();
    let plain = Normalisation { mean: vec![0.0; 3], deviation: vec![1.0; 3] };
    let mixup = AugmentConfig { mixup: 1.0, ..AugmentConfig::default() };
    let data = ImageTraining::new(set, plain, mixup, 64, 1, 5).unwrap();
    let mut mixed = 0;
    for (_, label, pixels, targets) in rows(&data.batch(0, 0)) {
        assert!((targets.iter().sum::<f32>() - 1.0).abs() < 1e-6);
        assert!(targets[label as usize] > 0.0);
        let expected: f32 =
            targets.iter().zip(0..).map(|(target, class)| target * 60.0 * class as f32 / 255.0).sum();
        assert!(pixels.iter().all(|pixel| (pixel - expected).abs() < 1e-5), "{expected} {pixels:?}");
        mixed += usize::from(targets.iter().filter(|&&target| target > 0.0).count() == 2);
    }
    // One in four is mixed with itself.
    assert!((36..=60).contains(&mixed), "{mixed}");
}

#[test]
fn a_moved_image_is_filled_with_its_mean() {
    let set = set(3);
    let shift = AugmentConfig { shift: 4, ..AugmentConfig::default() };
    let data = ImageTraining::new(set.clone(), normalisation(&set), shift, 30, 1, 2).unwrap();
    let batch = data.batch(0, 0);
    assert!(batch.pixels.contains(&0.0));
    assert!(batch.pixels.iter().all(|pixel| pixel.is_finite()));
}

proptest! {
    #[test]
    fn every_evaluation_image_counts_exactly_once(images in 1usize..20, batch in 1usize..7) {
        let set = set(images);
        let data = ImageEvaluation::new(set.clone(), &normalisation(&set), batch).unwrap();
        let (mut labels, mut samples) = (Vec::new(), Vec::new());
        for index in 0..data.batches() {
            let part = data.batch(index);
            prop_assert_eq!((part.batch, part.pixels.len()), (batch, batch * SHAPE.values()));
            let expected = (images - index * batch).min(batch) as f64;
            prop_assert_eq!(part.total_weight(), expected);
            for row in (0..batch).filter(|&row| part.weights[row] == 1.0) {
                labels.push(part.labels[row]);
                samples.push(part.samples[row]);
                prop_assert_eq!(part.targets[4 * row + part.labels[row] as usize], 1.0);
            }
        }
        prop_assert_eq!(labels, set.labels);
        prop_assert!(samples.into_iter().eq(0..images as u64));
    }
}

#[test]
fn sizes_and_sets_that_do_not_fit_are_refused() {
    let (good, plain) = (set(4), normalisation(&set(4)));
    let grey = Normalisation { mean: vec![0.0], deviation: vec![1.0] };
    let with = |set: &ImageSet, norm: &Normalisation, batch, accumulation| {
        let none = AugmentConfig::default();
        ImageTraining::new(set.clone(), norm.clone(), none, batch, accumulation, 0).unwrap_err()
    };
    assert!(matches!(with(&good, &plain, 0, 1), DataError::OutOfRange { key: "train.batch", .. }));
    assert!(matches!(with(&good, &plain, 1, 0), DataError::OutOfRange { key: "train.accumulation", .. }));
    assert!(matches!(with(&good, &grey, 1, 1), DataError::Channels { found: 1, expected: 3, .. }));
    let uneven = ImageSet { pixels: vec![0; 7], ..good.clone() };
    assert!(matches!(with(&uneven, &plain, 1, 1), DataError::UnevenSet { .. }));
    let empty = ImageSet { pixels: Vec::new(), labels: Vec::new(), ..good.clone() };
    assert!(matches!(with(&empty, &plain, 1, 1), DataError::UnevenSet { .. }));
    assert!(ImageEvaluation::new(empty, &plain, 1).is_err());
    assert!(ImageEvaluation::new(good, &plain, 0).is_err());
}

struct Pictures(TempDir);

impl Pictures {
    fn new() -> Self {
        let pictures = Pictures(tempfile::tempdir().unwrap());
        for (name, value) in [("set/cat/1.png", 10), ("set/cat/2.png", 20), ("set/dog/1.png", 200)] {
            pictures.save(name, GrayImage::from_pixel(3, 2, image::Luma([value])));
        }
        pictures
    }

    fn save(&self, name: &str, picture: impl Into<DynamicImage>) -> PathBuf {
        let path = self.0.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        picture.into().save(&path).unwrap();
        path
    }

    /// The training images and what a model trained on them takes.
    fn input(&self, image: ImageConfig) -> (ImageSet, ImageInput) {
        let config = DataConfig {
            train: vec![self.0.path().join("set")],
            evaluate_fraction: 0.0,
            image: image.clone(),
            ..DataConfig::default()
        };
        match load_labelled(&config).unwrap() {
            LabelledData::Images { train, .. } => {
                let input = ImageInput::new(&train, &image).unwrap();
                (train, input)
            }
            LabelledData::Texts { .. } => panic!("these are images"),
        }
    }
}

#[test]
fn a_model_sees_the_same_numbers_later() {
    let pictures = Pictures::new();
    let (set, input) = pictures.input(ImageConfig::default());
    let kept = serde_json::to_string(&input).unwrap();
    let input: ImageInput = serde_json::from_str(&kept).unwrap();
    let shown = ImageEvaluation::new(set, &input.normalisation, 3).unwrap().batch(0);
    let cats = input.read(&pictures.0.path().join("set/cat")).unwrap();
    assert_eq!((cats.len(), cats.is_empty(), cats.shape()), (2, false, input.shape));
    assert!(cats.names()[1].ends_with("cat/2.png"));
    assert_eq!(cats.pixels(0..2), shown.pixels[..12]);
    assert_eq!(cats.pixels(1..2), shown.pixels[6..12]);
    let dog = input.read(&pictures.0.path().join("set/dog/1.png")).unwrap();
    assert_eq!(dog.pixels(0..1), shown.pixels[12..]);
    let idx = pictures.0.path().join("new-images-idx3-ubyte");
    let header = [0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 2, 0, 0, 0, 3];
    std::fs::write(&idx, [&header[..], &[10; 6], &[200; 6]].concat()).unwrap();
    let both = input.read(&idx).unwrap();
    assert!(both.names()[1].ends_with("new-images-idx3-ubyte[1]"));
    assert_eq!(both.pixels(0..2), [&shown.pixels[..6], &shown.pixels[12..]].concat());
}

#[test]
fn images_that_a_model_does_not_take_are_refused() {
    let pictures = Pictures::new();
    let (_, input) = pictures.input(ImageConfig::default());
    let large = pictures.save("large.png", GrayImage::new(5, 4));
    let colour = pictures.save("colour.png", RgbImage::new(3, 2));
    let told = |error: DataError| format!("{error} | {}", error.hint().unwrap_or_default());
    let error = told(input.read(&large).unwrap_err());
    assert!(
        error.contains("large.png is 4 × 5 × 1; the model takes images that are 2 × 3 × 1 | resize"),
        "{error}"
    );
    let error = told(input.read(&colour).unwrap_err());
    assert!(error.ends_with("| give a grey image, or train with `data.image.channels = 1`"), "{error}");
    assert!(matches!(input.read(&pictures.0.path().join("set")), Err(DataError::NoImages { .. })));
    assert!(matches!(input.read(&pictures.0.path().join("no.png")), Err(DataError::Missing { .. })));
    let broken = ImageInput { normalisation: Normalisation { mean: vec![], deviation: vec![] }, ..input };
    assert!(matches!(broken.read(&large), Err(DataError::Channels { .. })));
}

#[test]
fn images_are_converted_where_training_converted_them() {
    let pictures = Pictures::new();
    let image = ImageConfig { size: Some([4, 4]), channels: Some(3), ..ImageConfig::default() };
    let (set, input) = pictures.input(image);
    assert_eq!((set.height, set.width, set.channels), (4, 4, 3));
    let colour = pictures.save("colour.jpg", RgbImage::from_pixel(9, 8, image::Rgb([10, 10, 10])));
    let shown = ImageEvaluation::new(set, &input.normalisation, 3).unwrap().batch(0);
    let rows = input.read(&colour).unwrap();
    let close = |(a, b): (&f32, &f32)| (a - b).abs() < 0.05;
    assert!(rows.pixels(0..1).iter().zip(&shown.pixels).all(close));
}
