//! Reaching every parameter of a module by its dotted path.
//!
//! A path is the chain of field names and list indices that leads to the parameter, for example
//! `backbone.blocks.3.mixer.output.weight`. Enum variants leave no trace in it, so exchanging one token
//! mixer for another keeps the paths of all other parts.

use std::collections::BTreeMap;

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::tensor::{Gradients, Tensor};

/// Name and shape of one parameter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamedParameter {
    /// Dotted path.
    pub path: String,
    /// Shape as stored.
    pub shape: Vec<usize>,
    /// Identity in the autodiff graph and the optimiser: the hash of the path.
    pub identity: u64,
}

impl NamedParameter {
    /// Number of values.
    pub fn size(&self) -> usize {
        self.shape.iter().product()
    }
}

/// The current place in the module tree.
#[derive(Default)]
struct Path(Vec<Option<String>>);

impl Path {
    fn enter(&mut self, name: &str, container: &str) {
        self.0.push((!container.starts_with("Enum:")).then(|| name.to_owned()));
    }

    fn exit(&mut self) {
        self.0.pop();
    }

    fn dotted(&self) -> String {
        self.0.iter().flatten().map(String::as_str).collect::<Vec<_>>().join(".")
    }
}

macro_rules! track_path {
    () => {
        fn enter_module(&mut self, name: &str, container: &str) {
            self.path.enter(name, container);
        }

        fn exit_module(&mut self, _name: &str, _container: &str) {
            self.path.exit();
        }
    };
}

/// Every parameter's path and shape, in the order of the module tree.
pub fn named_parameters<M: Module>(module: &M) -> Vec<NamedParameter> {
    struct Collect {
        path: Path,
        found: Vec<NamedParameter>,
    }
    impl ModuleVisitor for Collect {
        track_path!();

        fn visit_float<const D: usize>(&mut self, parameter: &Param<Tensor<D>>) {
            self.found.push(NamedParameter {
                path: self.path.dotted(),
                shape: parameter.lazy_shape().to_vec(),
                identity: parameter.id.val(),
            });
        }
    }
    let mut visitor = Collect { path: Path::default(), found: Vec::new() };
    module.visit(&mut visitor);
    visitor.found
}

/// Every parameter's values as a vector without gradient tracking, by path.
pub fn parameter_values<M: Module>(module: &M) -> BTreeMap<String, Tensor<1>> {
    struct Collect {
        path: Path,
        found: BTreeMap<String, Tensor<1>>,
    }
    impl ModuleVisitor for Collect {
        track_path!();

        fn visit_float<const D: usize>(&mut self, parameter: &Param<Tensor<D>>) {
            let flat = flatten(parameter.val());
            self.found.insert(self.path.dotted(), flat);
        }
    }
    let mut visitor = Collect { path: Path::default(), found: BTreeMap::new() };
    module.visit(&mut visitor);
    visitor.found
}

/// Takes every parameter's gradient out of `gradients` as a vector, by path. A parameter that took no
/// part in the loss is absent.
pub fn parameter_gradients<M: Module>(module: &M, gradients: &mut Gradients) -> BTreeMap<String, Tensor<1>> {
    struct Collect<'a> {
        path: Path,
        gradients: &'a mut Gradients,
        found: BTreeMap<String, Tensor<1>>,
    }
    impl ModuleVisitor for Collect<'_> {
        track_path!();

        fn visit_float<const D: usize>(&mut self, parameter: &Param<Tensor<D>>) {
            if let Some(gradient) = parameter.val().grad_remove(self.gradients) {
                self.found.insert(self.path.dotted(), flatten(gradient));
            }
        }
    }
    let mut visitor = Collect { path: Path::default(), gradients, found: BTreeMap::new() };
    module.visit(&mut visitor);
    visitor.found
}

/// Adds `gradients` to `sums` by path; a path that is new there is entered.
pub fn add_gradients(
    sums: &mut BTreeMap<String, Tensor<1>>,
    gradients: impl IntoIterator<Item = (String, Tensor<1>)>,
) {
    for (path, gradient) in gradients {
        let sum = match sums.remove(&path) {
            Some(sum) => sum + gradient,
            None => gradient,
        };
        sums.insert(path, sum);
    }
}

/// The module with the parameters named in `values` replaced; the others stay as they are.
/// Identity, shape and gradient tracking of every parameter stay too.
///
/// # Panics
/// If a vector's length is not the size of its parameter.
pub fn with_parameters<M: Module>(module: M, values: BTreeMap<String, Tensor<1>>) -> M {
    struct Replace {
        path: Path,
        values: BTreeMap<String, Tensor<1>>,
    }
    impl ModuleMapper for Replace {
        track_path!();

        fn map_float<const D: usize>(&mut self, parameter: Param<Tensor<D>>) -> Param<Tensor<D>> {
            let Some(value) = self.values.remove(&self.path.dotted()) else { return parameter };
            parameter.map(|old| {
                let new = value.reshape(old.shape());
                if old.is_autodiff() { Tensor::from_inner(new).require_grad() } else { new }
            })
        }
    }
    module.map(&mut Replace { path: Path::default(), values })
}

fn flatten<const D: usize>(tensor: Tensor<D>) -> Tensor<1> {
    let tensor = if tensor.is_autodiff() { tensor.inner() } else { tensor };
    let size = tensor.shape().num_elements();
    tensor.reshape([size])
}
