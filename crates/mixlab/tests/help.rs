//! Help texts, completions, and the other things that need no model.

mod support;

use std::collections::BTreeSet;

use support::Desk;

const VERBS: [&[&str]; 46] = [
    &[],
    &["new"],
    &["train"],
    &["resume"],
    &["eval"],
    &["generate"],
    &["embed"],
    &["search"],
    &["vae"],
    &["vae", "sample"],
    &["vae", "encode"],
    &["vae", "decode"],
    &["vae", "reconstruct"],
    &["vae", "interpolate"],
    &["vae", "swap"],
    &["vae", "neighbours"],
    &["vae", "factors"],
    &["vae", "map"],
    &["gan"],
    &["gan", "sample"],
    &["import"],
    &["export"],
    &["plan"],
    &["measure"],
    &["measure", "step"],
    &["measure", "decode"],
    &["measure", "breakeven"],
    &["measure", "depth"],
    &["measure", "nce"],
    &["measure", "chunks"],
    &["measure", "sentences"],
    &["measure", "lipschitz"],
    &["measure", "turns"],
    &["tokenizer"],
    &["tokenizer", "train"],
    &["tokenizer", "encode"],
    &["tokenizer", "decode"],
    &["config", "show"],
    &["config", "explain"],
    &["data"],
    &["data", "grammar"],
    &["blocks", "list"],
    &["audit"],
    &["sweep"],
    &["compare"],
    &["completions"],
];

#[test]
fn long_help_of_every_verb() {
    let desk = Desk::new();
    for verb in VERBS {
        let help = desk.good(&[verb, &["--help"]].concat()).stdout;
        for line in help.lines() {
            assert!(line.chars().count() <= 80, "{verb:?}: {line:?}");
        }
        // Groups of verbs show their examples one level down.
        if !matches!(verb, ["tokenizer"] | ["measure"] | ["data"] | ["vae"] | ["gan"]) {
            assert!(help.contains("Example"), "{verb:?} has no example");
        }
        let name = if verb.is_empty() { "mixlab".to_owned() } else { verb.join("-") };
        insta::assert_snapshot!(format!("help-{name}"), help);
    }
}

#[test]
fn short_help_fits_and_no_arguments_show_it() {
    let desk = Desk::new();
    for verb in VERBS {
        let help = desk.good(&[verb, &["-h"]].concat()).stdout;
        assert!(help.lines().all(|line| line.chars().count() <= 80), "{help}");
    }
    assert_eq!(desk.run(&[]).code, Some(2));
}

#[test]
fn completions_hold_every_verb_and_flag_of_the_help() {
    let desk = Desk::new();
    let mut words = BTreeSet::new();
    for verb in VERBS {
        let help = desk.good(&[verb, &["--help"]].concat()).stdout;
        let options = help.lines().map(str::trim).filter(|line| line.starts_with('-'));
        for option in options.flat_map(|line| line.split([' ', ',', '='])) {
            words.extend(option.strip_prefix("--").map(str::to_owned));
        }
        words.extend(verb.iter().map(|&word| word.to_owned()));
    }
    assert!(words.len() > 30, "{words:?}");
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let script = desk.good(&["completions", shell]).stdout;
        for word in &words {
            assert!(script.contains(word.as_str()), "{shell} does not complete {word}");
        }
    }
}

#[test]
fn a_reader_that_leaves_early_is_no_failure() {
    use std::process::Stdio;
    let desk = Desk::new();
    for _ in 0..5 {
        let mut child = desk
            .command(&["config", "schema"])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        drop(child.stdout.take());
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(0));
        assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    }
}

#[test]
fn a_wrong_command_line_is_a_usage_error() {
    let desk = Desk::new();
    for arguments in
        [&["trian"][..], &["train"], &["train", "a.toml", "--otu", "x"], &["completions", "tcsh"]]
    {
        assert_eq!(desk.run(arguments).code, Some(2), "{arguments:?}");
    }
    assert!(desk.run(&["trian"]).stderr.contains("'train'"), "the nearest verb is named");
}

#[test]
fn the_version_is_the_package_version() {
    assert_eq!(Desk::new().good(&["--version"]).stdout.trim(), concat!("mixlab ", env!("CARGO_PKG_VERSION")));
}

/// Parts of one order share no sentence, and more than all is refused.
#[test]
fn grammar_sentences_come_with_their_factors() {
    let desk = Desk::new();
    let lines = |skip: &str| -> Vec<serde_json::Value> {
        let ended = desk.good(&["data", "grammar", "--count", "40", "--skip", skip, "--seed", "5"]);
        ended.stdout.lines().map(|line| serde_json::from_str(line).expect("JSON lines")).collect()
    };
    let (first, next) = (lines("0"), lines("40"));
    assert_eq!((first.len(), &first), (40, &lines("0")));
    let texts = |lines: &[serde_json::Value]| -> BTreeSet<String> {
        lines.iter().map(|line| line["text"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(texts(&first).union(&texts(&next)).count(), 80);
    for key in ["form", "person", "action", "object", "location"] {
        assert!(!first[0][key].is_null(), "{key}");
    }
    let chinese = desk.good(&["data", "grammar", "--language", "chinese", "--count", "1"]).stdout;
    assert!(chinese.contains('\u{5c0f}'), "{chinese}");
    desk.bad(2, &["data", "grammar", "--skip", "524280", "--count", "9"], &["--count", "524288"]);
}
