//! `mixlab gan sample`: images or points from nothing.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use burn::tensor::Tensor;
use clap::Args;
use mixlab_core::{Key, Purpose};
use mixlab_data::{VectorFormat, VectorWriter};
use mixlab_train::{
    AdversarialFolder, ModelFolder, TrainError, drawn_labels, sample_grid, sample_scatter, spherical, storage,
};

use crate::arguments::DeviceOption;
use crate::failure::{Failure, ProgramError};
use crate::output::{print, tell};

/// Make samples from latents drawn at random
///
/// Images become a grid (PNG), points a picture (SVG), and both rows of numbers
/// (npy, npz, jsonl), by the ending of --out. Without --out the numbers go to
/// standard output as JSON lines: of images pixel by pixel, from -1 for black to
/// 1.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  mixlab gan sample runs/gan-digits --out digits.png
  mixlab gan sample runs/gan-digits --interpolate 10 --count 6 --out strip.png
  mixlab gan sample runs/gan-ring --count 2500 --out ring.svg")]
pub struct Sample {
    /// A run folder or a model folder
    model: PathBuf,

    /// Number of samples; with --interpolate, of rows
    #[arg(long, value_name = "N", default_value_t = 64)]
    count: usize,

    /// Samples of this class only, of a generator that is told classes
    #[arg(long, value_name = "NAME")]
    class: Option<String>,

    /// Walk from one latent to another in N samples, a row for each pair
    #[arg(long, value_name = "N")]
    interpolate: Option<usize>,

    /// Images in a row of the grid
    #[arg(long, value_name = "N", default_value_t = 8)]
    columns: usize,

    /// Where the samples go
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,

    /// Seed of the latents
    #[arg(long, default_value_t = 0)]
    seed: u64,

    #[command(flatten)]
    device: DeviceOption,
}

impl Sample {
    pub fn run(self) -> Result<(), Failure> {
        ProgramError::check_least("--count", self.count, 1)?;
        ProgramError::check_least("--columns", self.columns, 1)?;
        if let Some(steps) = self.interpolate {
            ProgramError::check_least("--interpolate", steps, 2)?;
        }
        if let Some(out) = self.out.as_ref().filter(|out| out.exists()) {
            return Err(ProgramError::Exists { path: out.clone() }.into());
        }
        let device = self.device.open();
        let folder = AdversarialFolder::load(&ModelFolder::locate(&self.model)?, &device)?;
        let ending = self.out.as_deref().and_then(Path::extension).and_then(OsStr::to_str);
        self.check_ending(&folder, ending)?;
        let samples = self.samples(&folder)?;
        let columns = self.interpolate.unwrap_or(self.columns);
        match (&self.out, ending) {
            (Some(out), Some("png")) => put(out, sample_grid(&samples, columns))?,
            (Some(out), Some("svg")) => {
                put(out, sample_scatter(None, &samples).map(String::into_bytes))?;
            }
            (out, _) => numbers(out.as_deref(), &samples)?,
        }
        if let Some(out) = &self.out {
            tell(&format!("wrote {}: {} samples", out.display(), samples.dims()[0]));
        }
        Ok(())
    }

    /// A picture has to suit what is in it.
    fn check_ending(&self, folder: &AdversarialFolder, ending: Option<&str>) -> Result<(), ProgramError> {
        let expected = match (ending, folder.config.points) {
            (None | Some("npy" | "npz" | "jsonl"), _) | (Some("png"), None) | (Some("svg"), Some(_)) => {
                return Ok(());
            }
            (_, Some(_)) => "a file that ends in .svg, .npy, .npz or .jsonl, for points",
            (_, None) => "a file that ends in .png, .npy, .npz or .jsonl, for images",
        };
        let found = self.out.as_ref().map_or_else(String::new, |out| out.display().to_string());
        Err(ProgramError::Argument { argument: "--out", found, expected: expected.to_owned() })
    }

    fn samples(&self, folder: &AdversarialFolder) -> Result<Tensor<4>, ProgramError> {
        let key = Key::root(self.seed).purpose(Purpose::Sample).site("prior");
        let Some(steps) = self.interpolate else {
            let labels = self.labels(folder, key, self.count)?;
            return Ok(folder.samples(key, 0, &labels));
        };
        // Rows 2i and 2i + 1 are the ends of walk i, which keeps the class of its beginning.
        let labels = self.labels(folder, key, self.count)?;
        let latents = (0..self.count).map(|row| {
            let ends = folder.latents(key, 2 * row as u64, &[labels[row]; 2]);
            let class = folder.config.told_classes();
            spherical(ends, folder.config.objective().latent, class, steps)
        });
        Ok(folder.made(Tensor::cat(latents.collect(), 0)))
    }

    fn labels(&self, folder: &AdversarialFolder, key: Key, count: usize) -> Result<Vec<u32>, ProgramError> {
        let told = folder.config.told_classes();
        let Some(class) = &self.class else { return Ok(drawn_labels(key, 0, count, told)) };
        let refuse = |expected: String| {
            Err(ProgramError::Argument { argument: "--class", found: format!("{class:?}"), expected })
        };
        if told == 0 {
            return refuse("no class: this generator was not told any (`objective.conditional`)".to_owned());
        }
        match folder.config.classes.iter().position(|name| name == class) {
            Some(index) => Ok(vec![index as u32; count]),
            None => refuse(format!("one of {}", folder.config.classes.join(", "))),
        }
    }
}

fn put(path: &Path, drawn: Result<Vec<u8>, String>) -> Result<(), TrainError> {
    let bytes = drawn.map_err(|message| TrainError::Picture { path: path.to_owned(), message })?;
    storage::write_atomic(path, &bytes)
}

/// A row of numbers for each sample.
fn numbers(out: Option<&Path>, samples: &Tensor<4>) -> Result<(), Failure> {
    let [count, height, width, channels] = samples.dims();
    let (values, size): (Vec<f32>, usize) = (samples.to_data().iter().collect(), channels * height * width);
    match out.map(|out| Ok::<_, Failure>((out, VectorFormat::of(out)?))).transpose()? {
        Some((out, format @ (VectorFormat::Npy | VectorFormat::Npz))) => {
            let mut writer = VectorWriter::create(out, format, size)?;
            writer.write(&vec![""; count], &values)?;
            Ok(writer.commit()?)
        }
        target => {
            let lines: Vec<String> = values.chunks_exact(size).map(line).collect();
            let text = lines.concat();
            match target {
                Some((out, _)) => Ok(storage::write_atomic(out, text.as_bytes())?),
                None => Ok(print(&text)?),
            }
        }
    }
}

/// A sample as a line of JSON.
fn line(sample: &[f32]) -> String {
    let numbers: Vec<String> = sample.iter().map(f32::to_string).collect();
    format!("{{\"sample\":[{}]}}\n", numbers.join(","))
}
