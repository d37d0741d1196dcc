//! Latents as numbers in rows, and the way between them and a model.

use burn::tensor::{Device, Tensor, TensorData};
use mixlab_core::{Key, Precision, Purpose};
use mixlab_nn::latent::LatentConfig;
use mixlab_objectives::vae::{LatentNoise, Posterior, PosteriorConfig};

use super::way::Way;
use crate::TrainError;

/// Latents of texts: a row a text, the numbers of the lowest layer first.
#[derive(Clone, Debug, PartialEq)]
pub struct Latents {
    /// Layers with a latent.
    layers: usize,
    /// Numbers of a latent.
    width: usize,
    /// `[rows, layers × width]`.
    values: Vec<f64>,
    /// Whether each latent is a direction.
    spherical: bool,
}

impl Latents {
    /// Rows of `layers × width` numbers. Directions are brought to length 1: what matters of them is where they point.
    ///
    /// # Errors
    /// Rows of another width, a number that is not finite, and a direction that is 0; with the row.
    pub fn new(
        config: &LatentConfig,
        posterior: &PosteriorConfig,
        rows: usize,
        values: Vec<f64>,
    ) -> Result<Self, TrainError> {
        let (layers, width) = (config.layers, config.width);
        let row_width = layers * width;
        if values.len() != rows * row_width {
            let found = values.len() / rows.max(1);
            return Err(TrainError::Latents {
                reason: format!("they have {found} numbers"),
                expected: format!("{row_width}, for {layers} layers of {width}"),
            });
        }
        if let Some(at) = values.iter().position(|value| !value.is_finite()) {
            return Err(TrainError::Latents {
                reason: format!("row {} holds {}", at / row_width.max(1) + 1, values[at]),
                expected: "finite numbers".into(),
            });
        }
        let mut latents = Latents { layers, width, values, spherical: posterior.is_spherical() };
        if latents.spherical {
            latents.normalise()?;
        }
        Ok(latents)
    }

    /// Of every layer `[rows, width]`.
    pub(super) fn of_tensors(tensors: &[Tensor<2>], spherical: bool) -> Self {
        let [rows, width] = tensors[0].dims();
        let columns: Vec<Vec<f64>> = tensors.iter().map(|x| x.clone().into_data().iter().collect()).collect();
        let row = |row: usize| {
            columns.iter().flat_map(move |column| column[row * width..(row + 1) * width].iter().copied())
        };
        Latents { layers: tensors.len(), width, values: (0..rows).flat_map(row).collect(), spherical }
    }

    /// `rows` latents drawn from the prior, as the seed says; row r is the same in every number of rows.
    pub fn from_prior(config: &LatentConfig, posterior: &PosteriorConfig, rows: usize, seed: u64) -> Self {
        let like = Tensor::<2>::zeros([1, 1], (&Device::flex(), Precision::F64.dtype()));
        let samples: Vec<u64> = (0..rows as u64).collect();
        let noise =
            LatentNoise { key: Key::root(seed).purpose(Purpose::Sample).site("prior"), samples: &samples };
        let of: Posterior = posterior.init(config.width);
        let drawn: Vec<Tensor<2>> = (0..config.layers).map(|index| of.prior(index, noise, &like)).collect();
        Latents::of_tensors(&drawn, posterior.is_spherical())
    }

    /// Number of texts.
    pub fn rows(&self) -> usize {
        self.values.len() / self.row_width()
    }

    /// Numbers of a text.
    pub fn row_width(&self) -> usize {
        self.layers * self.width
    }

    /// Layers with a latent.
    pub fn layers(&self) -> usize {
        self.layers
    }

    /// All numbers, row after row.
    pub fn values(&self) -> &[f64] {
        &self.values
    }

    /// The latent of one layer of one text.
    pub fn latent(&self, row: usize, layer: usize) -> &[f64] {
        let start = row * self.row_width() + layer * self.width;
        &self.values[start..start + self.width]
    }

    /// Some of the rows, in any order and any number of times.
    #[must_use]
    pub fn select(&self, rows: impl IntoIterator<Item = usize>) -> Self {
        let width = self.row_width();
        let values =
            rows.into_iter().flat_map(|row| self.values[row * width..(row + 1) * width].iter().copied());
        Latents { values: values.collect(), ..self.clone() }
    }

    /// The rows of all of `parts`, one after the other.
    ///
    /// # Panics
    /// If there is none, or their rows differ in shape.
    #[must_use]
    pub fn joined(parts: &[Latents]) -> Self {
        assert!(parts.iter().all(|part| part.row_width() == parts[0].row_width()), "latents of one model");
        Latents {
            values: parts.iter().flat_map(|part| part.values.iter().copied()).collect(),
            ..parts[0].clone()
        }
    }

    /// As the model takes them: of every layer `[rows, width]`.
    pub fn tensors(&self, device: &Device, precision: Precision) -> Vec<Tensor<2>> {
        let rows = self.rows();
        let layer = |layer: usize| {
            let values: Vec<f64> =
                (0..rows).flat_map(|row| self.latent(row, layer).iter().copied()).collect();
            Tensor::from_data(TensorData::new(values, [rows, self.width]), (device, precision.dtype()))
        };
        (0..self.layers).map(layer).collect()
    }

