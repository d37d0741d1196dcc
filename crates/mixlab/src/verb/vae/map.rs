//! `mixlab vae map`: a picture of latents.

use std::path::PathBuf;

use clap::Args;
use mixlab_data::{DataConfig, Documents, LabelledSet, read_labelled};
use mixlab_measure::latents::{MapLabels, latent_map};
use mixlab_measure::{check_picture, write_picture};
use mixlab_train::Latents;

use super::common::{Model, encode_texts};
use crate::failure::{Failure, ProgramError};
use crate::output::tell;
use crate::verb::embed::open_texts;

/// Draw where the latents of texts lie
///
/// Each layer is a panel with the means of the posteriors on the two axes along
/// which they spread most. With --label-field texts are coloured by what they
/// are.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Example:
  mixlab vae map runs/univae-grammar data/grammar/english-held-out.jsonl.gz \\
      --label-field location --chart map.svg")]
pub struct Map {
    #[command(flatten)]
    model: Model,

    /// A text a line, or a field of JSON lines, CSV and Parquet files
    file: PathBuf,

    /// The picture
    #[arg(long, value_name = "FILE.svg")]
    chart: PathBuf,

    /// Field or column of the text in JSON lines, CSV and Parquet files
    #[arg(long, value_name = "NAME", default_value = "text")]
    text_field: String,

    /// Field or column that tells what a text is
    #[arg(long, value_name = "NAME")]
    label_field: Option<String>,
}

impl Map {
    pub fn run(self) -> Result<(), Failure> {
        check_picture(&self.chart)?;
        let model = self.model.load()?;
        let picture = match &self.label_field {
            Some(field) => {
                let (texts, classes, of_rows) = self.labelled(field)?;
                let latents = self.encode(&model, &texts)?;
                let labels = MapLabels { name: field, classes: &classes, of_rows: &of_rows };
                latent_map(&latents, Some(labels))?
            }
            None => {
                let texts: Documents = open_texts(&self.file, &self.text_field)?.read_all()?.iter().collect();
                latent_map(&self.encode(&model, &texts)?, None)?
            }
        };
        write_picture(&self.chart, &picture)?;
        tell(&format!("wrote {}", self.chart.display()));
        Ok(())
    }

    fn labelled(&self, field: &str) -> Result<(Documents, Vec<String>, Vec<u32>), Failure> {
        let config = DataConfig {
            text_field: self.text_field.clone(),
            label_field: field.to_owned(),
            ..DataConfig::default()
        };
        match read_labelled(std::slice::from_ref(&self.file), &[], &config)? {
            LabelledSet::Texts(set) => Ok((set.texts, set.classes, set.labels)),
            LabelledSet::Images(_) => Err(ProgramError::Argument {
                argument: "FILE",
                found: "images".to_owned(),
                expected: "texts with labels".to_owned(),
            }
            .into()),
        }
    }

    fn encode(&self, model: &mixlab_train::TextVaeFolder, texts: &Documents) -> Result<Latents, Failure> {
        encode_texts(model, &texts.iter().collect::<Vec<_>>(), None)
    }
}
