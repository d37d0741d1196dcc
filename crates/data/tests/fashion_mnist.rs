//! The shipped images, the way a config uses them.

use std::path::{Path, PathBuf};

use mixlab_data::{DataConfig, ImageConfig, ImageSet, LabelledData, Normalisation, load_labelled};

fn shipped(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../data/fashion-mnist").join(name)
}

const TRAIN: &str = "fashion-mnist-3000-train-images-idx3-ubyte.gz";
const TEST: &str = "fashion-mnist-1000-test-images-idx3-ubyte.gz";

fn load(config: &DataConfig) -> (ImageSet, ImageSet) {
    match load_labelled(config).unwrap() {
        LabelledData::Images { train, evaluate: Some(evaluate) } => (train, evaluate),
        _ => panic!("images to train on and to measure on"),
    }
}

#[test]
fn both_parts_hold_every_class_equally_often() {
    let config =
        DataConfig { train: vec![shipped(TRAIN)], evaluate: vec![shipped(TEST)], ..DataConfig::default() };
    let (train, test) = load(&config);
    for (set, images) in [(&train, 3000), (&test, 1000)] {
        assert_eq!((set.len(), set.height, set.width, set.channels), (images, 28, 28, 1));
        assert_eq!(set.class_counts(), vec![images / 10; 10]);
    }
    let expected: Vec<String> = (0..10).map(|class| class.to_string()).collect();
    assert_eq!((&train.classes, &test.classes), (&expected, &expected));
    let normalisation = Normalisation::new(&train, &ImageConfig::default()).unwrap();
    // The full data set has mean 0.2860 and deviation 0.3530.
    assert!((normalisation.mean[0] - 0.2860).abs() < 0.01, "{normalisation:?}");
    assert!((normalisation.deviation[0] - 0.3530).abs() < 0.01, "{normalisation:?}");
    assert_ne!(train.fingerprint(), test.fingerprint());
}

#[test]
fn a_tenth_of_every_class_is_held_out() {
    let config = DataConfig { train: vec![shipped(TRAIN)], ..DataConfig::default() };
    let (train, held_out) = load(&config);
    assert_eq!((train.class_counts(), held_out.class_counts()), (vec![270; 10], vec![30; 10]));
    let again = load(&config);
    assert_eq!((train, held_out), again);
}
