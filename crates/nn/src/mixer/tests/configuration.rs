//! Configurations as files hold them, and the ones that are refused.

use mixlab_core::Diagnose;
use serde_json::{Value, json};

use super::*;

fn parse(value: Value) -> Result<MixerConfig, serde_json::Error> {
    serde_json::from_value(value)
}

#[test]
fn every_config_survives_its_own_text() {
    for config in registered().into_iter().chain(MixerConfig::catalogue()) {
        let text = serde_json::to_value(&config).expect("plain data");
        assert_eq!(text["kind"], config.name());
        assert_eq!(parse(text).expect("its own text"), config);
    }
}

#[test]
fn a_kind_alone_gives_the_defaults() {
    for config in MixerConfig::catalogue() {
        let found = match &config {
            MixerConfig::Gau(_) => parse(json!({"kind": "gau", "normaliser": {"kind": "relu2_len"}})),
            MixerConfig::SoftmaxAttention(_) | MixerConfig::LinearAttention(_) | MixerConfig::Flash(_) => {
                parse(json!({"kind": config.name()}))
            }
        };
        assert_eq!(found.expect("defaults"), config);
    }
}

/// The sources disagree on these; a silent default would be wrong for someone.
#[test]
fn choices_without_a_default_must_be_made() {
    let gau = |normaliser: Value| parse(json!({"kind": "gau", "normaliser": normaliser}));
    assert!(parse(json!({"kind": "gau"})).is_err_and(|e| e.to_string().contains("normaliser")));
    assert!(gau(json!({"kind": "softmax_plus"})).is_err_and(|e| e.to_string().contains("floor")));
    assert!(gau(json!({"kind": "softmax_plus", "floor": 16})).is_ok());
    assert!(gau(json!({"kind": "laplace"})).is_err_and(|e| e.to_string().contains("scale")));
}

#[test]
fn impossible_options_are_named_with_a_remedy() {
    let attention = |edit: &dyn Fn(&mut SoftmaxAttentionConfig)| {
        let mut config = SoftmaxAttentionConfig { heads: 2, ..Default::default() };
        edit(&mut config);
        MixerConfig::SoftmaxAttention(config)
    };
    let unit = |edit: &dyn Fn(&mut GauConfig)| {
        let mut config = gau(NormaliserConfig::Softmax);
        edit(&mut config);
        MixerConfig::Gau(config)
    };
    let chunked = |edit: &dyn Fn(&mut FlashConfig)| {
        let mut config = flash();
        edit(&mut config);
        MixerConfig::Flash(config)
    };
    let toeplitz = RelativeBiasConfig::Toeplitz { deviation: 0.02 };
    for (config, key) in [
        (attention(&|c| c.heads = 3), "model.mixer.heads"),
        (attention(&|c| c.heads = 0), "model.mixer.heads"),
        (attention(&|c| c.kv_heads = Some(4)), "model.mixer.kv_heads"),
        (attention(&|c| c.rotary.width = Some(3)), "model.mixer.rotary.width"),
        (attention(&|c| c.rotary.width = Some(6)), "model.mixer.rotary.width"),
        (attention(&|c| c.heads = 8), "model.mixer.rotary.width"),
        (attention(&|c| c.attention_dropout = 1.0), "model.mixer.attention_dropout"),
        (unit(&|c| c.expansion = 0.0), "model.mixer.expansion"),
        (unit(&|c| c.expansion = f64::NAN), "model.mixer.expansion"),
        (unit(&|c| c.key_width = 0), "model.mixer.key_width"),
        (unit(&|c| c.layers_per_block = 0), "model.mixer.layers_per_block"),
        (unit(&|c| c.relative_bias = toeplitz.clone()), "relative bias"),
        (chunked(&|c| c.chunk = 0), "model.mixer.chunk"),
        (chunked(&|c| c.attention_dropout = -0.1), "model.mixer.attention_dropout"),
    ] {
        let error = config.validate(WIDTH, MAX_LENGTH).expect_err("an impossible option");
        assert!(error.to_string().contains(key), "`{error}` does not name `{key}`");
        assert!(error.hint().is_some());
    }
    let linear = LinearAttentionConfig { epsilon: 0.0, ..Default::default() };
    assert!(MixerConfig::LinearAttention(linear).validate(WIDTH, MAX_LENGTH).is_err());
}

#[test]
fn the_longest_length_is_told() {
    let relative_bias = RelativeBiasConfig::Toeplitz { deviation: 0.02 };
    let config = MixerConfig::Gau(GauConfig { relative_bias, ..gau(NormaliserConfig::Relu2Len) });
    assert_eq!(config.maximum_length(96), Some(96));
    assert_eq!(MixerConfig::Flash(flash()).maximum_length(96), None);
}
