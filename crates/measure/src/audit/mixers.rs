//! The audit of every mixer of the catalogue in a small model.

use mixlab_core::{DeviceChoice, Precision};
use mixlab_nn::mixer::{Lengths, MixerConfig};
use mixlab_nn::{ModelConfig, ModelError};
use serde::Serialize;

use super::run::audit;
use super::{AuditReport, Progress, Reads, Subject};

/// Longest length of the models, unless a longer one is asked for.
const MAX_LENGTH: usize = 130;

/// Positions of a chunk of FLASH here: with its default of 256 the audited lengths would lie in the first one.
const CHUNK: usize = 16;

/// What came out for one mixer in one direction.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct MixerAudit {
    /// The word in a config file.
    pub mixer: &'static str,
    /// The model's blocks.
    #[serde(flatten)]
    pub report: AuditReport,
}

/// Audits a model of two blocks of every mixer, with its defaults, in every direction that it can be used in. A mixer
/// that takes a single length is built for each of `lengths`.
///
/// # Errors
/// A model of the catalogue that cannot be built.
pub fn audit_mixers(
    lengths: &[usize],
    progress: &mut dyn FnMut(Progress<'_>),
) -> Result<Vec<MixerAudit>, ModelError> {
    let catalogue = MixerConfig::catalogue();
    let directions = |mixer: &MixerConfig| {
        [true, false].into_iter().filter(|&causal| mixer.check_direction(causal).is_ok()).collect::<Vec<_>>()
    };
    let all: Vec<(MixerConfig, bool)> = catalogue
        .into_iter()
        .flat_map(|mixer| directions(&mixer).into_iter().map(move |causal| (mixer.clone(), causal)))
        .collect();
    let of = all.len();
    let audited = all.into_iter().enumerate().map(|(done, (mixer, causal))| {
        let name = mixer.name();
        progress(Progress { done, of, layer: name });
        Ok(MixerAudit { mixer: name, report: audit_mixer(small(mixer), causal, lengths)? })
    });
    audited.collect()
}

fn audit_mixer(mixer: MixerConfig, causal: bool, lengths: &[usize]) -> Result<AuditReport, ModelError> {
    let max_length = lengths.iter().copied().max().unwrap_or(1).max(MAX_LENGTH);
    if !matches!(mixer.lengths(max_length, causal), Lengths::Exactly(_)) {
        return audit_model(mixer, max_length, causal, lengths);
    }
    let mut whole: Option<AuditReport> = None;
    for &length in lengths {
        // One length more, which must be refused.
        let report = audit_model(mixer.clone(), length, causal, &[length, length + 1])?;
        match &mut whole {
            Some(whole) => whole.merge(report),
            None => whole = Some(report),
        }
    }
    match whole {
        Some(whole) => Ok(whole),
        None => audit_model(mixer, max_length, causal, &[]),
    }
}

fn audit_model(
    mixer: MixerConfig,
    max_length: usize,
    causal: bool,
    lengths: &[usize],
) -> Result<AuditReport, ModelError> {
    let config = ModelConfig { width: 32, depth: 2, max_length, ..ModelConfig::new(mixer) };
    let device = DeviceChoice::Cpu.device();
    let subject =
        Subject::of_model(&config, Reads::Text { vocabulary: 64 }, causal, 1, &device, Precision::F32)?;
    Ok(audit(&subject, lengths, &mut |_| {}))
}

fn small(mixer: MixerConfig) -> MixerConfig {
    match mixer {
        MixerConfig::Flash(flash) => {
            MixerConfig::Flash(mixlab_nn::mixer::FlashConfig { chunk: CHUNK, ..flash })
        }
        mixer => mixer,
    }
}
