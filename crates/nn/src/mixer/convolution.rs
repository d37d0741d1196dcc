//! Lightweight, dynamic and dilated convolution: a gated projection, a depthwise convolution whose filters are shared
//! by groups of channels, and a projection.
//!
//! ```text
//! (a, b) = X·W_in + b_in   Y = a ⊙ σ(b)   O_{i,c} = Σ_t F_{head(c),t} · Y_{i + (t − left)·dilation, c}   O·W_out + b_out
//! ```
//!
//! Lightweight filters are a softmax over a learned table; dynamic ones a softmax of a map of `Y_i` alone, a filter of
//! its own for every position. Source: Wu et al., "Pay less attention with lightweight and dynamic convolutions", 2019,
//! equations 3 to 6; Tay et al., "Are pre-trained convolutions better than pre-trained Transformers?", 2021.

use burn::module::{Module, Param};
use burn::tensor::{Int, Tensor};
use mixlab_kernels::{
    Activation, ChannelMap, ConvolutionOptions, Dropout, Mask, depthwise_convolution, dropout,
    dynamic_convolution, glu, softmax,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::gau::yes;
use super::{MixerCost, Place, check_divides};
use crate::config::check_rate;
use crate::{Builder, Context, Initialiser, Linear, ModelError, Promises, Role};

/// Where filters come from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Filters {
    /// A learned table behind a softmax: the same filters at every position.
    #[default]
    Lightweight,
    /// A softmax of a map of the position itself: filters of its own for every position.
    Dynamic,
    /// A learned table as it is: the ordinary depthwise convolution.
    Depthwise,
}

/// Which filter a channel has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ChannelGroups {
    /// Neighbouring channels share one, as in the paper: head(c) = c · heads / d, rounded down.
    #[default]
    Contiguous,
    /// Channels whose numbers differ by a multiple of `heads` share one: for weights of an old implementation only.
    Modular,
}

impl From<ChannelGroups> for ChannelMap {
    fn from(groups: ChannelGroups) -> Self {
        match groups {
            ChannelGroups::Contiguous => ChannelMap::Contiguous,
            ChannelGroups::Modular => ChannelMap::Modular,
        }
    }
}

/// Options of lightweight, dynamic and dilated convolution.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct ConvolutionConfig {
    /// Where filters come from.
    pub filters: Filters,
    /// Taps of a filter, a number a layer; the last one serves all further layers.
    pub kernels: Vec<usize>,
    /// Positions from one tap to the next, a number a layer; the last one serves all further layers.
    pub dilations: Vec<usize>,
    /// Number of filters; divides the model width.
    pub heads: usize,
    /// Which filter a channel has.
    pub groups: ChannelGroups,
    /// Whether the input projection is twice as wide and gated.
    pub glu: bool,
    /// Whether both projections have biases.
    pub bias: bool,
    /// Whether filters that hang over an end are divided by what is left of them.
    pub renormalise: bool,
    /// DropConnect: the share of filter weights dropped in training, after the softmax, in [0, 1).
    pub drop_connect: f64,
}

impl Default for ConvolutionConfig {
    fn default() -> Self {
        ConvolutionConfig {
            filters: Filters::default(),
            kernels: vec![7],
            dilations: vec![1],
            heads: 4,
            groups: ChannelGroups::default(),
            glu: yes(),
            bias: yes(),
            renormalise: false,
            drop_connect: 0.0,
        }
    }
}

impl ConvolutionConfig {
    /// # Errors
    /// No taps, heads that do not divide the width, a rate outside [0, 1), or renormalised filters without a softmax.
    pub fn validate(&self, width: usize) -> Result<(), ModelError> {
        check_divides(("model.mixer.heads", self.heads), ("model.width", width))?;
        for (key, list) in
            [("model.mixer.kernels", &self.kernels), ("model.mixer.dilations", &self.dilations)]
        {
            if list.is_empty() || list.iter().any(|&number| number == 0 || number > 1 << 16) {
                let expected = "a list of numbers from 1 to 65536";
                return Err(ModelError::out_of_range(key, format!("{list:?}"), expected));
            }
        }
        if self.renormalise && self.filters == Filters::Depthwise {
            return Err(ModelError::Unsupported {
                method: "convolution".to_owned(),
                purpose: "renormalised filters without a softmax",
                reason: "weights of either sign can sum to 0".to_owned(),
                remedy: "set `model.mixer.renormalise = false`, or use lightweight or dynamic filters"
                    .to_owned(),
            });
        }
        check_rate("model.mixer.drop_connect", self.drop_connect)
    }

