//! Reading a reference file, and comparing with it.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use burn::tensor::{DType, Device, Int, Tensor, TensorData};
use mixlab_core::Precision;
use mixlab_kernels::Mask;
use safetensors::{Dtype, SafeTensors};

/// Largest difference on data of unit scale, in single precision.
const SINGLE: f64 = 1e-5;
/// Largest difference on data of unit scale, in double precision.
const DOUBLE: f64 = 1e-12;

/// Both precisions every comparison runs in.
pub const PRECISIONS: [Precision; 2] = [Precision::F32, Precision::F64];

/// One recorded tensor. All its values are exact in `f64`.
#[derive(Clone, Debug)]
pub struct Values {
    pub shape: Vec<usize>,
    pub data: Vec<f64>,
    /// Whether the package computed it in double precision.
    pub double: bool,
}

/// One reference file.
pub struct Fixture {
    case: String,
    tensors: BTreeMap<String, Values>,
}

impl Fixture {
    pub fn load(case: &str) -> Self {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/references");
        let bytes = std::fs::read(folder.join(format!("{case}.safetensors"))).unwrap();
        let file = SafeTensors::deserialize(&bytes).unwrap();
        let tensors = file.iter().map(|(name, view)| {
            let values = Values {
                shape: view.shape().to_vec(),
                data: numbers(view.dtype(), view.data()),
                double: view.dtype() == Dtype::F64,
            };
            (name.to_owned(), values)
        });
        Fixture { case: case.to_owned(), tensors: tensors.collect() }
    }

    pub fn values(&self, name: &str) -> &Values {
        self.tensors.get(name).unwrap_or_else(|| panic!("{} has no tensor {name}", self.case))
    }

    /// Names behind `prefix`, with their values.
    pub fn under<'a>(&'a self, prefix: &'a str) -> impl Iterator<Item = (&'a str, &'a Values)> {
        self.tensors.iter().filter_map(move |(name, values)| Some((name.strip_prefix(prefix)?, values)))
    }

    pub fn tensor<const D: usize>(&self, name: &str, precision: Precision, device: &Device) -> Tensor<D> {
        self.values(name).tensor(precision, device)
    }

    pub fn ids<const D: usize>(&self, name: &str, device: &Device) -> Tensor<D, Int> {
        let values = self.values(name);
        let ids: Vec<i64> = values.data.iter().map(|&id| id as i64).collect();
        Tensor::from_data(TensorData::new(ids, values.shape.clone()), (device, DType::I64))
    }

    /// Key padding, if the case has any.
    pub fn mask(&self) -> Mask {
        Mask { padding: self.padding(), segments: None }
    }

    /// True at real tokens, `[batch · n]`.
    pub fn padding(&self) -> Option<Arc<[bool]>> {
        self.tensors.get("mask").map(|mask| mask.data.iter().map(|&real| real == 1.0).collect())
    }

    /// Asserts that `actual` is the recorded tensor `name`, to the tolerance of data of unit scale or, where the
    /// recorded values are larger, of their scale.
    pub fn check(&self, name: &str, actual: &[f64], precision: Precision) {
        let expected = self.values(name);
        assert_eq!(expected.data.len(), actual.len(), "{}: {name} has another size", self.case);
        let double = expected.double && precision == Precision::F64;
        let largest = expected.data.iter().fold(1.0, |largest: f64, value| value.abs().max(largest));
        let tolerance = if double { DOUBLE } else { SINGLE } * largest;
        let worst = expected.data.iter().zip(actual).map(|(e, a)| (e - a).abs()).enumerate();
        // A NaN compares greater than every number here, so it is always the worst.
        let (index, difference) = worst.max_by(|a, b| a.1.total_cmp(&b.1)).unwrap();
        assert!(
            difference <= tolerance,
            "{}: {name}[{index}] is {} in {precision:?}, the package has {}: {difference:.3e} apart, {tolerance:.1e} allowed",
            self.case,
            actual[index],
            expected.data[index],
        );
    }
}

impl Values {
    pub fn tensor<const D: usize>(&self, precision: Precision, device: &Device) -> Tensor<D> {
        let data = TensorData::new(self.data.clone(), self.shape.clone());
        Tensor::from_data(data, (device, precision.dtype()))
    }
}

/// The values of a tensor, without its graph.
pub fn vector<const D: usize>(tensor: Tensor<D>) -> Vec<f64> {
    let tensor = if tensor.is_autodiff() { tensor.inner() } else { tensor };
    tensor.into_data().convert::<f64>().try_to_vec().unwrap()
}

fn numbers(dtype: Dtype, bytes: &[u8]) -> Vec<f64> {
    fn read<const N: usize>(bytes: &[u8], convert: impl Fn([u8; N]) -> f64) -> Vec<f64> {
        bytes.chunks_exact(N).map(|chunk| convert(chunk.try_into().unwrap())).collect()
    }
    match dtype {
        Dtype::F32 => read(bytes, |b| f64::from(f32::from_le_bytes(b))),
        Dtype::F64 => read(bytes, f64::from_le_bytes),
        Dtype::I64 => read(bytes, |b| i64::from_le_bytes(b) as f64),
        Dtype::BOOL => read(bytes, |[b]: [u8; 1]| f64::from(b)),
        other => panic!("a fixture holds {other:?}"),
    }
}
