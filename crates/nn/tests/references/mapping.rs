//! Which value of a package's parameter is which value of ours.

use std::collections::BTreeMap;
use std::ops::Range;

use burn::module::Module;
use burn::tensor::{Device, Gradients, Tensor, TensorData};
use mixlab_core::Precision;
use mixlab_nn::{named_parameters, parameter_gradients, with_parameters};

use crate::fixture::{Fixture, vector};

/// A linear map from the parameters of a package to ours, value by value. Weights go through it forwards,
/// gradients backwards, so that both sides are compared under the package's names. Parameters of ours that the
/// package does not have are given as constants.
pub struct Mapping<'a> {
    fixture: &'a Fixture,
    shapes: BTreeMap<String, Vec<usize>>,
    links: Vec<Link>,
    constants: BTreeMap<String, Vec<f64>>,
}

struct Link {
    package: (String, usize),
    ours: (String, usize),
    factor: f64,
    /// Whether the value is added to the one another link gives.
    added: bool,
}

impl<'a> Mapping<'a> {
    pub fn new<M: Module>(fixture: &'a Fixture, module: &M) -> Self {
        let shapes = named_parameters(module).into_iter().map(|p| (p.path, p.shape)).collect();
        Mapping { fixture, shapes, links: Vec::new(), constants: BTreeMap::new() }
    }

    /// The whole parameter in the same layout.
    pub fn same(&mut self, package: &str, ours: &str) {
        let count = self.package_shape(package).iter().product();
        self.run(package, 0, ours, 0, count, 1.0);
    }

    /// `count` values in a row from `from` on, which are ours from `to` on, times `factor`.
    pub fn run(&mut self, package: &str, from: usize, ours: &str, to: usize, count: usize, factor: f64) {
        for i in 0..count {
            self.link((package, from + i), (ours, to + i), factor);
        }
    }

    /// `count` values from `from` on, times `factor`, added to what is given to ours from `to` on.
    pub fn add(&mut self, package: &str, from: usize, ours: &str, to: usize, count: usize, factor: f64) {
        let before = self.links.len();
        self.run(package, from, ours, to, count, factor);
        self.links[before..].iter_mut().for_each(|link| link.added = true);
    }

    /// A parameter of ours that no parameter of the package stands for; its gradient is not compared.
    pub fn constant(&mut self, ours: &str, values: Vec<f64>) {
        assert_eq!(values.len(), self.our_shape(ours).iter().product::<usize>(), "{ours} has another size");
        self.constants.insert(ours.to_owned(), values);
    }

    /// A torch linear layer, `[out, in]` and its bias `[out]` where ours is `[in, out]` and `[out]`.
    pub fn linear(&mut self, package: &str, ours: &str) {
        let outputs = self.package_shape(package)[0];
        self.outputs(package, 0..outputs, ours, 0);
    }

    /// Some outputs of a torch linear layer, or of its bias, which are ours from output `start` on.
    pub fn outputs(&mut self, package: &str, outputs: Range<usize>, ours: &str, start: usize) {
        let inputs = self.package_shape(package).get(1).copied().unwrap_or(1);
        let total = *self.our_shape(ours).last().unwrap();
        for (output, target) in outputs.zip(start..) {
            for input in 0..inputs {
                self.link((package, output * inputs + input), (ours, input * total + target), 1.0);
            }
        }
    }

    /// Some outputs of a layer that is stored `[in, out]` as ours is, or of its bias.
    pub fn columns(&mut self, package: &str, outputs: Range<usize>, ours: &str) {
        let shape = self.package_shape(package);
        let (inputs, total) = if let [inputs, total] = shape[..] { (inputs, total) } else { (1, shape[0]) };
        let width = outputs.len();
        for input in 0..inputs {
            self.run(package, input * total + outputs.start, ours, input * width, width, 1.0);
        }
    }

