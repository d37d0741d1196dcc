//! The presets' numbers of parameters against those of the packages, part by part, and against published ones.

use std::collections::BTreeSet;
use std::path::Path;

use mixlab_nn::{ClassifierInput, NamedParameter, Preset, presets};
use serde_json::Value;

/// Classes of all published image classifiers.
const CLASSES: usize = 1000;

/// Names in `parameter_counts.json`.
const PACKAGES: [(Preset, &str); 17] = [
    (Preset::MixerS32, "Mixer-S/32"),
    (Preset::MixerS16, "Mixer-S/16"),
    (Preset::MixerB32, "Mixer-B/32"),
    (Preset::MixerB16, "Mixer-B/16"),
    (Preset::MixerL32, "Mixer-L/32"),
    (Preset::MixerL16, "Mixer-L/16"),
    (Preset::MixerH14, "Mixer-H/14"),
    (Preset::ResMlpS12, "ResMLP-S12"),
    (Preset::ResMlpS24, "ResMLP-S24"),
    (Preset::ResMlpS36, "ResMLP-S36"),
    (Preset::ResMlpB24_8, "ResMLP-B24/8"),
    (Preset::ResMlpB24_16, "ResMLP-B24/16"),
    (Preset::GmlpTi16, "gMLP-Ti"),
    (Preset::GmlpS16, "gMLP-S"),
    (Preset::GmlpB16, "gMLP-B"),
    (Preset::FnetBase, "FNet-base"),
    (Preset::FnetLarge, "FNet-large"),
];

/// The code of the paper is in no package; its page gives 7.7, 62 and 206 million.
const FF_ONLY: [(Preset, usize); 3] =
    [(Preset::FfOnlyTiny, 7_676_332), (Preset::FfOnlyBase, 61_943_020), (Preset::FfOnlyLarge, 206_213_048)];

/// No code was published; millions in the paper's table of masked language models.
const LANGUAGE: [(Preset, f64); 4] = [
    (Preset::GmlpBase, 130.0),
    (Preset::AmlpBase, 109.0),
    (Preset::GmlpLarge, 365.0),
    (Preset::AmlpLarge, 316.0),
];

/// Where the parts of a package's model are in ours.
const PARTS: [(&str, &str); 6] = [
    ("stem", "embedding."),
    ("embedding", "embedding."),
    ("block", "backbone.blocks.0."),
    ("norm", "backbone.final_norm."),
    ("head", "readout."),
    ("pooler", "readout.dense."),
];

fn classifier(preset: Preset) -> Vec<NamedParameter> {
    preset.config().classifier_parameters(preset.input(), CLASSES).unwrap()
}

fn count(parameters: &[NamedParameter], prefix: &str) -> usize {
    parameters.iter().filter(|p| p.path.starts_with(prefix)).map(NamedParameter::size).sum()
}

fn recorded() -> serde_json::Map<String, Value> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/references");
    let text = std::fs::read_to_string(folder.join("parameter_counts.json")).unwrap();
    serde_json::from_str(&text).unwrap()
}

#[test]
fn presets_are_as_large_as_the_packages_models() {
    let recorded = recorded();
    assert_eq!(recorded.len(), PACKAGES.len(), "every model that was recorded is compared");
    for (preset, name) in PACKAGES {
        let model = &recorded[name];
        let mut parameters = classifier(preset);
        if model["parameters_by_part"].get("pooler").is_some() {
            // FNet was recorded up to its pooler, without the map to classes.
            parameters.retain(|p| !matches!(p.path.as_str(), "readout.weight" | "readout.bias"));
        }
        for (part, expected) in model["parameters_by_part"].as_object().unwrap() {
            let (_, prefix) = PARTS.iter().find(|(name, _)| name == part).unwrap();
            assert_eq!(Some(count(&parameters, prefix) as u64), expected.as_u64(), "{name}, {part}");
        }
        assert_eq!(Some(count(&parameters, "") as u64), model["parameters"].as_u64(), "{name}");
        assert_eq!(Some(preset.config().depth as u64), model["depth"].as_u64(), "{name}");
    }
}

/// With N = (224/P)² + 1 tokens: 3P²d + d for the patches, d for the class token, N·d for the positions, 8d² + 7d and
/// 8N² + 7N in a block, 2d for the last norm, 1000d + 1000 for the classes.
#[test]
fn ff_only_counts() {
    for (preset, expected) in FF_ONLY {
        assert_eq!(count(&classifier(preset), ""), expected, "{}", preset.name());
    }
}

#[test]
fn gmlp_and_amlp_for_language_are_as_large_as_published() {
    for (preset, millions) in LANGUAGE {
        let ClassifierInput::Tokens { vocabulary } = preset.input() else { panic!("a language model") };
        let parameters = preset.config().parameters(vocabulary).unwrap();
        let found = count(&parameters, "") as f64 / 1e6;
        assert_eq!(found.round(), millions, "{}: {found} million", preset.name());
    }
}

#[test]
fn every_preset_is_counted() {
    let names = |list: &[Preset]| list.iter().map(|preset| preset.name()).collect::<BTreeSet<_>>();
    let counted = [
        &PACKAGES.map(|(preset, _)| preset)[..],
        &FF_ONLY.map(|(preset, _)| preset),
        &LANGUAGE.map(|(preset, _)| preset),
    ];
    assert_eq!(names(&counted.concat()), names(presets()));
}
