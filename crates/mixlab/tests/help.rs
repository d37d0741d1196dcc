//! Help texts, completions, and the other things that need no model.

mod support;

use std::collections::BTreeSet;

use support::Desk;

const VERBS: [&[&str]; 29] = [
    &[],
    &["new"],
    &["train"],
    &["resume"],
    &["eval"],
    &["generate"],
    &["embed"],
    &["search"],
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
    &["tokenizer"],
    &["tokenizer", "train"],
    &["tokenizer", "encode"],
    &["tokenizer", "decode"],
    &["config", "show"],
    &["config", "explain"],
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
        if !matches!(verb, ["tokenizer"] | ["measure"]) {
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
