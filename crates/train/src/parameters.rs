//! Parameters between a model and its file.

use std::collections::BTreeMap;

use burn::module::Module;
use burn::tensor::{Device, Tensor};
use mixlab_core::Precision;
use mixlab_nn::{named_parameters, parameter_values, with_parameters};

use crate::TrainError;
use crate::tensor_file::{NamedTensor, TensorFile};

/// The parameters of a model as named tensors, with `values` in place of its own where given.
pub(crate) fn parameter_tensors<M: Module>(
    model: &M,
    values: Option<&BTreeMap<String, Tensor<1>>>,
) -> Vec<NamedTensor> {
    let mut own = match values {
        Some(values) => values.clone(),
        None => parameter_values(model),
    };
    let tensor = |parameter: mixlab_nn::NamedParameter| {
        let value = own.remove(&parameter.path)?;
        Some(NamedTensor { name: parameter.path, shape: parameter.shape, value })
    };
    named_parameters(model).into_iter().filter_map(tensor).collect()
}

/// Takes every parameter of `model` out of a file.
///
/// # Errors
/// A missing, extra or mis-shaped tensor, by name.
pub(crate) fn read_parameters<M: Module>(
    model: &M,
    mut file: TensorFile,
    device: &Device,
    precision: Precision,
) -> Result<BTreeMap<String, Tensor<1>>, TrainError> {
    let mut values = BTreeMap::new();
    for parameter in named_parameters(model) {
        let value = file.take(&parameter.path, &parameter.shape, device, precision)?;
        values.insert(parameter.path, value);
    }
    file.finish()?;
    Ok(values)
}

/// What a partial start took from another model.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct InitReport {
    /// Parameters that were taken.
    pub taken: Vec<String>,
    /// Parameters of the new model that the file does not have; they keep their initial values.
    pub missing: Vec<String>,
    /// Parameters with another shape in the file: path, shape in the model, shape in the file.
    pub reshaped: Vec<(String, Vec<usize>, Vec<usize>)>,
    /// Tensors of the file that the new model has no place for.
    pub unused: Vec<String>,
}

/// Starts a model from the tensors of a file that fit by path and shape.
///
/// # Errors
/// [`TrainError::TensorType`] if a tensor that fits cannot be read.
pub(crate) fn init_from<M: Module>(
    model: M,
    mut file: TensorFile,
    device: &Device,
    precision: Precision,
) -> Result<(M, InitReport), TrainError> {
    let shapes: BTreeMap<String, Vec<usize>> =
        file.shapes().map(|(name, shape)| (name.to_owned(), shape.to_vec())).collect();
    let mut report = InitReport::default();
    let mut values = BTreeMap::new();
    for parameter in named_parameters(&model) {
        match shapes.get(&parameter.path) {
            None => report.missing.push(parameter.path),
            Some(found) if *found != parameter.shape => {
                report.reshaped.push((parameter.path, parameter.shape, found.clone()));
            }
            Some(shape) => {
                let value = file.take(&parameter.path, shape, device, precision)?;
                values.insert(parameter.path.clone(), value);
                report.taken.push(parameter.path);
            }
        }
    }
    let known =
        |name: &String| values.contains_key(name) || report.reshaped.iter().any(|(path, ..)| path == name);
    report.unused = shapes.into_keys().filter(|name| !known(name)).collect();
    Ok((with_parameters(model, values), report))
}
