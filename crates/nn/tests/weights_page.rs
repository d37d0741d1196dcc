//! The page on the weights file names every parameter that a model can have.

use std::collections::BTreeSet;
use std::path::Path;

use burn::tensor::Device;
use mixlab_core::Precision;
use mixlab_nn::channel::{ActivationConfig, ChannelConfig};
use mixlab_nn::embed::EmbeddingConfig;
use mixlab_nn::head::HeadConfig;
use mixlab_nn::mixer::{
    FlashConfig, GauConfig, LinearAttentionConfig, MixerConfig, NormaliserConfig, SoftmaxAttentionConfig,
};
use mixlab_nn::position::{PositionConfig, RelativeBiasConfig, SinusoidalLayout};
use mixlab_nn::{ModelConfig, named_parameters};

/// Every mixer with every option that adds a parameter.
fn mixers() -> Vec<MixerConfig> {
    let gau = |relative_bias| {
        let config = GauConfig::new(NormaliserConfig::Relu2Len);
        MixerConfig::Gau(GauConfig { bias: true, relative_bias, ..config })
    };
    let biased = || RelativeBiasConfig::Toeplitz { deviation: 0.02 };
    vec![
        MixerConfig::SoftmaxAttention(SoftmaxAttentionConfig {
            qkv_bias: true,
            output_bias: true,
            ..Default::default()
        }),
        MixerConfig::LinearAttention(LinearAttentionConfig {
            qkv_bias: true,
            output_bias: true,
            ..Default::default()
        }),
        gau(biased()),
        gau(RelativeBiasConfig::Rotary { width: 8, base: 10_000.0, deviation: 0.02 }),
        MixerConfig::Flash(FlashConfig { bias: true, relative_bias: biased(), ..Default::default() }),
    ]
}

fn channels() -> Vec<ChannelConfig> {
    let activation = ActivationConfig::Silu;
    vec![
        ChannelConfig::Mlp { expansion: 2.0, activation, bias: true },
        ChannelConfig::Glu { expansion: 2.0, activation, bias: true },
    ]
}

fn positions() -> Vec<PositionConfig> {
    let layout = SinusoidalLayout::default();
    vec![
        PositionConfig::Learned { deviation: 0.02 },
        PositionConfig::Sinusoidal { layout, scale: None, learned: true, base: 10_000.0 },
    ]
}

fn paths(config: &ModelConfig) -> impl Iterator<Item = String> {
    let model = config.build(5, 0, &Device::flex(), Precision::F32).unwrap();
    named_parameters(&model).into_iter().map(|p| p.path.replace("blocks.0.", "blocks.N."))
}

#[test]
fn the_weights_page_names_every_parameter() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/reference/weights.md");
    let page = std::fs::read_to_string(file).unwrap();
    let mut expected = BTreeSet::new();
    for mixer in mixers() {
        for (channel, position) in channels().into_iter().zip(positions()) {
            let config = ModelConfig {
                width: 8,
                depth: 1,
                max_length: 4,
                channel: Some(channel),
                position,
                embedding: EmbeddingConfig { norm: true, ..EmbeddingConfig::default() },
                head: HeadConfig { tied: false, bias: true },
                ..ModelConfig::new(mixer.clone())
            };
            expected.extend(paths(&config));
        }
    }
    let named: BTreeSet<String> = page
        .split('`')
        .skip(1)
        .step_by(2)
        .filter(|word| ["embedding.", "backbone.", "head."].iter().any(|root| word.starts_with(root)))
        .filter(|word| !word.ends_with(".norm"))
        .map(str::to_owned)
        .collect();
    let missing: Vec<_> = expected.difference(&named).collect();
    assert!(missing.is_empty(), "not on the page: {missing:?}");
    let invented: Vec<_> = named.difference(&expected).collect();
    assert!(invented.is_empty(), "on the page, but no parameter: {invented:?}");
}
