//! `mixlab measure nce`, on sizes that take no time.

mod support;

use serde_json::Value;
use support::Desk;

/// The verb on one small case; what is given wins.
fn arguments<'a>(more: &[&'a str]) -> Vec<&'a str> {
    let mut all = vec!["measure", "nce"];
    for (option, value) in [("--batch", "64"), ("--temperature", "0.05"), ("--gap", "0.8"), ("--draws", "3")]
    {
        if !more.iter().any(|given| given.split('=').next() == Some(option)) {
            all.extend([option, value]);
        }
    }
    [&all, more].concat()
}

#[test]
fn tables_a_sentence_and_a_picture() {
    let desk = Desk::new();
    let ended = desk.good(&arguments(&["--gap", "0.6,0.8", "--chart", "nce.svg"]));
    for part in ["f32", "bf16", "f16", "naive, step by step", "lost, kernel", "double precision"] {
        assert!(ended.stdout.contains(part), "no {part:?} in:\n{}", ended.stdout);
    }
    let last = ended.stdout.split("\n\n").last().unwrap_or_default().replace('\n', " ");
    assert!(
        last.starts_with("At worst, naive InfoNCE loses")
            && last.contains("in f16 by exact InfoNCE and FlatNCE."),
        "{last}"
    );
    let picture = desk.read("nce.svg");
    assert!(picture.starts_with("<svg") && picture.contains("FlatNCE"), "{picture}");
    assert!(ended.stderr.contains("wrote nce.svg"), "{}", ended.stderr);
}

#[test]
fn json_holds_every_number_twice_the_same() {
    let desk = Desk::new();
    let line = arguments(&["--json", "--seed", "7"]);
    let text = desk.good(&line).stdout;
    let report: Value = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{text}: {error}"));
    let case = &report["cases"][0];
    assert_eq!(
        (&case["batch"], &case["temperature"], &report["seed"]),
        (&64.into(), &0.05.into(), &7.into())
    );
    for (index, format) in ["f32", "bf16", "f16"].into_iter().enumerate() {
        let found = &case["formats"][index];
        assert_eq!(found["format"], format);
        let lost = |arithmetic: &str, loss: &str| found[arithmetic][loss]["lost"].as_f64().expect("a number");
        for arithmetic in ["stepwise", "kernel"] {
            assert!(lost(arithmetic, "naive") > lost(arithmetic, "exact"), "{found}");
            assert!(lost(arithmetic, "flat_nce") < 1e-3, "{found}");
        }
    }
    assert_eq!(case["formats"][1]["kernel"]["naive"]["positive"], 1.0, "nothing is left of it in bf16");
    assert_eq!(desk.good(&line).stdout, text);
}

#[test]
fn hostile_arguments() {
    let desk = Desk::new();
    let bad = |more: &[&str], words: &[&str]| {
        desk.bad(2, &arguments(more), words);
    };
    bad(&["--temperature", "0"], &["`--temperature` is 0", "0.01 to 100"]);
    bad(&["--temperature", "-0.1"], &["`--temperature` is -0.1"]);
    bad(&["--temperature", "0.1,nan"], &["`--temperature` is NaN"]);
    bad(&["--batch", "64,1"], &["`--batch` is 1", "2 to 65536"]);
    bad(&["--gap", "inf"], &["`--gap` is inf", "-1 to 1"]);
    bad(&["--draws", "0"], &["`--draws` is 0"]);
    bad(&["--chart", "nce.png"], &["nce.png", "ends in `.svg`"]);
}
