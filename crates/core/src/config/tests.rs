//! What a user may do to a configuration, well and badly.

use std::collections::BTreeMap;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::*;
use crate::{Diagnose, ExitKind, Precision};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
struct Config {
    #[serde(default)]
    run: Run,
    data: Data,
    #[serde(default)]
    model: Model,
}

/// How it runs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
struct Run {
    /// Root of all random streams.
    seed: u64,
    /// Number of updates.
    steps: u32,
    /// Width of numbers.
    precision: Precision,
    /// Step size.
    rate: f64,
    /// Whether to write pictures.
    pictures: bool,
}

impl Default for Run {
    fn default() -> Self {
        Run { seed: 1, steps: 100, precision: Precision::F32, rate: 1e-8, pictures: true }
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
struct Data {
    /// Files to read.
    train: Vec<PathBuf>,
    #[serde(default)]
    shares: Vec<f64>,
    #[serde(default)]
    names: BTreeMap<String, u32>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
struct Model {
    width: usize,
    /// How positions exchange information.
    mixer: Mixer,
    channel: Option<Channel>,
    /// A folder to start from.
    init_from: Option<String>,
}

impl Default for Model {
    fn default() -> Self {
        Model { width: 64, mixer: Mixer::Softmax(Softmax::default()), channel: None, init_from: None }
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
enum Mixer {
    /// Every query looks at every key.
    Softmax(Softmax),
    /// A running sum.
    Linear(Linear),
    /// Nothing at all.
    Identity,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
struct Softmax {
    /// Number of heads.
    heads: usize,
    groups: usize,
    scale: f64,
}

impl Default for Softmax {
    fn default() -> Self {
        Softmax { heads: 4, groups: 4, scale: 1.0 }
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
struct Linear {
    heads: usize,
    /// A word here, a number in the other kind.
    scale: String,
    epsilon: Option<f64>,
}

impl Default for Linear {
    fn default() -> Self {
        Linear { heads: 2, scale: "none".into(), epsilon: None }
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
enum Channel {
    Mlp { expansion: f64 },
    None,
}

const DATA: &str = "[data]\ntrain = [\"a.txt\"]\n";

fn files(text: &str) -> Vec<(String, String)> {
    vec![("run.toml".into(), format!("{text}\n{DATA}"))]
}

fn sets(sets: &[&str]) -> Vec<String> {
    sets.iter().map(|s| (*s).to_owned()).collect()
}

fn good(text: &str, overrides: &[&str]) -> Resolved<Config> {
    resolve(&files(text), &sets(overrides)).unwrap()
}

fn bad(text: &str, overrides: &[&str]) -> ConfigError {
    let error = resolve::<Config>(&files(text), &sets(overrides)).unwrap_err();
    assert!(error.hint().is_some(), "{error} has no hint");
    assert_eq!(error.exit(), ExitKind::Usage);
    error
}

#[track_caller]
fn says(error: &ConfigError, words: &str) {
    assert!(error.to_string().contains(words), "expected {words:?} in {:?}", error.to_string());
}

#[track_caller]
fn hints(error: &ConfigError, words: &str) {
    let hint = error.hint().unwrap_or_default();
    assert!(hint.contains(words), "expected {words:?} in {hint:?}");
}

#[test]
fn defaults_file_and_override_are_layered_and_remembered() {
    let resolved = good("[run]\nsteps = 7\nseed = 3", &["run.seed=9", "model.init_from=runs/a"]);
    assert_eq!((resolved.value.run.steps, resolved.value.run.seed), (7, 9));
    assert_eq!(resolved.value.model.init_from.as_deref(), Some("runs/a"));
    assert_eq!(resolved.origins["run.steps"], Origin::File("run.toml".into()));
    assert_eq!(resolved.origins["run.seed"], Origin::Set);
    assert_eq!(resolved.origins["run.rate"], Origin::Default);
    assert_eq!(resolved.origins["model.mixer.kind"], Origin::Default);
    assert!(!resolved.origins.contains_key("model.channel"), "an absent option has no leaf");
}

#[test]
fn later_files_win_key_by_key() {
    let mut layers = files("[run]\nsteps = 7\nseed = 3");
    layers.push(("over.toml".into(), "run = { steps = 8 }".into()));
    let resolved: Resolved<Config> = resolve(&layers, &[]).unwrap();
    assert_eq!((resolved.value.run.steps, resolved.value.run.seed), (8, 3));
    assert_eq!(resolved.origins["run.steps"], Origin::File("over.toml".into()));
}

#[test]
fn every_leaf_has_an_origin() {
    fn leaves(table: &Table, prefix: &str, out: &mut Vec<String>) {
        for (name, value) in table {
            let path = layer::join(prefix, name);
            match value {
                Value::Table(inner) => leaves(inner, &path, out),
                _ => out.push(path),
            }
        }
    }
    let resolved = good("[data.names]\n\"odd key\" = 2", &[]);
    let mut paths = Vec::new();
    leaves(&resolved.tree, "", &mut paths);
    assert_eq!(paths.len(), resolved.origins.len());
    assert!(paths.iter().all(|path| resolved.origins.contains_key(path)), "{paths:?}");
}

#[test]
fn the_written_form_is_an_input_that_gives_the_same_value() {
    let resolved = good(
        "[run]\nrate = 1e-30\n[model.channel]\nkind = \"mlp\"\nexpansion = 4.0\n[data.names]\n\"odd key\" = 2",
        &["model.mixer.kind=linear", "model.mixer.epsilon=1e-6"],
    );
    let text = resolved.to_toml();
    let again: Resolved<Config> = resolve(&[("config.toml".into(), text.clone())], &[]).unwrap();
    assert_eq!(again.value, resolved.value, "{text}");
    assert_eq!(again.tree, resolved.tree);
    assert!(text.contains("# --set") && text.contains("# run.toml") && text.contains("# default"), "{text}");
    assert!(text.find("[run]") < text.find("[data]"), "fields stand in the order of the type:\n{text}");
    assert!(!text.contains("init_from"), "absent options are absent:\n{text}");
}

#[test]
fn an_unknown_key_names_its_path_line_neighbour_and_siblings() {
    let error = bad("[run]\nseed = 1\nstep = 5", &[]);
    says(&error, "unknown key `run.step` in run.toml line 3; did you mean `run.steps`?");
    hints(&error, "valid keys of `run`: pictures, precision, rate, seed, steps");
    says(
        &bad("", &["model.mixr.kind=linear"]),
        "unknown key `model.mixr` in --set; did you mean `model.mixer`?",
    );
    says(&bad("[modell]\nwidth = 3", &[]), "unknown key `modell` in run.toml line 1; did you mean `model`?");
}

#[test]
fn a_key_in_the_wrong_table_is_found_where_it_belongs() {
    says(
        &bad("[model]\nsteps = 5", &[]),
        "unknown key `model.steps` in run.toml line 2; did you mean `run.steps`?",
    );
    says(&bad("", &["steps=3"]), "did you mean `run.steps`?");
}

#[test]
fn a_hopeless_key_gets_no_guess() {
    assert_eq!(bad("zzzzqqqq = 1", &[]).to_string(), "unknown key `zzzzqqqq` in run.toml line 1");
}

#[test]
fn a_wrong_type_tells_what_was_expected_and_found() {
    says(
        &bad("[run]\nsteps = \"many\"", &[]),
        "`run.steps` in run.toml line 2 must be an integer from 0 to 4294967295, found the text \"many\"",
    );
    says(&bad("[run]\nsteps = 1e3", &[]), "found the number 1000.0");
    says(
        &bad("[run]\npictures = 1", &[]),
        "`run.pictures` in run.toml line 2 must be true or false, found the integer 1",
    );
    says(&bad("run = 3", &[]), "`run` in run.toml line 1 must be a table, found the integer 3");
    says(&bad("[run]\nrate = [1.0]", &[]), "must be a number, found a list");
    let error = bad("", &["data.train=a.txt"]);
    says(&error, "`data.train` in --set must be a list, each text, found the text \"a.txt\"");
    hints(&error, "[\"a.txt\", \"b.txt\"]");
    says(&bad("", &["data.shares=[1.0, \"x\"]"]), "`data.shares[1]` in --set must be a number");
    says(&bad("", &["data.names.a=x"]), "`data.names.a` in --set must be an integer");
}

#[test]
fn a_whole_number_is_a_number() {
    assert_eq!(good("[run]\nrate = 1", &[]).value.run.rate, 1.0);
}

#[test]
fn an_integer_outside_its_type_is_refused_by_name() {
    says(&bad("[run]\nsteps = -1", &[]), "`run.steps` in run.toml line 2 must be an integer from 0");
    says(&bad("", &["run.seed=-1"]), "`run.seed` in --set must be an integer of at least 0, found -1");
    says(&bad("", &["run.steps=4294967296"]), "found 4294967296");
}

#[test]
fn an_unknown_word_lists_the_words() {
    let error = bad("[run]\nprecision = \"f23\"", &[]);
    says(
        &error,
        "`run.precision` in run.toml line 2 is \"f23\", which is none of `f32` or `f64`; did you mean `f32`?",
    );
    let error = bad("", &["model.mixer.kind=linaer"]);
    says(
        &error,
        "`model.mixer.kind` in --set is \"linaer\", which is none of `softmax`, `linear` or `identity`; did you mean `linear`?",
    );
    says(&bad("", &["model.mixer.kind=3"]), "\"3\"");
}

#[test]
fn a_missing_key_is_named_to_the_leaf() {
    let error = resolve::<Config>(&[("run.toml".into(), String::new())], &[]).unwrap_err();
    says(&error, "`data.train` is missing; it must be a list, each text");
    hints(&error, "Files to read.");
    says(
        &bad("[model.channel]\nexpansion = 2.0", &[]),
        "`model.channel.kind` is missing; it must be one of \"mlp\", \"none\"",
    );
    says(&bad("[model.channel]\nkind = \"mlp\"", &[]), "`model.channel.expansion` is missing");
}

#[test]
fn one_key_of_the_default_kind_needs_no_kind() {
    let resolved = good("", &["model.mixer.heads=8"]);
    assert_eq!(resolved.value.model.mixer, Mixer::Softmax(Softmax { heads: 8, ..Softmax::default() }));
    assert_eq!(resolved.origins["model.mixer.kind"], Origin::Default);
}

#[test]
fn changing_the_kind_keeps_shared_keys_and_drops_the_rest_with_a_note() {
    let text = "[model.mixer]\nkind = \"softmax\"\nheads = 8\ngroups = 2\nscale = 0.5";
    let resolved = good(text, &["model.mixer.kind=linear"]);
    let Mixer::Linear(linear) = &resolved.value.model.mixer else { panic!("not linear") };
    assert_eq!((linear.heads, linear.scale.as_str()), (8, "none"), "heads survive, scale has another type");
    assert_eq!(resolved.notes.len(), 2, "{:?}", resolved.notes);
    assert!(
        resolved.notes[0].contains("`model.mixer.groups` from run.toml line 4 belongs to kind `softmax`")
    );
    assert_eq!(resolved.origins["model.mixer.heads"], Origin::File("run.toml".into()));
}

#[test]
fn changing_the_kind_also_drops_keys_of_an_implied_default_kind() {
    let resolved = good("[model.mixer]\ngroups = 2", &["model.mixer.kind=identity"]);
    assert_eq!(resolved.value.model.mixer, Mixer::Identity);
}

#[test]
fn a_key_set_beside_the_new_kind_is_never_dropped() {
    let text = "[model.mixer]\nkind = \"softmax\"\ngroups = 2";
    for order in [
        ["model.mixer.kind=linear", "model.mixer.groups=2"],
        ["model.mixer.groups=2", "model.mixer.kind=linear"],
    ] {
        let error = bad(text, &order);
        says(&error, "`model.mixer.groups` in --set is not a key of kind `linear`; it belongs to `softmax`");
        hints(&error, "keys of kind `linear`: epsilon, heads, scale");
    }
    let inline = bad(text, &["model.mixer={ kind = \"linear\", groups = 2 }"]);
    says(&inline, "`model.mixer.groups` in --set");
}

#[test]
fn a_misspelt_key_survives_a_change_of_kind_to_be_reported() {
    let error = bad("[model.mixer]\nkind = \"softmax\"\nhaeds = 2", &["model.mixer.kind=linear"]);
    says(&error, "unknown key `model.mixer.haeds` in run.toml line 3; did you mean `model.mixer.heads`?");
}

#[test]
fn keys_of_another_kind_in_one_file_are_errors() {
    says(
        &bad("[model.mixer]\nkind = \"identity\"\nheads = 2", &[]),
        "is not a key of kind `identity`; it belongs to `softmax` or `linear`",
    );
}

#[test]
fn overrides_take_toml_values_and_bare_words() {
    let resolved = good("", &["data.train=['b.txt', \"c d.txt\"]", "run.rate=1e-3", "model.init_from=2024"]);
    assert_eq!(resolved.value.data.train, [PathBuf::from("b.txt"), PathBuf::from("c d.txt")]);
    assert_eq!(resolved.value.run.rate, 1e-3);
    assert_eq!(resolved.value.model.init_from.as_deref(), Some("2024"));
    assert_eq!(good("", &["model.init_from=a=b # c"]).value.model.init_from.as_deref(), Some("a=b # c"));
    assert_eq!(good("", &["data.names.\"odd key\"=2"]).value.data.names["odd key"], 2);
    assert_eq!(good("", &["run.seed=4", "run.seed=5"]).value.run.seed, 5, "the last one wins");
}

#[test]
fn a_broken_override_is_shown_as_typed() {
    says(&bad("", &["run.seed"]), "--set `run.seed`: there is no `=`");
    says(&bad("", &["run.seed="]), "there is no value after `=`");
    says(&bad("", &["=3"]), "the key is not a dotted path");
    says(&bad("", &["run..seed=3"]), "the key is not a dotted path");
    says(&bad("", &["data.train=[\"a\""]), "starts like TOML");
    says(&bad("", &["run.seed=3", "run.seed.x=4"]), "`seed` was already set to a single value");
    // An injected second key must not slip through as TOML.
    says(&bad("", &["run.seed=3\nrun.steps=4"]), "must be an integer");
}

#[test]
fn a_syntax_error_points_at_line_and_column() {
    let error = bad("[run]\nsteps 100", &[]);
    let ConfigError::Syntax { line, column, name, excerpt, .. } = &error else { panic!("{error}") };
    assert_eq!((name.as_str(), *line), ("run.toml", 2));
    let caret = excerpt.lines().last().unwrap();
    assert_eq!(caret.chars().count(), "2 | ".len() + column, "{excerpt}");
    assert!(excerpt.contains("2 | steps 100"));
    says(&bad("[run]\nseed = 1\nseed = 2", &[]), "run.toml line 3");
    says(&bad("[run]\nseed = 99999999999999999999", &[]), "run.toml line 2");
    says(&bad("\u{0}", &[]), "run.toml line 1");
}

#[test]
fn a_byte_order_mark_is_not_an_error() {
    assert_eq!(good("\u{feff}[run]\nseed = 5", &[]).value.run.seed, 5);
}

#[test]
fn hostile_text_never_panics() {
    let pieces =
        ["[", "]", "=", "\"", "'", ".", "run", "seed", "{", "}", "\n", "é", "🦀", "#", "1", ",", "\t", "\r"];
    let mut state = 12345u64;
    for _ in 0..3000 {
        let mut text = String::new();
        for _ in 0..(state % 17) {
            state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            text.push_str(pieces[(state >> 33) as usize % pieces.len()]);
        }
        state = state.wrapping_add(77);
        let _ = resolve::<Config>(&[("x".into(), text.clone())], &[]);
        let _ = resolve::<Config>(&[], &[text]);
    }
}

#[test]
fn every_key_is_documented_with_type_and_default() {
    let keys = keys::<Config>();
    let of = |path: &str, variant: Option<&str>| {
        keys.iter()
            .find(|k| k.path == path && k.variant.as_deref() == variant)
            .unwrap_or_else(|| panic!("{path}"))
    };
    let seed = of("run.seed", None);
    assert_eq!(
        (seed.default.as_deref(), seed.documentation.as_str()),
        (Some("1"), "Root of all random streams.")
    );
    assert_eq!(of("run.rate", None).default.as_deref(), Some("1e-8"));
    assert_eq!(of("run.precision", None).default.as_deref(), Some("\"f32\""));
    assert_eq!(of("model.mixer", None).default.as_deref(), Some("\"softmax\""));
    assert_eq!(of("model.mixer.heads", Some("softmax")).default.as_deref(), Some("4"));
    assert_eq!(of("model.mixer.heads", Some("linear")).default.as_deref(), Some("2"));
    assert_eq!(of("model.mixer.kind", Some("linear")).documentation, "A running sum.");
    assert_eq!(of("data.train", None).default, None);
    assert_eq!(of("model.init_from", None).default, None);
}

#[test]
fn the_schema_is_one_document_that_names_every_table() {
    let schema = schema::<Config>();
    assert!(schema["properties"]["model"].is_object() && schema["$defs"]["Softmax"].is_object());
}