    pub(super) fn init(&self, place: Place, builder: &Builder) -> Convolution {
        let (d, taps) = (place.width, self.kernel(place));
        // The gate is bounded by its sigmoid, so that only two matrices decide on the size of the branch.
        let mut inner = vec![(d, Role::Value { factors: 2 })];
        inner.extend(self.glu.then_some((d, Role::Input)));
        let shape = [self.heads, taps];
        let table = |first| Some(builder.parameter("table", shape, first));
        let (table, map) = match self.filters {
            Filters::Lightweight => (table(Initialiser::xavier_uniform(taps, self.heads, 1.0)), None),
            Filters::Depthwise => (table(Initialiser::lecun_normal(taps)), None),
            Filters::Dynamic => {
                let shape = [d, self.heads * taps];
                (None, Some(Linear::new(shape, Role::Input, false, &builder.child("map"))))
            }
        };
        Convolution {
            input: Linear::fused(d, &inner, self.bias, &builder.child("input")),
            table,
            map,
            output: Linear::new([d, d], Role::Output { factors: 2 }, self.bias, &builder.child("output")),
            dilation: pick(&self.dilations, place.layer),
            site: format!("{}.filters", builder.path()),
            config: self.clone(),
        }
    }

    /// What a convolution promises in one direction. Filters of one tap mix nothing.
    pub fn promises(&self, causal: bool) -> Promises {
        let alone = self.kernels.iter().all(|&taps| taps == 1);
        Promises {
            causal: causal || alone,
            any_length: true,
            padding_safe: true,
            streaming: causal || alone,
            prefix_consistent: causal || alone,
            permutation_equivariant: alone,
        }
    }

    /// K · n · d for the taps, those that hang over an end included, and the projections: 3·n·d² with a gate, n·d·h·K
    /// for dynamic filters.
    pub fn cost(&self, place: Place, length: usize) -> MixerCost {
        let (n, d, taps) = (length as u64, place.width as u64, self.kernel(place) as u64);
        let inputs = if self.glu { 2 } else { 1 };
        let map = if self.filters == Filters::Dynamic { d * self.heads as u64 * taps } else { 0 };
        MixerCost { projections: n * ((inputs + 1) * d * d + map), mixing: taps * n * d, scores: 0 }
    }

    fn kernel(&self, place: Place) -> usize {
        pick(&self.kernels, place.layer)
    }
}

/// The entry of a layer, or the last one.
fn pick(list: &[usize], layer: usize) -> usize {
    list.get(layer).or(list.last()).copied().unwrap_or(1)
}

/// A gated projection, a depthwise convolution with shared filters, a projection (Wu et al. 2019, equations 3 to 6).
/// Shapes: `[b, n, d]` to the same.
#[derive(Module, Debug)]
pub struct Convolution {
    input: Linear,
    /// `[heads, K]`, of filters that are the same everywhere.
    table: Option<Param<Tensor<2>>>,
    /// `[d, heads · K]`, of dynamic filters.
    map: Option<Linear>,
    output: Linear,
    #[module(skip)]
    dilation: usize,
    #[module(skip)]
    site: String,
    #[module(skip)]
    config: ConvolutionConfig,
}

/// The last inputs of a causal convolution, as many as its filters reach back: bounded.
#[derive(Clone, Debug, Default)]
pub struct ConvolutionState {
    /// Gated inputs, `[b, t, d]` with t at most (K − 1) · dilation.
    rows: Option<Tensor<3>>,
    position: usize,
}

impl ConvolutionState {
    /// The state of some sequences of the batch.
    pub(super) fn select(&self, rows: &Tensor<1, Int>) -> Self {
        let pick = |x: &Tensor<3>| x.clone().select(0, rows.clone());
        ConvolutionState { rows: self.rows.as_ref().map(pick), position: self.position }
    }

    /// Number of positions seen.
    pub fn position(&self) -> usize {
        self.position
    }

    /// Numbers held.
    pub fn size(&self) -> usize {
        self.rows.as_ref().map_or(0, super::state::numbers)
    }
}

