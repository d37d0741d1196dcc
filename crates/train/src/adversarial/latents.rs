//! What a generator starts from, and how networks are told a class.

use burn::tensor::{Device, Tensor, TensorData};
use mixlab_core::{Key, Precision};
use rayon::prelude::*;

/// Numbers that are worth a task: about 50 microseconds.
const TOGETHER: usize = 2048;

/// Standard normal latents `[labels, latent + classes]`, the class of each behind its numbers, one hot. Row i is drawn with stream
/// `first` + i of `key`.
pub(crate) fn latents(
    key: Key,
    first: u64,
    latent: usize,
    (labels, classes): (&[u32], usize),
    device: &Device,
    precision: Precision,
) -> Tensor<2> {
    let width = latent + classes;
    let mut values = vec![0.0; labels.len() * width];
    let rows = values.par_chunks_exact_mut(width).enumerate().with_min_len(TOGETHER.div_ceil(width));
    rows.zip(labels).for_each(|((row, values), &label)| {
        let drawn = key.sample(first + row as u64).normals().take(latent);
        values.iter_mut().zip(drawn.chain(one_hot(label, classes))).for_each(|(value, x)| *value = x);
    });
    Tensor::from_data(TensorData::new(values, [labels.len(), width]), (device, precision.dtype()))
}

/// `count` classes, each as likely as the others; zeros if there are none.
pub fn drawn_labels(key: Key, first: u64, count: usize, classes: usize) -> Vec<u32> {
    let key = key.site("class");
    let label = |row: u64| match classes {
        0 => 0,
        classes => key.sample(row).below(0, classes as u64) as u32,
    };
    (first..first + count as u64).map(label).collect()
}

/// A walk from the first of two latents `[2, latent + classes]` to the second in `steps` rows, along the arc between their directions (Shoemake
/// 1985) with lengths in between; the class stays that of the first. Opposite latents have no arc: the walk then goes through 0.
///
/// # Panics
/// With fewer than two steps.
pub fn spherical(ends: Tensor<2>, latent: usize, classes: usize, steps: usize) -> Tensor<2> {
    assert!(steps >= 2, "a walk has a beginning and an end");
    let (from, to) = (ends.clone().narrow(0, 0, 1), ends.narrow(0, 1, 1));
    let numbers = |x: &Tensor<2>| x.clone().narrow(1, 0, latent);
    let length = |x: &Tensor<2>| (numbers(x) * numbers(x)).sum().into_scalar::<f64>().sqrt();
    let cosine = (numbers(&from) * numbers(&to)).sum().into_scalar::<f64>() / (length(&from) * length(&to));
    let angle = cosine.clamp(-1.0, 1.0).acos();
    let rows = (0..steps).map(|step| {
        let share = step as f64 / (steps - 1) as f64;
        let [a, b] = if angle.sin() < 1e-6 {
            [1.0 - share, share]
        } else {
            [((1.0 - share) * angle).sin() / angle.sin(), (share * angle).sin() / angle.sin()]
        };
        let row = numbers(&from).mul_scalar(a) + numbers(&to).mul_scalar(b);
        match classes {
            0 => row,
            classes => Tensor::cat(vec![row, from.clone().narrow(1, latent, classes)], 1),
        }
    });
    Tensor::cat(rows.collect(), 0)
}

/// Samples `[b, h, w, c]` with `classes` constant channels for their class behind their own, one hot.
pub(crate) fn with_class(samples: Tensor<4>, labels: &[u32], classes: usize) -> Tensor<4> {
    if classes == 0 {
        return samples;
    }
    let [batch, height, width, _] = samples.dims();
    let values: Vec<f64> = labels.iter().flat_map(|&label| one_hot(label, classes)).collect();
    let at = (&samples.device(), samples.dtype());
    let channels = Tensor::<4>::from_data(TensorData::new(values, [batch, 1, 1, classes]), at);
    Tensor::cat(vec![samples, channels.expand([batch, height, width, classes])], 3)
}

/// 1 at the class and 0 at the others.
fn one_hot(label: u32, classes: usize) -> impl Iterator<Item = f64> {
    (0..classes).map(move |class| f64::from(u8::from(class == label as usize)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_does_not_depend_on_the_others() {
        let (key, device) = (Key::root(3), Device::flex());
        let all = latents(key, 0, 5, (&[0, 2, 1], 3), &device, Precision::F64);
        let last = latents(key, 2, 5, (&[1], 3), &device, Precision::F64);
        assert_eq!(all.clone().narrow(0, 2, 1).into_data(), last.into_data());
        let classes: Vec<f64> = all.narrow(1, 5, 3).into_data().iter().collect();
        assert_eq!(classes, [1.0, 0.0, 0.0, 0.0, 0.0, 1.0, 0.0, 1.0, 0.0]);
    }

    #[test]
    fn a_walk_keeps_its_ends_its_class_and_its_length() {
        let ends = Tensor::<2>::from_data(
            TensorData::new(vec![3.0, 0.0, 1.0, 0.0, 0.0, 3.0, 0.0, 1.0], [2, 4]),
            (&Device::flex(), burn::tensor::DType::F64),
        );
        let walk: Vec<f64> = spherical(ends, 2, 2, 3).into_data().iter().collect();
        let half = 3.0 * std::f64::consts::FRAC_1_SQRT_2;
        let expected = [3.0, 0.0, 1.0, 0.0, half, half, 1.0, 0.0, 0.0, 3.0, 1.0, 0.0];
        for (found, expected) in walk.iter().zip(expected) {
            assert!((found - expected).abs() < 1e-12, "{walk:?}");
        }
    }

    #[test]
    fn a_class_is_a_constant_channel() {
        let samples = Tensor::<4>::zeros([2, 1, 2, 1], (&Device::flex(), burn::tensor::DType::F32));
        let told = with_class(samples.clone(), &[1, 0], 2);
        let values: Vec<f32> = told.into_data().iter().collect();
        assert_eq!(values, [0., 0., 1., 0., 0., 1., 0., 1., 0., 0., 1., 0.]);
        assert_eq!(with_class(samples, &[1, 0], 0).dims(), [2, 1, 2, 1]);
    }

    #[test]
    fn classes_are_drawn_alike() {
        let labels = drawn_labels(Key::root(1), 0, 3000, 3);
        for class in 0..3 {
            let count = labels.iter().filter(|&&label| label == class).count();
            assert!((count as f64 - 1000.0).abs() < 150.0, "{count} of class {class}");
        }
    }
}
