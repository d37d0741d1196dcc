//! Safetensors files with parameters or optimiser state by path.
//!
//! The bytes are a function of the tensors alone: entries are sorted by name and there is no metadata.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use burn::tensor::{DType, Device, Tensor, TensorData};
use half::{bf16, f16};
use mixlab_core::Precision;
use safetensors::tensor::{Dtype, SafeTensors, View};

use crate::{TrainError, storage};

/// A tensor as it is stored: a name, a shape and the values in row-major order.
#[derive(Clone, Debug)]
pub struct NamedTensor {
    /// Name in the file.
    pub name: String,
    /// Shape in the file.
    pub shape: Vec<usize>,
    /// The values.
    pub value: Tensor<1>,
}

/// The bytes of a file with these tensors.
///
/// # Errors
/// [`TrainError::Damaged`] naming `path` if the tensors cannot be laid out, for instance because two
/// have one name.
pub fn encode(tensors: Vec<NamedTensor>, path: &Path) -> Result<Vec<u8>, TrainError> {
    let entries = tensors.into_iter().map(|tensor| {
        let data = tensor.value.into_data();
        let dtype = if data.dtype() == DType::F64 { Dtype::F64 } else { Dtype::F32 };
        (tensor.name, Stored { dtype, shape: tensor.shape, data })
    });
    safetensors::serialize(entries, None).map_err(TrainError::damaged(path))
}

struct Stored {
    dtype: Dtype,
    shape: Vec<usize>,
    data: TensorData,
}

impl View for Stored {
    fn dtype(&self) -> Dtype {
        self.dtype
    }

    fn shape(&self) -> &[usize] {
        &self.shape
    }

    fn data(&self) -> Cow<'_, [u8]> {
        Cow::Borrowed(self.data.as_bytes())
    }

    fn data_len(&self) -> usize {
        self.data.as_bytes().len()
    }
}

/// The tensors of a file that have not been taken yet.
pub struct TensorFile {
    path: PathBuf,
    tensors: BTreeMap<String, RawTensor>,
}

struct RawTensor {
    dtype: Dtype,
    shape: Vec<usize>,
    bytes: Vec<u8>,
}

impl TensorFile {
    /// Reads and checks a file.
    ///
    /// # Errors
    /// [`TrainError::Read`], or [`TrainError::Damaged`] if the header does not describe the content.
    pub fn read(path: &Path) -> Result<Self, TrainError> {
        Self::decode(path, &storage::read(path)?)
    }

    /// Checks the bytes of a file that was read already.
    ///
    /// # Errors
    /// As [`TensorFile::read`].
    pub fn decode(path: &Path, bytes: &[u8]) -> Result<Self, TrainError> {
        let file = SafeTensors::deserialize(bytes).map_err(TrainError::damaged(path))?;
        let raw = |(name, view): (&str, safetensors::tensor::TensorView)| {
            let tensor =
                RawTensor { dtype: view.dtype(), shape: view.shape().to_vec(), bytes: view.data().to_vec() };
            (name.to_owned(), tensor)
        };
        Ok(TensorFile { path: path.to_owned(), tensors: file.iter().map(raw).collect() })
    }

    /// Names and shapes of what is left.
    pub fn shapes(&self) -> impl Iterator<Item = (&str, &[usize])> {
        self.tensors.iter().map(|(name, tensor)| (name.as_str(), tensor.shape.as_slice()))
    }

    /// Takes a tensor out, as a vector.
    ///
    /// # Errors
    /// [`TrainError::MissingTensor`], [`TrainError::TensorShape`] or [`TrainError::TensorType`].
    pub fn take(
        &mut self,
        name: &str,
        shape: &[usize],
        device: &Device,
        precision: Precision,
    ) -> Result<Tensor<1>, TrainError> {
        let path = || self.path.clone();
        let Some(raw) = self.tensors.get(name) else {
            return Err(TrainError::MissingTensor { path: path(), tensor: name.to_owned() });
        };
        if raw.shape != shape {
            return Err(TrainError::TensorShape {
                path: path(),
                tensor: name.to_owned(),
                found: raw.shape.clone(),
                expected: shape.to_vec(),
            });
        }
        let size: usize = shape.iter().product();
        let data = match raw.dtype {
            Dtype::F32 => TensorData::new(numbers(&raw.bytes, f32::from_le_bytes), [size]),
            Dtype::F64 => TensorData::new(numbers(&raw.bytes, f64::from_le_bytes), [size]),
            // Files from elsewhere are often stored in half precision.
            Dtype::F16 => {
                TensorData::new(numbers(&raw.bytes, |bytes| f16::from_le_bytes(bytes).to_f32()), [size])
            }
            Dtype::BF16 => {
                TensorData::new(numbers(&raw.bytes, |bytes| bf16::from_le_bytes(bytes).to_f32()), [size])
            }
            other => {
                let found = format!("{other:?}");
                return Err(TrainError::TensorType { path: path(), tensor: name.to_owned(), found });
            }
        };
        self.tensors.remove(name);
        Ok(Tensor::from_data(data, (device, precision.dtype())))
    }

