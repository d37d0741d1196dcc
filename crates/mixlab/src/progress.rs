//! What a run under way shows: a bar on a terminal, plain lines elsewhere. All of it on standard error.

use std::io::IsTerminal;
use std::path::Path;
use std::time::Instant;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use mixlab_train::{InitReport, MetricsLine, Observer, Progress, Split, Start};

/// How many parameters of a partial start are named before the rest is only counted.
const NAMED: usize = 5;

/// Shows a run, and keeps the last text it generated.
pub struct Display {
    bar: Option<ProgressBar>,
    start: Option<(Start, Instant)>,
    /// Tokens since `start`, for the mean speed of this sitting.
    tokens: u64,
    /// Every evaluation of this sitting.
    evaluations: Vec<MetricsLine>,
    /// The last generated text.
    pub sample: Option<String>,
}

impl Display {
    pub fn new() -> Self {
        Display {
            bar: std::io::stderr().is_terminal().then(ProgressBar::hidden),
            start: None,
            tokens: 0,
            evaluations: Vec::new(),
            sample: None,
        }
    }

    /// Shows how some work goes on for as long as it does.
    pub fn during<T>(work: impl FnOnce(&mut Display) -> T) -> T {
        let mut display = Display::new();
        let done = work(&mut display);
        display.finish();
        done
    }

    /// Says something above the bar, or as a line.
    fn say(&self, text: &str) {
        match &self.bar {
            Some(bar) if !bar.is_hidden() => bar.println(text),
            _ => crate::output::tell(text),
        }
    }

    /// Tokens per second since this sitting began, and the seconds it will still take.
    fn speed(&self, step: u64) -> Option<(f64, f64)> {
        let (start, begun) = self.start.as_ref()?;
        let seconds = begun.elapsed().as_secs_f64();
        let done = step.saturating_sub(start.from);
        let left = start.steps.saturating_sub(step) as f64 * seconds / done.max(1) as f64;
        (done > 0 && seconds > 0.0).then(|| (self.tokens as f64 / seconds, left))
    }

    /// Bits per byte of the held-out text at a step, if this sitting measured it.
    pub fn bits_per_byte(&self, step: u64) -> Option<f64> {
        self.evaluation(step)?.bits_per_byte
    }

    /// Share of the held-out examples told right at a step, if this sitting measured it.
    pub fn accuracy(&self, step: u64) -> Option<f64> {
        self.evaluation(step)?.accuracy
    }

    /// Energy distance of made samples at a step, if this sitting measured it.
    pub fn energy_distance(&self, step: u64) -> Option<f64> {
        self.evaluation(step)?.energy_distance
    }

    fn evaluation(&self, step: u64) -> Option<&MetricsLine> {
        self.evaluations.iter().rev().find(|line| line.step == step)
    }

    /// Shows how far work has come that is no run, on a terminal only.
    pub fn advance(&mut self, done: usize, of: usize, what: &str) {
        let Some(bar) = &self.bar else { return };
        if bar.length() != Some(of as u64) {
            bar.set_length(of as u64);
            bar.set_style(style());
            bar.set_draw_target(ProgressDrawTarget::stderr());
        }
        bar.set_message(what.to_owned());
        bar.set_position(done as u64);
    }