    /// Every text with the latents of `layers`, counted from 0 at the lowest, of the same row of `other`.
    ///
    /// # Panics
    /// If both do not have the same shape.
    #[must_use]
    pub fn with_layers_of(&self, other: &Latents, layers: &[usize]) -> Self {
        assert_eq!(
            (self.rows(), self.row_width()),
            (other.rows(), other.row_width()),
            "latents of one model"
        );
        let mut values = Vec::with_capacity(self.values.len());
        for row in 0..self.rows() {
            for layer in 0..self.layers {
                let of = if layers.contains(&layer) { other } else { self };
                values.extend_from_slice(of.latent(row, layer));
            }
        }
        Latents { values, ..self.clone() }
    }

    /// `steps` latents evenly from row `from` to row `to`, both included, and in which layers the way is arbitrary. Directions go along the
    /// great circle through both at a constant speed, each layer by itself; other latents straight. Opposite directions have no one
    /// great circle: they go by the axis that is furthest from both.
    pub fn between(&self, from: usize, to: usize, steps: usize) -> (Self, Vec<usize>) {
        let mut arbitrary = Vec::new();
        let mut values = Vec::with_capacity(steps * self.row_width());
        let ways: Vec<Way> = (0..self.layers)
            .map(|layer| Way::new(self.latent(from, layer), self.latent(to, layer), self.spherical))
            .collect();
        arbitrary.extend((0..self.layers).filter(|&layer| ways[layer].is_arbitrary()));
        for step in 0..steps {
            let share = if steps > 1 { step as f64 / (steps - 1) as f64 } else { 0.0 };
            ways.iter().for_each(|way| values.extend(way.at(share)));
        }
        (Latents { values, ..self.clone() }, arbitrary)
    }

    fn normalise(&mut self) -> Result<(), TrainError> {
        for (index, latent) in self.values.chunks_exact_mut(self.width).enumerate() {
            let length = latent.iter().map(|value| value * value).sum::<f64>().sqrt();
            // The square of what can be represented can overflow or vanish.
            if !(length > 0.0 && length.is_finite()) {
                let (row, layer) = (index / self.layers + 1, index % self.layers + 1);
                return Err(TrainError::Latents {
                    reason: format!("layer {layer} of row {row} has length {length}"),
                    expected: "a direction, whose length is more than 0".into(),
                });
            }
            latent.iter_mut().for_each(|value| *value /= length);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LATENT: LatentConfig = LatentConfig::new(2, 3);

    fn sphere(rows: usize, values: &[f64]) -> Latents {
        Latents::new(&LATENT, &PosteriorConfig::default(), rows, values.to_vec()).unwrap()
    }

    fn near(a: &[f64], b: &[f64]) -> bool {
        a.len() == b.len() && a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-12)
    }

    #[test]
    fn directions_have_length_one_and_other_latents_stay() {
        let values = [3.0, 0.0, 4.0, 0.0, -2.0, 0.0];
        let latents = sphere(1, &values);
        assert!(
            near(latents.latent(0, 0), &[0.6, 0.0, 0.8]) && near(latents.latent(0, 1), &[0.0, -1.0, 0.0])
        );
        let gaussian = Latents::new(&LATENT, &PosteriorConfig::GAUSSIAN, 1, values.to_vec()).unwrap();
        assert_eq!(gaussian.values(), values);
    }

    #[test]
    fn what_is_no_latent_is_refused_with_its_place() {
        let error = |rows, values: &[f64]| {
            Latents::new(&LATENT, &PosteriorConfig::default(), rows, values.to_vec()).unwrap_err().to_string()
        };
        assert!(error(1, &[1.0; 5]).contains("5 numbers"), "{}", error(1, &[1.0; 5]));
        let mut values = [1.0; 12];
        values[9..].fill(0.0);
        assert!(error(2, &values).contains("layer 2 of row 2"));
        values[7] = f64::NAN;
        assert!(error(2, &values).contains("row 2 holds NaN"));
    }

    #[test]
    fn every_layer_goes_its_own_way() {
        let latents = sphere(2, &[1., 0., 0., 0., 1., 0., -1., 0., 0., 0., 1., 0.]);
        let (way, arbitrary) = latents.between(0, 1, 3);
        assert_eq!((way.rows(), arbitrary), (3, vec![0]));
        assert!(near(way.latent(1, 0), &[0.0, 1.0, 0.0]) && near(way.latent(1, 1), &[0.0, 1.0, 0.0]));
    }

    #[test]
    fn layers_change_hands() {
        let both = sphere(2, &[1., 0., 0., 0., 1., 0., 0., 0., 1., 0., 0., -1.]);
        let (one, other) = (both.select([0]), both.select([1]));
        let swapped = one.with_layers_of(&other, &[1]);
        assert_eq!(swapped.latent(0, 0), one.latent(0, 0));
        assert_eq!(swapped.latent(0, 1), other.latent(0, 1));
    }

    #[test]
    fn the_prior_gives_each_row_its_own_whatever_their_number() {
        let draw = |rows, seed| Latents::from_prior(&LATENT, &PosteriorConfig::default(), rows, seed);
        let (few, many) = (draw(2, 1), draw(5, 1));
        assert_eq!(few, many.select([0, 1]));
        assert_ne!(few, draw(2, 2));
        assert_ne!(many.latent(0, 0), many.latent(0, 1));
        let length = |latent: &[f64]| latent.iter().map(|value| value * value).sum::<f64>();
        assert!((0..5).all(|row| (length(many.latent(row, 1)) - 1.0).abs() < 1e-12));
    }
}
