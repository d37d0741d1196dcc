//! `mixlab measure breakeven`, on sizes that take no time.

mod support;

use serde_json::Value;
use support::{Desk, mixers};

/// The verb on two lengths of a tiny width; what is given wins.
fn arguments<'a>(more: &[&'a str]) -> Vec<&'a str> {
    let mut all = vec!["measure", "breakeven"];
    for (option, value) in [("--width", "16"), ("--heads", "2"), ("--lengths", "8,16")] {
        if !more.iter().any(|given| given.split('=').next() == Some(option)) {
            all.extend([option, value]);
        }
    }
    [&all, more].concat()
}

fn json(desk: &Desk, more: &[&str]) -> Value {
    let text = desk.good(&arguments(&[more, &["--json"]].concat())).stdout;
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{text}: {error}"))
}

#[test]
fn a_table_and_a_picture_of_every_mixer() {
    let desk = Desk::new();
    desk.write("time.svg", "an older picture");
    let ended = desk.good(&arguments(&["--rounds", "1", "--chart", "time.svg"]));
    for part in ["n > 2H", "cheaper at n", "time of a token, us", "memory held a token, KiB"] {
        assert!(ended.stdout.contains(part), "no {part:?} in:\n{}", ended.stdout);
    }
    let picture = desk.read("time.svg");
    assert!(picture.starts_with("<svg") && picture.trim_end().ends_with("</svg>"), "{picture}");
    for mixer in mixers(&desk) {
        assert!(ended.stdout.lines().any(|line| line.starts_with(&mixer)), "{mixer}:\n{}", ended.stdout);
        assert!(picture.contains(&mixer), "{mixer} is not in the picture");
    }
    assert!(ended.stderr.contains("wrote time.svg"), "{}", ended.stderr);
    assert!(!desk.exists("time.svg.partial"));
}

#[test]
fn json_holds_every_number() {
    let desk = Desk::new();
    let report = json(&desk, &["--rounds", "2", "--causal", "--mixers", "linear_attention"]);
    assert_eq!(
        (&report["width"], &report["heads"], &report["head_width"]),
        (&16.into(), &2.into(), &8.into())
    );
    assert_eq!(report["causal"], true);
    // 2H and 6H of the formulas, 4H − 1 and 12H − 1 with half the scores.
    for (index, both, causal) in [(0, 32, 63), (1, 96, 191), (2, 8, 15)] {
        let crossover = &report["crossovers"][index];
        assert_eq!(crossover["both"]["length"], both, "{crossover}");
        assert_eq!(crossover["causal"]["length"], causal, "{crossover}");
    }
    let [softmax, linear] = [0, 1].map(|index| &report["mixers"][index]);
    assert_eq!(
        (&softmax["mixer"], &linear["mixer"]),
        (&"softmax_attention".into(), &"linear_attention".into())
    );
    assert_eq!(softmax["counted"], Value::Null);
    assert_eq!(linear["counted"]["length"], 16);
    for point in softmax["points"].as_array().unwrap().iter().chain(linear["points"].as_array().unwrap()) {
        let measured = &point["measured"];
        assert_eq!(measured["tokens"], 16);
        assert!(measured["microseconds"].as_f64().unwrap() > 0.0, "{point}");
        let [held, peak] = ["held", "peak"].map(|name| measured["bytes"][name].as_u64().expect("a count"));
        assert!(0 < held && held < peak, "{point}");
    }
    assert!(
        ["above", "below", "all_measured", "none_measured"]
            .iter()
            .any(|kind| linear["time"]["cheaper"] == *kind)
    );
}

/// What the forward pass leaves behind is counted exactly: it is the same in every run, and attention in tiles keeps
/// as much a token at any length.
#[test]
fn memory_is_counted_exactly() {
    let desk = Desk::new();
    let held = || {
        let lengths = ["--lengths", "64,256", "--rounds", "1", "--mixers", "linear_attention"];
        let report = json(&desk, &lengths);
        let of = |mixer: usize, point: usize| {
            report["mixers"][mixer]["points"][point]["measured"]["bytes"]["held"].as_u64().expect("a count")
        };
        [of(0, 0), of(0, 1), of(1, 0), of(1, 1)]
    };
    let [short, long, linear_short, linear_long] = held();
    assert_eq!(held(), [short, long, linear_short, linear_long]);
    // Four rows of 64 tokens beside one of 256. Scores would be 2 heads · 256² · 4 bytes, 512 KiB, and half that when
    // kept once; what differs are shapes and other small blocks of the graph.
    let tokens = 256;
    assert!(short.abs_diff(long) < 16 * tokens, "{short} and {long}");
    assert!(linear_short.abs_diff(linear_long) < 64 * tokens, "{linear_short} and {linear_long}");
    // Input and output of both sublayers, queries, keys, values, the MLP's two inner rows of 64: 16 · 4 bytes and more.
    assert!(short > 10 * 16 * 4 * tokens, "{short}");
}