    /// Takes the bar away.
    pub fn finish(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

impl Observer for Display {
    fn phase(&mut self, what: &str) {
        self.say(what);
    }

    fn initialised(&mut self, report: &InitReport) {
        self.say(&describe_init(report));
    }

    fn started(&mut self, start: &Start) {
        let parameters = count(start.parameters as f64);
        self.say(&format!(
            "training {parameters} parameters for {} steps of {} tokens",
            start.steps, start.tokens_per_step
        ));
        if start.from > 0 {
            self.say(&format!("going on after step {}", start.from));
        }
        if let Some(bar) = &self.bar {
            bar.set_length(start.steps);
            bar.set_position(start.from);
            bar.set_style(style());
            bar.set_draw_target(ProgressDrawTarget::stderr());
            bar.reset_eta();
        }
        self.start = Some((*start, Instant::now()));
    }

    fn updated(&mut self, progress: &Progress) {
        self.tokens += progress.tokens;
        let Some(bar) = &self.bar else { return };
        if let Some((speed, left)) = self.speed(progress.step) {
            bar.set_message(format!(
                "loss {:.4}  {} tok/s  ETA {}",
                progress.loss,
                count(speed),
                duration(left)
            ));
        }
        bar.set_position(progress.step);
    }

    fn measured(&mut self, line: &MetricsLine) {
        if line.split == Split::Eval {
            self.evaluations.push(line.clone());
        }
        let text = match line.split {
            Split::Eval => describe_evaluation(line),
            // The bar shows the training loss already.
            Split::Train if self.bar.is_some() && line.skipped.is_none() => return,
            Split::Train => describe_training(line, &self.start, self.speed(line.step)),
        };
        self.say(&text);
    }

    fn sampled(&mut self, _step: u64, text: &str) {
        self.sample = Some(text.to_owned());
    }

    fn saved(&mut self, step: u64, folder: &Path) {
        // Checkpoints are many and expected: on a terminal the bar speaks for them.
        if self.bar.is_none() {
            self.say(&format!("step {step}: saved {}", folder.display()));
        }
    }

    fn notice(&mut self, message: &str) {
        self.say(&format!("note: {message}"));
    }
}

/// Without colours the bar needs no regard for NO_COLOR.
fn style() -> ProgressStyle {
    ProgressStyle::with_template("{wide_bar} {pos}/{len}  {msg}")
        .unwrap_or_else(|_| ProgressStyle::default_bar())
        .progress_chars("=> ")
}

fn describe_evaluation(line: &MetricsLine) -> String {
    // Generators have no likelihood: their loss is a distance of samples.
    if let Some(distance) = line.energy_distance {
        return describe_samples(line, distance);
    }
    let unit = if line.accuracy.is_some() { "example" } else { "token" };
    let loss = line.loss.map_or_else(|| "no loss".into(), |loss| format!("loss {loss:.4} nats/{unit}"));
    let bits = line.bits_per_byte.map_or_else(String::new, |bits| format!(", {bits:.4} bits/byte"));
    let accuracy =
        line.accuracy.map_or_else(String::new, |share| format!(", accuracy {:.2} %", 100.0 * share));
    format!("step {}: held-out {loss}{bits}{accuracy}", line.step)
}

fn describe_samples(line: &MetricsLine, distance: f64) -> String {
    let modes = line.modes.map_or_else(String::new, |modes| {
        let [coverage, quality] = [modes.coverage, modes.high_quality].map(|share| 100.0 * share);
        format!(", {coverage:.0} % of the modes, {quality:.1} % of high quality")
    });
    format!("step {}: energy distance {distance:.5}{modes}", line.step)
}

fn describe_training(
    line: &MetricsLine,
    start: &Option<(Start, Instant)>,
    speed: Option<(f64, f64)>,
) -> String {
    let steps = start.as_ref().map_or_else(String::new, |(start, _)| format!("/{}", start.steps));
    let mut text = format!("step {}{steps}:", line.step);
    if let Some(loss) = line.loss {
        text.push_str(&format!(" loss {loss:.4}"));
    }
    if let Some(reason) = &line.skipped {
        text.push_str(&format!(" update skipped ({reason})"));
    }
    if let Some((speed, left)) = speed {
        text.push_str(&format!("  {} tok/s  ETA {}", count(speed), duration(left)));
    }
    text
}

fn describe_init(report: &InitReport) -> String {
    let mut text = format!("started from {} parameters of the other model", report.taken.len());
    let mut part = |names: Vec<String>, what: &str| {
        if !names.is_empty() {
            let shown: Vec<&str> = names.iter().take(NAMED).map(String::as_str).collect();
            let rest = names.len().saturating_sub(NAMED);
            let more = if rest > 0 { format!(" and {rest} more") } else { String::new() };
            text.push_str(&format!("\n  {what}: {}{more}", shown.join(", ")));
        }
    };
    part(report.missing.clone(), "not in the other model, drawn anew");
    let reshaped =
        report.reshaped.iter().map(|(path, own, other)| format!("{path} {own:?} (there {other:?})"));
    part(reshaped.collect(), "of another shape, drawn anew");
    part(report.unused.clone(), "only in the other model, left out");
    text
}

/// A count with three significant digits and a letter for its size.
pub fn count(number: f64) -> String {
    let (scaled, letter) = match number {
        n if n >= 1e9 => (n / 1e9, "G"),
        n if n >= 1e6 => (n / 1e6, "M"),
        n if n >= 1e4 => (n / 1e3, "k"),
        n => return format!("{n:.0}"),
    };
    let digits = if scaled >= 100.0 { 0 } else { 1 };
    format!("{scaled:.digits$}{letter}")
}

/// Hours, minutes and seconds.
pub fn duration(seconds: f64) -> String {
    let seconds = seconds.round() as u64;
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    if hours > 0 { format!("{hours}:{minutes:02}:{seconds:02}") } else { format!("{minutes}:{seconds:02}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short() {
        assert_eq!(
            [999.0, 12_345.0, 123_456.0, 1.25e6, 3e9].map(count),
            ["999", "12.3k", "123k", "1.2M", "3.0G"]
        );
        assert_eq!([5.4, 65.0, 3661.0].map(duration), ["0:05", "1:05", "1:01:01"]);
    }

    #[test]
    fn a_partial_start_names_what_was_not_taken() {
        let report = InitReport {
            taken: vec!["a".into()],
            missing: (0..7).map(|i| format!("m{i}")).collect(),
            reshaped: vec![("head".into(), vec![2, 3], vec![2, 4])],
            unused: vec![],
        };
        let text = describe_init(&report);
        assert!(text.contains("m4 and 2 more") && text.contains("head [2, 3] (there [2, 4])"), "{text}");
    }
}
