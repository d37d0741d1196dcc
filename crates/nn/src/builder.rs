//! Where parameters are made: each gets its identity and its first values from its path.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use burn::module::{Param, ParamId};
use burn::tensor::{Device, Tensor, TensorData};
use mixlab_core::{Key, Precision, Purpose, hash64};

use crate::{Initialisation, InitialisationConfig, Initialiser, ModelError, Role};

/// Makes the parameters of a model under construction.
///
/// A builder stands at one path of the module tree. The path of a parameter equals the one that
/// [`crate::named_parameters`] reports, its identity is the hash of that path, and its values are a
/// function of (seed, path) alone: adding a layer never changes the others.
#[derive(Clone)]
pub struct Builder {
    shared: Rc<Shared>,
    drawing: Rc<Drawing>,
    path: String,
}

/// How matrices are drawn.
struct Drawing {
    scheme: Initialisation,
    depth: usize,
}

struct Shared {
    key: Key,
    device: Device,
    precision: Precision,
    /// Whether parameters get values; else they have a shape only, and reading one panics.
    draws: bool,
    identities: RefCell<BTreeMap<u64, String>>,
    collision: RefCell<Option<ModelError>>,
}

impl Builder {
    /// A builder at the root of a model with `depth` residual sublayers.
    pub fn new(
        seed: u64,
        device: &Device,
        precision: Precision,
        scheme: impl Into<Initialisation>,
        depth: usize,
    ) -> Self {
        let shared = Shared {
            key: Key::root(seed).purpose(Purpose::Init),
            device: device.clone(),
            precision,
            draws: true,
            identities: RefCell::default(),
            collision: RefCell::default(),
        };
        Self::root(shared, Drawing { scheme: scheme.into(), depth })
    }

    /// A builder of parameters without values, which take no memory: for a model that is listed but never run.
    pub(crate) fn without_values() -> Self {
        let shared = Shared {
            key: Key::root(0),
            device: Device::flex(),
            precision: Precision::F32,
            draws: false,
            identities: RefCell::default(),
            collision: RefCell::default(),
        };
        Self::root(shared, Drawing { scheme: InitialisationConfig::normal().into(), depth: 1 })
    }

    fn root(shared: Shared, drawing: Drawing) -> Self {
        Builder { shared: Rc::new(shared), drawing: Rc::new(drawing), path: String::new() }
    }

    /// The same place, where matrices are drawn by another scheme: for a stack of `depth` residual sublayers beside others.
    pub fn drawing(&self, scheme: impl Into<Initialisation>, depth: usize) -> Builder {
        Builder { drawing: Rc::new(Drawing { scheme: scheme.into(), depth }), ..self.clone() }
    }

    /// The builder of a part, named as the field that will hold it.
    pub fn child(&self, name: &str) -> Builder {
        Builder { path: self.join(name), ..self.clone() }
    }

    /// Dotted path of this part.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Number of residual sublayers of the model, or of the stack it is made of.
    pub fn depth(&self) -> usize {
        self.drawing.depth
    }

    /// Whether parameters get values.
    pub(crate) fn draws(&self) -> bool {
        self.shared.draws
    }

    /// The device parameters are made on.
    pub fn device(&self) -> &Device {
        &self.shared.device
    }

    /// The precision parameters are made in.
    pub fn precision(&self) -> Precision {
        self.shared.precision
    }

    /// A weight matrix `[fan_in, fan_out]`, drawn as the model's initialisation scheme says for its role.
    pub fn matrix(&self, name: &str, shape: [usize; 2], role: Role) -> Param<Tensor<2>> {
        self.parameter(name, shape, self.initialiser(shape, role))
    }

    /// A matrix over tokens, `[outputs, inputs]`, which multiplies from the left. Drawn as [`Builder::matrix`] draws one
    /// of as many inputs and outputs.
    pub fn token_matrix(&self, name: &str, shape: [usize; 2], role: Role) -> Param<Tensor<2>> {
        self.parameter(name, shape, self.token_initialiser(shape, role))
    }

    /// The distribution of a matrix over tokens, `[outputs, inputs]`.
    pub fn token_initialiser(&self, [outputs, inputs]: [usize; 2], role: Role) -> Initialiser {
        self.initialiser([inputs, outputs], role)
    }

    /// The distribution of a matrix `[fan_in, fan_out]`.
    fn initialiser(&self, [fan_in, fan_out]: [usize; 2], role: Role) -> Initialiser {
        self.drawing.scheme.matrix(role, fan_in, fan_out, self.drawing.depth)
    }

    /// Several matrices `[fan_in, width]`, each with its role, side by side in one parameter `[fan_in, Σ width]`. Each
    /// part is drawn by itself: Xavier on the fused shape would give the parts too small a deviation.
    pub fn fused_matrix(&self, name: &str, fan_in: usize, parts: &[(usize, Role)]) -> Param<Tensor<2>> {
        let total: usize = parts.iter().map(|&(width, _)| width).sum();
        self.parameter_with(name, [fan_in, total], |key, _| {
            let mut values = vec![0.0; fan_in * total];
            let mut start = 0;
            for (part, &(width, role)) in parts.iter().enumerate() {
                let initialiser = self.initialiser([fan_in, width], role);
                let drawn = initialiser.values(key.index(part as u64), fan_in * width);
                for (row, from) in drawn.chunks_exact(width).enumerate() {
                    values[row * total + start..][..width].copy_from_slice(from);
                }
                start += width;
            }
            values
        })
    }

    /// A parameter with an explicit distribution.
    pub fn parameter<const D: usize>(
        &self,
        name: &str,
        shape: [usize; D],
        initialiser: Initialiser,
    ) -> Param<Tensor<D>> {
        self.parameter_with(name, shape, |key, count| initialiser.values(key, count))
    }

    /// A parameter whose values are computed from its key and element count, for fused matrices
    /// whose parts have distributions of their own.
    pub fn parameter_with<const D: usize>(
        &self,
        name: &str,
        shape: [usize; D],
        values: impl FnOnce(Key, usize) -> Vec<f64>,
    ) -> Param<Tensor<D>> {
        let path = self.join(name);
        let identity = hash64(path.as_bytes());
        if let Some(first) = self.shared.identities.borrow_mut().insert(identity, path.clone()) {
            let error = ModelError::IdentityCollision { first, second: path.clone() };
            self.shared.collision.borrow_mut().get_or_insert(error);
        }
        let id = ParamId::from(identity);
        if !self.shared.draws {
            let read =
                |_: &Device, _: bool| -> Tensor<D> { unreachable!("a parameter without values was read") };
            return Param::uninitialized(id, read, self.shared.device.clone(), true, shape.into());
        }
        let values = values(self.shared.key.site(&path), shape.iter().product());
        let tensor = Tensor::from_data(
            TensorData::new(values, shape),
            (&self.shared.device, self.shared.precision.dtype()),
        );
        // Remembered on a plain device too: `Module::train` turns tracking on for such parameters only.
        Param::initialized(id, tensor).set_require_grad(true)
    }

    /// Whether every parameter made so far has an identity of its own.
    ///
    /// # Errors
    /// [`ModelError::IdentityCollision`] names the first two that share one.
    pub fn finish(&self) -> Result<(), ModelError> {
        self.shared.collision.borrow_mut().take().map_or(Ok(()), Err)
    }

    fn join(&self, name: &str) -> String {
        if self.path.is_empty() { name.to_owned() } else { format!("{}.{name}", self.path) }
    }
}
