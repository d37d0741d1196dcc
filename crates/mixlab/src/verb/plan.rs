//! `mixlab plan`: what a config will take, before it is run.

use clap::Args;
use mixlab_measure::plan::{PlanReport, Proposal, Setting, plan};
use mixlab_train::set_threads;

use crate::arguments::ConfigSource;
use crate::budget::MemoryBudget;
use crate::failure::{Exit, Failure};
use crate::input::read_config;
use crate::output::{columns, print_report};
use crate::progress::Display;

/// Foresee what a config will take: parameters, arithmetic, memory, time
///
/// Parameters and multiply-adds are counted. Memory and time are extrapolated
/// from updates of the same model with one block and with four, on made-up
/// data, on this machine: close other programs. With a budget, settings are
/// proposed that fit it and make the same updates: smaller micro-batches, and
/// blocks that are computed again; of contrastive runs smaller chunks.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Example:
  mixlab plan configs/austen.toml --memory 2GiB")]
pub struct Plan {
    #[command(flatten)]
    source: ConfigSource,

    #[command(flatten)]
    memory: MemoryBudget,

    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl Plan {
    pub fn run(self) -> Result<Exit, Failure> {
        let budget = self.memory.bytes()?;
        let config = read_config(&self.source)?;
        set_threads(config.value.run.threads);
        let report = Display::during(|display| plan(&config.value, budget, display))?;
        print_report(&report, self.json, text)?;
        Ok(Exit::Done)
    }
}

fn text(report: &PlanReport) -> String {
    let PlanReport { parameters, multiply_adds, memory, .. } = report;
    let count = |name: &str, value: u64| vec![format!("  {name}"), format!("{value:>16}")];
    let mib = |name: &str, value: f64| vec![format!("  {name}"), format!("{value:>12.1} MiB")];
    let mut text = format!(
        "parameters\n{}\nmultiply-adds of a forward pass of one update\n{}",
        columns(&[
            count("embedding", parameters.embedding as u64),
            count("token mixers", parameters.mixers as u64),
            count("channel mixers", parameters.channels as u64),
            count("norms", parameters.norms as u64),
            count("head", parameters.head as u64),
            count("together", parameters.total() as u64),
        ]),
        columns(&[
            count("embedding", multiply_adds.embedding),
            count("projections", multiply_adds.projections),
            count("mixing", multiply_adds.mixing),
            count("channel mixers", multiply_adds.channels),
            count("head", multiply_adds.head),
            count("together", multiply_adds.forward()),
            count("scores of pairs, if all were stored", multiply_adds.scores),
        ]),
    );
    let held = [
        ("program and data", memory.program),
        ("parameters", memory.parameters),
        ("gradients", memory.gradients),
        ("optimiser", memory.optimizer),
        ("activations", memory.activations),
        ("peak of the process", memory.peak),
    ];
    let held: Vec<_> = held.iter().map(|&(name, value)| mib(name, value)).collect();
    text.push_str(&format!(
        "\nmemory\n{}\ntime\n  {:.1} ms an update, {:.0} positions/s, {:.1} GFLOP an update\n",
        columns(&held),
        report.milliseconds,
        report.positions_per_second,
        report.gigaoperations
    ));
    if let Some(proposals) = &report.proposals {
        text.push_str("\nsettings that fit, the fastest first\n");
        proposals.iter().for_each(|proposal| text.push_str(&proposed(proposal)));
    }
    text
}

fn proposed(Proposal { setting, peak_mib, milliseconds }: &Proposal) -> String {
    let settings: Vec<String> = settings(setting).iter().map(|setting| format!("--set {setting}")).collect();
    format!("  {}\n    {peak_mib:.0} MiB, {milliseconds:.0} ms an update\n", settings.join(" "))
}

/// What `--set` takes to make updates in this way.
pub fn settings(&Setting { batch, accumulation, segment, chunk }: &Setting) -> Vec<String> {
    // The loss of a contrastive batch depends on what is in it, so that chunks are all there is to choose.
    if let Some(chunk) = chunk {
        return vec![format!("objective.chunk={chunk}")];
    }
    let recompute = match segment {
        None => "none".to_owned(),
        Some(1) => "block".to_owned(),
        Some(blocks) => blocks.to_string(),
    };
    vec![
        format!("train.batch={batch}"),
        format!("train.accumulation={accumulation}"),
        format!("model.recompute={recompute}"),
    ]
}
