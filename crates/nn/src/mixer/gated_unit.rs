//! What every gated attention unit shares, whatever its attention: projections, affine maps, gate.
//!
//! ```text
//! U = silu(X·W_u + b_u)   V = silu(X·W_v + b_v)   Z = silu(X·W_z + b_z)
//! heads: Z ⊙ γ_i + β_i, then rotated           output: (U ⊙ A·V)·W_o + b_o
//! ```
//!
//! Source: Hua et al., "Transformer quality in linear time", 2022, section 2.2. With A = I this is a gated
//! linear unit; with U = 1 it is plain attention with one head.

use burn::module::{Module, Param};
use burn::tensor::Tensor;
use mixlab_kernels::{Activation, Positions, affine_rotary, gated_product};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::position::Rotary;
use crate::{Builder, Initialiser, Linear, ModelError, Role};

/// First values of the factors γ of queries and keys. The offsets β start at 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum AffineInitialisation {
    /// γ = 1: queries and keys start equal (GAU-alpha).
    #[default]
    Ones,
    /// γ normal around 0, as in the FLASH paper's appendix.
    Normal {
        /// Standard deviation.
        #[serde(default = "crate::position::default_deviation")]
        deviation: f64,
    },
}

impl From<AffineInitialisation> for Initialiser {
    fn from(config: AffineInitialisation) -> Self {
        match config {
            AffineInitialisation::Ones => Initialiser::Ones,
            AffineInitialisation::Normal { deviation } => Initialiser::Normal { deviation },
        }
    }
}

/// Sizes and options of a gated unit.
pub(super) struct GatedUnitOptions {
    /// Model width d.
    pub width: usize,
    /// Expanded width e.
    pub expanded: usize,
    /// Shared query and key width s.
    pub key_width: usize,
    /// Number of affine maps of Z: 2 in GAU, 4 in FLASH.
    pub heads: usize,
    pub bias: bool,
    pub affine_bias: bool,
    pub affine: AffineInitialisation,
    pub rotary: Option<Rotary>,
}

/// The expanded width e of a unit: `expansion · width`, rounded.
pub(super) fn expanded_width(expansion: f64, width: usize) -> usize {
    (expansion * width as f64).round() as usize
}

/// # Errors
/// An expansion, key width, γ deviation or layer count outside its range.
pub(super) fn check_unit(
    expansion: f64,
    width: usize,
    key_width: usize,
    affine: AffineInitialisation,
    layers_per_block: usize,
) -> Result<(), ModelError> {
    if !(expansion.is_finite() && expansion <= 64.0 && expanded_width(expansion, width) >= 1) {
        return Err(ModelError::out_of_range("model.mixer.expansion", expansion, "above 0 and at most 64"));
    }
    for (key, value) in
        [("model.mixer.key_width", key_width), ("model.mixer.layers_per_block", layers_per_block)]
    {
        if value == 0 || value > 1 << 16 {
            return Err(ModelError::out_of_range(key, value, "1 to 65536"));
        }
    }
    match affine {
        AffineInitialisation::Ones => Ok(()),
        AffineInitialisation::Normal { deviation } => {
            crate::position::check_deviation("model.mixer.affine.deviation", deviation)
        }
    }
}

/// The projections and the gate around an attention A: `Y = (silu(X·W_u) ⊙ A·silu(X·W_v))·W_o`, with queries and
/// keys as rotated affine images `Z ⊙ γ + β` of one `Z = silu(X·W_z)` (Hua et al. 2022, section 2.2).
#[derive(Module, Debug)]
pub struct GatedUnit {
    /// `[d, 2e + s]`: W_u, W_v, W_z side by side.
    input: Linear,
    /// One row γ a head, `[heads, s]`; queries before keys, quadratic before linear.
    gamma: Param<Tensor<2>>,
    /// One row β a head, `[heads, s]`.
    beta: Option<Param<Tensor<2>>>,
    /// `[e, d]`.
    output: Linear,
    #[module(skip)]
    rotary: Option<Rotary>,
}

/// The projections of an input `[b, n, d]`.
pub(super) struct Projected<const HEADS: usize> {
    /// U before its activation, `[b, n, e]`.
    pub gate: Tensor<3>,
    /// V, `[b, n, e]`.
    pub value: Tensor<3>,
    /// Rotated affine images of Z, `[b, n, s]` each.
    pub heads: [Tensor<3>; HEADS],
}

impl GatedUnit {
    pub(super) fn new(options: GatedUnitOptions, builder: &Builder) -> Self {
        let GatedUnitOptions { width, expanded, key_width, heads, bias, affine_bias, affine, rotary } =
            options;
        let value = Role::Value { factors: 3 };
        let parts = [(expanded, value), (expanded, value), (key_width, Role::Input)];
        let shape = [heads, key_width];
        GatedUnit {
            input: Linear::fused(width, &parts, bias, &builder.child("input")),
            gamma: builder.parameter("gamma", shape, affine.into()),
            beta: affine_bias.then(|| builder.parameter("beta", shape, Initialiser::Zeros)),
            output: Linear::new(
                [expanded, width],
                Role::Output { factors: 3 },
                bias,
                &builder.child("output"),
            ),
            rotary,
        }
    }

    /// Projects `x` `[b, n, d]`, whose rows stand at `positions`.
    pub(super) fn project<const HEADS: usize>(&self, x: Tensor<3>, positions: Positions) -> Projected<HEADS> {
        let (e, [_, total]) = (self.expanded(), self.input.shape());
        let part = |columns, activation| self.input.forward_columns(x.clone(), columns, activation);
        let shared = part(2 * e..total, Activation::Silu);
        Projected {
            gate: part(0..e, Activation::Identity),
            value: part(e..2 * e, Activation::Silu),
            heads: std::array::from_fn(|head| self.head(shared.clone(), head, positions)),
        }
    }

    /// The expanded width e.
    pub(super) fn expanded(&self) -> usize {
        self.output.shape()[0]
    }

    /// `Z ⊙ γ + β` of one head, rotated.
    fn head(&self, shared: Tensor<3>, head: usize, positions: Positions) -> Tensor<3> {
        let beta = self.beta.as_ref().map(Param::val);
        let rotary = self.rotary.map(|rotary| rotary.options());
        affine_rotary(shared, self.gamma.val(), beta, head, rotary, positions)
    }

    /// Zeros where the unit's parameters are and in their precision.
    pub(super) fn zeros<const D: usize>(&self, shape: [usize; D]) -> Tensor<D> {
        self.output.zeros(shape)
    }

    /// `(silu(gate) ⊙ attended)·W_o + b_o`, `[b, n, e]` to `[b, n, d]`.
    pub(super) fn finish(&self, attended: Tensor<3>, gate: Tensor<3>) -> Tensor<3> {
        let gated = gated_product(attended, gate, Activation::Silu);
        self.output.forward(gated, Activation::Identity)
    }
}