impl Convolution {
    /// Mixes `x` `[b, n, d]`.
    pub fn forward(&self, x: Tensor<3>, context: &Context) -> Tensor<3> {
        let y = self.gated(x);
        let noise = context.dropout(self.config.drop_connect, &self.site);
        let filters = self.filters(&y, noise);
        let options = self.options(context.causal, context.mask.clone());
        self.output.forward(filters.convolve(y, options), Activation::Identity)
    }

    /// Mixes the next positions `x` `[b, k, d]`; `state` holds what the filters still reach.
    pub fn step(&self, x: Tensor<3>, state: &mut ConvolutionState) -> Tensor<3> {
        let [batch, count, width] = x.dims();
        let y = self.gated(x);
        let filters = self.filters(&y, None);
        let held = state.rows.take();
        let known = held.as_ref().map_or(0, |rows| rows.dims()[1]);
        let filters = filters.behind(known, batch);
        let all = match held {
            Some(rows) => Tensor::cat(vec![rows, y.detach()], 1),
            None => y.detach(),
        };
        let mixed = filters.convolve(all.clone(), self.options(true, Mask::default()));
        let reach = ((self.taps() - 1) * self.dilation).min(known + count);
        state.rows =
            (reach > 0).then(|| all.slice([0..batch, known + count - reach..known + count, 0..width]));
        state.position += count;
        self.output.forward(mixed.narrow(1, known, count), Activation::Identity)
    }

    /// The options the mixer was made from.
    pub fn config(&self) -> &ConvolutionConfig {
        &self.config
    }

    fn gated(&self, x: Tensor<3>) -> Tensor<3> {
        let inner = self.input.forward(x, Activation::Identity);
        if self.config.glu { glu(inner, Activation::Sigmoid) } else { inner }
    }

    fn taps(&self) -> usize {
        let of_map = || self.map.as_ref().map_or(1, |map| map.shape()[1] / self.config.heads);
        self.table.as_ref().map_or_else(of_map, |table| table.lazy_shape()[1])
    }

    fn filters(&self, y: &Tensor<3>, noise: Option<Dropout>) -> FilterValues {
        let ([batch, n, _], heads, taps) = (y.dims(), self.config.heads, self.taps());
        if let Some(map) = &self.map {
            let filters = map.forward(y.clone(), Activation::Identity).reshape([batch, n, heads, taps]);
            let filters = softmax(filters);
            return FilterValues::Own(match noise {
                Some(noise) => dropout(filters, &noise),
                None => filters,
            });
        }
        let Some(table) = &self.table else { unreachable!("filters come from a table or a map") };
        let filters = match self.config.filters {
            Filters::Depthwise => table.val(),
            Filters::Lightweight | Filters::Dynamic => softmax(table.val()),
        };
        FilterValues::Shared(match noise {
            Some(noise) => {
                // One table serves all rows, so its noise belongs to none of them.
                let noise = Dropout { samples: [0].into(), ..noise };
                dropout(filters.reshape([1, heads, taps]), &noise).reshape([heads, taps])
            }
            None => filters,
        })
    }

    fn options(&self, causal: bool, mask: Mask) -> ConvolutionOptions {
        ConvolutionOptions {
            causal,
            dilation: self.dilation,
            channels: self.config.groups.into(),
            renormalise: self.config.renormalise,
            mask,
        }
    }
}

/// Filters of one pass.
enum FilterValues {
    /// `[heads, K]`.
    Shared(Tensor<2>),
    /// `[b, n, heads, K]`.
    Own(Tensor<4>),
}

impl FilterValues {
    fn convolve(self, y: Tensor<3>, options: ConvolutionOptions) -> Tensor<3> {
        match self {
            FilterValues::Shared(filters) => depthwise_convolution(y, filters, options),
            FilterValues::Own(filters) => dynamic_convolution(y, filters, options),
        }
    }

    /// With empty filters for `known` earlier positions, whose outputs are not wanted.
    fn behind(self, known: usize, batch: usize) -> FilterValues {
        match self {
            FilterValues::Own(filters) if known > 0 => {
                let [_, _, heads, taps] = filters.dims();
                let none = Tensor::zeros([batch, known, heads, taps], (&filters.device(), filters.dtype()));
                FilterValues::Own(Tensor::cat(vec![none, filters], 1))
            }
            filters => filters,
        }
    }
}