    /// A square torch convolution over patches, `[out, channel, row, column]`, where ours is
    /// `[row · column · channel, out]`.
    pub fn patches(&mut self, package: &str, ours: &str) {
        let shape = self.package_shape(package);
        let [outputs, channels, rows, columns] = shape[..] else { panic!("{package} is {shape:?}") };
        for output in 0..outputs {
            for (channel, row, column) in product(channels, rows, columns) {
                let from = ((output * channels + channel) * rows + row) * columns + column;
                let to = (row * columns + column) * channels + channel;
                self.link((package, from), (ours, to * outputs + output), 1.0);
            }
        }
    }

    /// The module with the package's weights, every one of them used and every parameter of ours made.
    pub fn apply<M: Module>(&self, module: M, precision: Precision, device: &Device) -> M {
        self.assert_complete();
        let values = self.shapes.iter().map(|(path, shape)| {
            let zeros = || vec![0.0; shape.iter().product()];
            let mut values = self.constants.get(path).cloned().unwrap_or_else(zeros);
            for link in self.links.iter().filter(|link| link.ours.0 == *path) {
                let weight = self.fixture.values(&format!("weight/{}", link.package.0));
                values[link.ours.1] += link.factor * weight.data[link.package.1];
            }
            let size = values.len();
            let data = TensorData::new(values, [size]);
            let tensor = Tensor::from_data(data, (&device.clone().inner(), precision.dtype()));
            (path.clone(), tensor)
        });
        with_parameters(module, values.collect())
    }

    /// Asserts that the gradients of our parameters are those the package recorded.
    pub fn check_gradients<M: Module>(&self, module: &M, gradients: &mut Gradients, precision: Precision) {
        let ours: BTreeMap<_, _> =
            parameter_gradients(module, gradients).into_iter().map(|(path, g)| (path, vector(g))).collect();
        let compared = self.shapes.keys().filter(|path| !self.constants.contains_key(*path));
        let missing: Vec<_> = compared.filter(|path| !ours.contains_key(*path)).collect();
        assert!(missing.is_empty(), "parameters without gradient: {missing:?}");
        for (name, weight) in self.fixture.under("weight/") {
            let mut gradient = vec![0.0; weight.data.len()];
            for link in self.links.iter().filter(|link| link.package.0 == name) {
                gradient[link.package.1] += link.factor * ours[&link.ours.0][link.ours.1];
            }
            self.fixture.check(&format!("gradient/{name}"), &gradient, precision);
        }
    }

    fn assert_complete(&self) {
        let mut made = BTreeMap::new();
        let mut used = BTreeMap::new();
        for link in &self.links {
            *made.entry(&link.ours).or_insert(0) += usize::from(!link.added);
            *used.entry(&link.package).or_insert(0) += 1;
        }
        for (path, shape) in &self.shapes {
            let expected = if self.constants.contains_key(path) { None } else { Some(&1) };
            for i in 0..shape.iter().product() {
                assert_eq!(made.get(&(path.clone(), i)), expected, "{path}[{i}] must be given once");
            }
        }
        for (name, values) in self.fixture.under("weight/") {
            for i in 0..values.data.len() {
                assert!(used.contains_key(&(name.to_owned(), i)), "{name}[{i}] is not used");
            }
        }
    }

    fn link(&mut self, package: (&str, usize), ours: (&str, usize), factor: f64) {
        let (package, ours) = ((package.0.to_owned(), package.1), (ours.0.to_owned(), ours.1));
        self.links.push(Link { package, ours, factor, added: false });
    }

    fn package_shape(&self, name: &str) -> Vec<usize> {
        self.fixture.values(&format!("weight/{name}")).shape.clone()
    }

    fn our_shape(&self, path: &str) -> &[usize] {
        self.shapes.get(path).unwrap_or_else(|| panic!("no parameter {path} among {:?}", self.shapes.keys()))
    }
}

/// Every triple of indices below three bounds, the last one fastest.
fn product(a: usize, b: usize, c: usize) -> impl Iterator<Item = (usize, usize, usize)> {
    (0..a * b * c).map(move |i| (i / (b * c), i / c % b, i % c))
}
