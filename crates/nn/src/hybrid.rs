//! A stack of two kinds of token mixers: some layers use another one than the rest.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::ModelError;
use crate::mixer::MixerConfig;

/// Layers with another token mixer, such as the few attention layers of a hybrid FNet.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct HybridConfig {
    /// The token mixer of these layers.
    pub mixer: Box<MixerConfig>,
    /// How many there are.
    pub layers: usize,
    /// Where they stand.
    #[serde(default)]
    pub layout: HybridLayout,
}

/// Where the layers with another mixer stand (Lee-Thorp et al. 2021, section 4.5).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum HybridLayout {
    /// The last ones.
    #[default]
    Top,
    /// The first ones.
    Bottom,
    /// The ones in the middle.
    Middle,
    /// Every so many layers from the first on. If their number does not divide the depth there can be more of them.
    Mixed,
}

impl HybridConfig {
    /// # Errors
    /// More layers than the model has.
    pub(crate) fn validate(&self, layers: usize) -> Result<(), ModelError> {
        if (1..=layers).contains(&self.layers) {
            return Ok(());
        }
        Err(ModelError::out_of_range("model.hybrid.layers", self.layers, format!("1 to {layers}")))
    }

    /// Whether layer `layer` of `depth` is one of them.
    pub fn holds(&self, layer: usize, depth: usize) -> bool {
        let count = self.layers;
        match self.layout {
            HybridLayout::Top => layer + count >= depth,
            HybridLayout::Bottom => layer < count,
            HybridLayout::Middle => depth - count <= 2 * layer && 2 * layer < depth + count,
            HybridLayout::Mixed => layer.is_multiple_of(depth / count),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mixer::SoftmaxAttentionConfig;

    #[test]
    fn layouts_of_two_in_six() {
        let layers = |layout| {
            let mixer = Box::new(MixerConfig::SoftmaxAttention(SoftmaxAttentionConfig::default()));
            let hybrid = HybridConfig { mixer, layers: 2, layout };
            (0..6).filter(|&layer| hybrid.holds(layer, 6)).collect::<Vec<_>>()
        };
        assert_eq!(layers(HybridLayout::Top), [4, 5]);
        assert_eq!(layers(HybridLayout::Bottom), [0, 1]);
        assert_eq!(layers(HybridLayout::Middle), [2, 3]);
        assert_eq!(layers(HybridLayout::Mixed), [0, 3]);
    }
}