#[test]
fn nothing_is_measured_without_time() {
    let desk = Desk::new();
    let report = json(&desk, &["--no-time", "--width", "12288", "--heads", "96"]);
    assert_eq!(report["crossovers"][1]["both"]["length"], 73_728);
    for mixer in report["mixers"].as_array().unwrap() {
        assert_eq!(mixer["time"], Value::Null);
        assert!(mixer["points"].as_array().unwrap().iter().all(|point| point.get("measured").is_none()));
    }
    let text = desk.good(&arguments(&["--no-time"])).stdout;
    assert!(text.contains("n > 16 d_h + 6H") && !text.contains("time of a token"), "{text}");
}

#[test]
fn hostile_arguments() {
    let desk = Desk::new();
    let bad = |more: &[&str], words: &[&str]| {
        desk.bad(2, &arguments(more), words);
    };
    bad(&["--heads", "3"], &["`--heads` = 3 does not divide `--width` = 16", "1, 2, 4, 8, 16"]);
    bad(&["--heads", "0"], &["`--heads` = 0"]);
    bad(&["--heads", "16"], &["softmax attention cannot be built", "even"]);
    bad(&["--lengths", "0,8"], &["`--lengths` is 0"]);
    bad(&["--lengths", "8,1048577"], &["`--lengths` is 1048577", "1048576"]);
    bad(&["--rounds", "0"], &["`--rounds` is 0"]);
    bad(&["--batch-tokens", "15"], &["`--batch-tokens` is 15", "16, the longest length"]);
    bad(&["--width", "65536", "--heads", "512"], &["`--width` is 65536", "--no-time"]);
    bad(&["--mixers", "linear_attention,gua"], &["no mixer `gua`", "did you mean `gau`?", "flash"]);
    bad(&["--mixers", "nothing like it"], &["no mixer `nothing like it`"]);
    bad(&["--chart", "absent/time.svg"], &["cannot write `absent/time.svg`", "nothing was measured"]);
    bad(&["--chart", "text.txt/time.svg"], &["cannot write `text.txt/time.svg`"]);
    bad(&["--chart", "time.png"], &["time.png", "ends in `.svg`"]);
    std::fs::create_dir(desk.path("folder.svg")).unwrap();
    bad(&["--chart", "folder.svg"], &["cannot write `folder.svg`"]);
    assert!(!desk.exists("absent") && !desk.exists("time.png"));
}

#[test]
fn what_is_no_number_is_a_usage_error() {
    let desk = Desk::new();
    for more in [
        &["--lengths", ""][..],
        &["--lengths", "8,,16"],
        &["--lengths", "8,x"],
        &["--lengths", "99999999999999999999"],
        &["--width=-3"],
        &["--rounds", "1.5"],
        &["--no-time", "--chart", "time.svg"],
        &["--device", "gpu"],
    ] {
        let ended = desk.run(&arguments(more));
        assert_eq!((ended.code, ended.stdout.as_str()), (Some(2), ""), "{more:?}\n{}", ended.stderr);
        assert!(!ended.stderr.contains("panicked"), "{}", ended.stderr);
    }
    assert!(!desk.exists("time.svg"));
}

/// Other mistakes are found before a picture of an earlier run is touched.
#[test]
fn a_picture_of_an_earlier_run_is_kept() {
    let desk = Desk::new();
    desk.write("time.svg", "an older picture");
    desk.bad(2, &arguments(&["--heads", "3", "--chart", "time.svg"]), &["--heads"]);
    assert_eq!(desk.read("time.svg"), "an older picture");
    assert!(!desk.exists("time.svg.partial"));
}
