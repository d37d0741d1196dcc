//! The report as tables for a terminal.

use mixlab_measure::breakeven::{BreakevenReport, Crossing, Measured, MixerReport, Point};

use crate::output::{columns, fold};

/// Width of a column of numbers.
const CELL: usize = 7;
/// Width of a line of prose.
const LINE: usize = 80;

/// Everything that was found.
pub fn text(report: &BreakevenReport) -> String {
    let mut parts = vec![heading(report), cost_model(report), by_formula(report), crossings(report)];
    let measured = report.mixers.iter().flat_map(|mixer| &mixer.points).any(|point| point.measured.is_some());
    if measured {
        parts.push(by_length(report, "time of a token, us", |m| Some(format!("{:.2}", m.microseconds))));
        parts.push(by_length(report, "over softmax attention", |m| Some(format!("{:.3}", m.time_ratio))));
        let kibibytes =
            |m: &Measured, bytes: usize| format!("{:.2}", bytes as f64 / m.tokens as f64 / 1024.0);
        let held = by_length(report, "memory held a token, KiB", |m| Some(kibibytes(m, m.bytes?.held)));
        let peak = by_length(report, "peak of a pass, KiB a token", |m| Some(kibibytes(m, m.bytes?.peak)));
        parts.extend([held, peak]);
    }
    parts.push(left_out(report));
    parts.retain(|part| !part.is_empty());
    parts.join("\n")
}

fn heading(report: &BreakevenReport) -> String {
    let direction = if report.causal { "causal" } else { "both sides seen" };
    let shape = report.shape;
    let mut text = format!(
        "H = {} channels in h = {} heads of d_h = {}, {direction}\n",
        report.width, shape.heads, shape.head_width
    );
    text.push_str(&fold(&format!("compared: {}", report.unit), "", LINE));
    text.push_str(&fold(&format!("counted: {}", report.convention), "", LINE));
    text
}

/// The statements of the cost model.
fn cost_model(report: &BreakevenReport) -> String {
    let row = |statement: &str, condition: &str, both: String, causal: String| {
        vec![statement.to_owned(), format!("{condition:<15}  {both:>7}  {causal:>7}")]
    };
    let mut rows = vec![row("the cost model", "holds for", "both".into(), "causal".into())];
    rows.extend(report.crossovers.iter().map(|crossover| {
        row(crossover.statement, crossover.condition, bound(crossover.both), bound(crossover.causal))
    }));
    columns(&rows)
}

/// The number behind "n >".
fn bound(crossing: Crossing) -> String {
    match crossing {
        Crossing::Above { length } => length.to_string(),
        other => other.to_string(),
    }
}

/// What the cost model says at every length.
fn by_formula(report: &BreakevenReport) -> String {
    let rows = [
        table_row("by formula", report.lengths.iter().map(usize::to_string)),
        table_row(
            "layer over its linear terms",
            report.ceilings.iter().map(|ceiling| format!("{:.3}", ceiling.speed_up)),
        ),
        table_row(
            "quadratic part, %",
            report.ceilings.iter().map(|ceiling| format!("{:.1}", 100.0 * ceiling.share)),
        ),
        table_row(
            "kept a token, scores stored",
            report.kept.iter().map(|kept| format!("{:.0}", kept.classical)),
        ),
        table_row("kept a token, in tiles", report.kept.iter().map(|kept| format!("{:.0}", kept.tiled))),
        table_row("kept a token, linear", report.kept.iter().map(|kept| format!("{:.0}", kept.linear))),
    ];
    let remark = format!(
        "Kept are numbers of one attention layer, for its backward pass. Linear attention keeps fewer than stored \
         scores {}, than tiles {}. Tiles change the memory of softmax attention, not its multiply-adds.",
        place(report.kept_crossings.classical),
        place(report.kept_crossings.tiled)
    );
    columns(&rows) + &fold(&remark, "", LINE)
}

/// A crossing in a sentence.
fn place(crossing: Crossing) -> String {
    match crossing {
        Crossing::Above { length } => format!("above n = {length}"),
        Crossing::Below { length } => format!("below n = {length}"),
        Crossing::AllMeasured => "at all lengths measured".to_owned(),
        Crossing::NoneMeasured => "at no length measured".to_owned(),
        Crossing::Always | Crossing::Never => crossing.to_string(),
    }
}

