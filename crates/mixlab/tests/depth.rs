//! `mixlab measure depth`, on sizes that take no time.

mod support;

use serde_json::Value;
use support::Desk;

/// A desk with a small model.
fn desk() -> Desk {
    let desk = Desk::new();
    let config = "[data]\ntrain = [\"text.txt\"]\n[model]\nwidth = 16\n[model.mixer]\nkind = \"softmax_attention\"\nheads = 2\n";
    desk.write("model.toml", config);
    desk
}

/// The verb on two depths; what is given wins.
fn arguments<'a>(more: &[&'a str]) -> Vec<&'a str> {
    let mut all = vec!["measure", "depth", "model.toml"];
    for (option, value) in [("--depths", "2,4"), ("--seeds", "1"), ("--steps", "2")] {
        if !more.contains(&option) {
            all.extend([option, value]);
        }
    }
    [&all, more].concat()
}

#[test]
fn tables_a_sentence_and_a_picture() {
    let desk = desk();
    let ended = desk.good(&arguments(&["--chart", "depth.svg"]));
    for part in
        ["Adam, learning rate 0.001, norms frozen", "LAMB", "growth", "after 2", "signal, first", "Under SGD"]
    {
        assert!(ended.stdout.contains(part), "no {part:?} in:\n{}", ended.stdout);
    }
    let picture = desk.read("depth.svg");
    for scheme in ["deep_norm", "scaled_post_norm:adam", "re_zero", "t_fixup", "admin", "sandwich_norm"] {
        assert!(ended.stdout.contains(scheme) && picture.contains(scheme), "{scheme}");
    }
    assert!(ended.stderr.contains("wrote depth.svg"), "{}", ended.stderr);
}

#[test]
fn json_holds_every_number_twice_the_same() {
    let desk = desk();
    let line =
        arguments(&["--schemes", "deep_norm,post_norm", "--optimizers", "adam", "--rates", "30", "--json"]);
    let text = desk.good(&line).stdout;
    let report: Value = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{text}: {error}"));
    assert_eq!(report["depths"], serde_json::json!([2, 4]));
    let scheme = &report["schemes"][0];
    assert_eq!(scheme["profiles"][1]["signal"].as_array().map(Vec::len), Some(4));
    // 8 sublayers: 8^¼ and 32^−¼.
    let constant = |name: &str| scheme["profiles"][1]["constants"][name].as_f64().unwrap_or(0.0);
    assert!((constant("alpha") - 1.681_793).abs() < 1e-6 && (constant("beta") - 0.420_448).abs() < 1e-6);
    assert_eq!(scheme["updates"].as_array().map(Vec::len), Some(2), "norms frozen and trained");
    assert!(scheme["updates"][1]["points"][0]["survives"].as_f64().unwrap_or(0.0) > 0.0);
    assert_eq!(desk.good(&line).stdout, text);
}

#[test]
fn hostile_arguments() {
    let desk = desk();
    let bad = |more: &[&str], words: &[&str]| {
        desk.bad(2, &arguments(more), words);
    };
    bad(&["--depths", "0,4"], &["`--depths` is 0"]);
    bad(&["--depths", "10001"], &["`--depths` is 10001"]);
    bad(
        &["--schemes", "deepnorm"],
        &["no residual scheme `deepnorm`", "did you mean `deep_norm`?", "re_zero"],
    );
    bad(&["--seeds", "0"], &["`--seeds` is 0"]);
    bad(&["--rates", "0"], &["`--rates` is 0"]);
    bad(&["--chart", "depth.png"], &["depth.png", "ends in `.svg`"]);
    bad(&["--chart", "absent/depth.svg"], &["cannot write `absent/depth.svg`", "nothing was measured"]);
    bad(&["--set", "model.width=15"], &["does not divide"]);
    bad(&["--set", "model.depth=0"], &["`model.depth` is 0"]);
    bad(&["--set", "model.mixer={kind=\"fnet\"}"], &["fnet"]);
}