    /// Makes sure that everything was taken.
    ///
    /// # Errors
    /// [`TrainError::ExtraTensor`] with the first name that is left.
    pub fn finish(self) -> Result<(), TrainError> {
        match self.tensors.into_keys().next() {
            Some(tensor) => Err(TrainError::ExtraTensor { path: self.path, tensor }),
            None => Ok(()),
        }
    }
}

fn numbers<T, const N: usize>(bytes: &[u8], number: impl Fn([u8; N]) -> T) -> Vec<T> {
    bytes.as_chunks::<N>().0.iter().map(|&chunk| number(chunk)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tensors() -> Vec<NamedTensor> {
        let tensor = |name: &str, shape: &[usize], first: f32| {
            let size: usize = shape.iter().product();
            let values: Vec<f32> = (0..size).map(|i| first + i as f32).collect();
            let value =
                Tensor::from_data(TensorData::new(values, [size]), (&Device::flex(), Precision::F32.dtype()));
            NamedTensor { name: name.into(), shape: shape.into(), value }
        };
        vec![tensor("b.weight", &[2, 3], 1.0), tensor("a.bias", &[3], -1.0)]
    }

    fn encoded() -> Vec<u8> {
        encode(tensors(), Path::new("x")).unwrap()
    }

    fn take(bytes: &[u8], name: &str, shape: &[usize]) -> Result<Tensor<1>, TrainError> {
        TensorFile::decode(Path::new("x"), bytes)?.take(name, shape, &Device::flex(), Precision::F32)
    }

    #[test]
    fn the_bytes_are_a_function_of_the_tensors() {
        let reversed = encode(tensors().into_iter().rev().collect(), Path::new("x")).unwrap();
        assert_eq!(encoded(), reversed);
    }

    #[test]
    fn values_come_back() {
        let values = take(&encoded(), "b.weight", &[2, 3]).unwrap().into_data();
        assert_eq!(values.try_to_vec::<f32>().unwrap(), [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
    }

    /// 1.5 and −2 are the same number in every type.
    #[test]
    fn half_precision_is_read() {
        for (dtype, bytes) in
            [(Dtype::F16, [0x00, 0x3e, 0x00, 0xc0]), (Dtype::BF16, [0xc0, 0x3f, 0x00, 0xc0])]
        {
            let view = safetensors::tensor::TensorView::new(dtype, vec![2], &bytes).unwrap();
            let file = safetensors::serialize([("x", view)], None).unwrap();
            let values = take(&file, "x", &[2]).unwrap().into_data().try_to_vec::<f32>().unwrap();
            assert_eq!(values, [1.5, -2.0], "{dtype:?}");
        }
    }

    #[test]
    fn what_does_not_fit_is_named() {
        let name = |error: TrainError| error.to_string();
        assert_eq!(name(take(&encoded(), "c", &[1]).unwrap_err()), "x has no tensor `c`");
        assert_eq!(
            name(take(&encoded(), "a.bias", &[4]).unwrap_err()),
            "tensor `a.bias` in x has shape [3], the model expects [4]"
        );
        let extra = TensorFile::decode(Path::new("x"), &encoded()).unwrap().finish().unwrap_err();
        assert_eq!(name(extra), "x has a tensor `a.bias` that the model does not have");
    }

    #[test]
    fn hostile_files_are_refused() {
        let good = encoded();
        for length in [0, 4, 8, 40, good.len() - 1] {
            assert!(TensorFile::decode(Path::new("x"), &good[..length]).is_err(), "cut at {length}");
        }
        let mut longer = good.clone();
        longer.push(0);
        assert!(TensorFile::decode(Path::new("x"), &longer).is_err());
        let mut huge = good.clone();
        huge[..8].copy_from_slice(&u64::MAX.to_le_bytes());
        assert!(TensorFile::decode(Path::new("x"), &huge).is_err());
        let lying = String::from_utf8_lossy(&good[8..]).find("[2,3]").unwrap() + 8;
        let mut lie = good.clone();
        lie[lying + 1] = b'9';
        assert!(TensorFile::decode(Path::new("x"), &lie).is_err());
    }
}