/// The four views of every mixer that is compared.
fn crossings(report: &BreakevenReport) -> String {
    let mut table = vec![["formula", "counted", "time", "memory"].map(str::to_owned)];
    table.extend(report.mixers.iter().enumerate().map(|(index, mixer)| views(mixer, index == 0)));
    let widest = table.iter().flatten().map(String::len).max().unwrap_or(0) + 2;
    let names = ["cheaper at n"].into_iter().chain(report.mixers.iter().map(|mixer| mixer.mixer));
    let block =
        |mixer: &MixerReport| format!("{}{}", mixer.layers, if mixer.channel_mixer { " + MLP" } else { "" });
    let blocks = ["layers".to_owned()].into_iter().chain(report.mixers.iter().map(block));
    let line = |cells: &[String; 4]| cells.iter().map(|cell| format!("{cell:>widest$}")).collect::<String>();
    let rows = names.zip(blocks).zip(&table);
    columns(&rows.map(|((name, block), cells)| vec![name.to_owned(), block, line(cells)]).collect::<Vec<_>>())
}

fn views(mixer: &MixerReport, reference: bool) -> [String; 4] {
    let only = |word: &str| [word, "", "", ""].map(str::to_owned);
    if mixer.unavailable.is_some() {
        return only("not compared");
    }
    if reference {
        return only("reference");
    }
    [mixer.formula, mixer.counted, mixer.time, mixer.memory]
        .map(|crossing| crossing.map_or_else(|| "-".to_owned(), |crossing| crossing.to_string()))
}

/// One number of every mixer and length; nothing if none is known.
fn by_length(report: &BreakevenReport, title: &str, number: impl Fn(&Measured) -> Option<String>) -> String {
    let cell = |point: &Point| point.measured.as_ref().and_then(&number);
    let known = |mixer: &&MixerReport| mixer.points.iter().any(|point| cell(point).is_some());
    let mut rows: Vec<Vec<String>> = report
        .mixers
        .iter()
        .filter(known)
        .map(|mixer| {
            let cells = mixer.points.iter().map(|point| cell(point).unwrap_or_else(|| "-".to_owned()));
            table_row(mixer.mixer, cells)
        })
        .collect();
    if rows.is_empty() {
        return String::new();
    }
    rows.insert(0, table_row(title, report.lengths.iter().map(usize::to_string)));
    columns(&rows)
}

/// What was not compared or not measured, with the reason.
fn left_out(report: &BreakevenReport) -> String {
    let mut text = String::new();
    for mixer in &report.mixers {
        if let Some(reason) = &mixer.unavailable {
            text.push_str(&fold(&format!("{} is not compared: {reason}", mixer.mixer), "", LINE));
        }
        for point in &mixer.points {
            if let Some(reason) = &point.unavailable {
                let what = format!("{} is not measured at {}: {reason}", mixer.mixer, point.length);
                text.push_str(&fold(&what, "", LINE));
            }
        }
    }
    text
}

/// A row of right-aligned numbers.
fn table_row(title: &str, cells: impl Iterator<Item = String>) -> Vec<String> {
    let cells: Vec<String> = cells.map(|cell| format!(" {cell:>CELL$}")).collect();
    vec![title.to_owned(), cells.concat()]
}

#[cfg(test)]
mod tests {
    use mixlab_measure::breakeven::{BreakevenOptions, measure_breakeven};
    use mixlab_train::Silent;

    use super::*;

    fn report() -> BreakevenReport {
        let options = BreakevenOptions { measure: None, ..BreakevenOptions::default() };
        measure_breakeven(&options, &mut Silent).expect("valid options")
    }

    #[test]
    fn tables_of_the_cost_model_line_up() {
        let text = text(&report());
        for line in [
            "the cost model                              holds for           both   causal",
            "quadratic term above the linear ones        n > 6H              4608     9215",
            "the same with its wider projections         n > 16 d_h + 6H     5632    11263",
            "layer over its linear terms              1.028    1.056    1.111    1.222    1.444    1.889",
            "linear_attention 1 + MLP above 64 above 64 - -",
            "gau 2 never never - -",
            "softmax_attention 1 + MLP reference",
        ] {
            let collapsed = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
            assert!(text.lines().any(|found| collapsed(found) == collapsed(line)), "{line}\n{text}");
        }
        assert!(!text.contains(" us"), "nothing was measured: {text}");
        assert!(text.lines().all(|line| line.chars().count() <= LINE), "{text}");
    }

    #[test]
    fn what_is_left_out_is_told_with_its_reason() {
        let mut report = report();
        report.mixers[1].unavailable = Some("it is not causal".to_owned());
        report.mixers[2].points[5].unavailable = Some("sequence length 4096 exceeds 2048".to_owned());
        let text = text(&report);
        assert!(text.contains("linear_attention is not compared: it is not causal\n"), "{text}");
        assert!(text.contains("gau is not measured at 4096: sequence length 4096 exceeds 2048\n"), "{text}");
    }
}
