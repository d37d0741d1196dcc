//! Tables and pictures.

use std::fs;

use mixlab_measure::study::{Study, SweepOptions, sweep};

use crate::fake::{Fake, sweep_file};

/// Width 2: 0.5 + seed/8 → 0.625, 0.75, (seed 4 failed); width 4: 0.25 + seed/8 → 0.375, 0.5, 0.75.
fn study(folder: &std::path::Path) -> Study {
    let file = sweep_file(folder, &[1, 2, 4]);
    let mut fake = Fake { broken: vec!["width=2,seed=4".to_owned()], ..Fake::default() };
    sweep(&file, &mut fake, SweepOptions::default(), &mut |_| {}).unwrap().study
}

#[test]
fn the_terminal_table() {
    let out = tempfile::tempdir().unwrap();
    let expected = "\
Widths

width  n  failed                   eval_loss ↓                 peak_memory_mib ↓
2      2       1  0.688 ± 0.088 [0.625, 0.750]    101.50 ± 0.71 [101.00, 102.00] *
4      3       0  0.542 ± 0.191 [0.375, 0.750] *  102.33 ± 1.53 [101.00, 104.00]

mean ± sample standard deviation [min, max] over n runs, * best mean
failed: width=2,seed=4: the loss is NaN at step 3
";
    assert_eq!(study(out.path()).table().text(), expected);
}

#[test]
fn the_markdown_table() {
    let out = tempfile::tempdir().unwrap();
    let expected = "\
**Widths**

| width | n | failed | eval_loss (lower is better) | peak_memory_mib (lower is better) |
| --- | --: | --: | --: | --: |
| 2 | 2 | 1 | 0.688 ± 0.088 [0.625, 0.750] | **101.50 ± 0.71** [101.00, 102.00] |
| 4 | 3 | 0 | **0.542 ± 0.191** [0.375, 0.750] | 102.33 ± 1.53 [101.00, 104.00] |

Mean ± sample standard deviation [min, max] over n runs; the best mean is bold.

* failed: width=2,seed=4: the loss is NaN at step 3
";
    assert_eq!(study(out.path()).table().markdown(), expected);
}

#[test]
fn csv_holds_numbers_in_full() {
    let out = tempfile::tempdir().unwrap();
    let table = study(out.path()).table();
    let csv = table.csv();
    let lines: Vec<&str> = csv.lines().collect();
    assert!(lines[0].starts_with("width,finished,failed,pending,eval_loss_n,eval_loss_mean,eval_loss_sd,"));
    assert!(lines[1].starts_with("2,2,1,0,2,0.6875,0.08838834764831845,0.625,0.75,2,101.5,"));
    let runs = table.runs_csv();
    assert_eq!(runs.lines().count(), 7);
    assert!(runs.contains("2,1,\"width=2,seed=1\",finished,0.625,101,\n"));
    assert!(runs.contains("2,4,\"width=2,seed=4\",failed,,,the loss is NaN at step 3\n"));
}

#[test]
fn every_file_is_written_and_json_parses() {
    let out = tempfile::tempdir().unwrap();
    study(out.path());
    for name in ["table.txt", "table.md", "table.csv", "runs.csv", "curves.svg", "points.svg", "sweep.toml"] {
        assert!(fs::metadata(out.path().join(name)).unwrap().len() > 100, "{name}");
    }
    let json: serde_json::Value =
        serde_json::from_slice(&fs::read(out.path().join("table.json")).unwrap()).unwrap();
    assert_eq!(json["rows"][1]["columns"][0]["summary"]["min"], 0.375);
}

#[test]
fn pictures_are_well_formed_and_always_the_same() {
    let out = tempfile::tempdir().unwrap();
    let study = study(out.path());
    for draw in [Study::curves_svg, Study::points_svg] {
        let svg = draw(&study).unwrap().unwrap();
        assert!(svg.starts_with("<svg") && svg.trim_end().ends_with("</svg>"));
        assert!(!svg.contains("NaN") && !svg.contains("inf"));
        assert_eq!(Some(svg), draw(&study).unwrap());
    }
}

#[test]
fn there_is_no_picture_of_nothing() {
    let out = tempfile::tempdir().unwrap();
    let mut fake = Fake { patience: Some(0), ..Fake::default() };
    let file = sweep_file(out.path(), &[1]);
    let outcome = sweep(&file, &mut fake, SweepOptions::default(), &mut |_| {}).unwrap();
    assert_eq!(outcome.study.curves_svg().unwrap(), None);
    assert_eq!(outcome.study.points_svg().unwrap(), None);
    assert!(outcome.study.table().text().contains("pending"));
}
