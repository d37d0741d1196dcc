//! Which device a run computes on and in which precision, both chosen at run time.

use std::str::FromStr;

use burn::tensor::{DType, Device};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A device by its name on the command line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum DeviceChoice {
    /// The processor of this machine.
    #[default]
    Cpu,
}

impl DeviceChoice {
    /// The device itself, without gradient tracking.
    pub fn device(self) -> Device {
        match self {
            DeviceChoice::Cpu => Device::flex(),
        }
    }
}

/// A device name that this build does not know.
#[derive(Debug, thiserror::Error)]
#[error("unknown device `{0}`, this build knows: cpu")]
pub struct UnknownDevice(pub String);

impl FromStr for DeviceChoice {
    type Err = UnknownDevice;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        match name {
            "cpu" => Ok(DeviceChoice::Cpu),
            other => Err(UnknownDevice(other.to_owned())),
        }
    }
}

/// Floating-point width of parameters, activations and sums.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Precision {
    /// 32-bit: training.
    #[default]
    F32,
    /// 64-bit: verification.
    F64,
}

impl Precision {
    /// The type every float tensor of a run is created with.
    pub fn dtype(self) -> DType {
        match self {
            Precision::F32 => DType::F32,
            Precision::F64 => DType::F64,
        }
    }

    /// The precision a tensor type stands for, if it is one of ours.
    pub fn from_dtype(dtype: DType) -> Option<Self> {
        match dtype {
            DType::F32 => Some(Precision::F32),
            DType::F64 => Some(Precision::F64),
            _ => None,
        }
    }

    /// Bytes of one number.
    pub fn size(self) -> usize {
        match self {
            Precision::F32 => 4,
            Precision::F64 => 8,
        }
    }
}
