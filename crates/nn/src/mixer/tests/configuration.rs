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
            _ => parse(json!({"kind": config.name()})),
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
    for (config, key) in impossible_without_attention() {
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
    assert_eq!(config.lengths(96, true), Lengths::AtMost(96));
    assert_eq!(MixerConfig::Flash(flash()).lengths(96, true), Lengths::Any);
    let mixer = MixerConfig::MlpMixer(MlpMixerConfig::default());
    assert_eq!(mixer.lengths(96, false), Lengths::Exactly(96));
    // A causal matrix keeps its upper left corner at every shorter length.
    let matrix = MixerConfig::ResMlp(ResMlpConfig::default());
    assert_eq!(
        [true, false].map(|causal| matrix.lengths(96, causal)),
        [Lengths::AtMost(96), Lengths::Exactly(96)]
    );
}

fn impossible_without_attention() -> Vec<(MixerConfig, &'static str)> {
    let toeplitz = LengthPolicy::Toeplitz;
    let mlp_mixer = |config| MixerConfig::MlpMixer(config);
    let ff_only = |config| MixerConfig::FfOnly(config);
    let gmlp = |config| MixerConfig::Gmlp(config);
    let external = |config| MixerConfig::ExternalAttention(config);
    let convolution = |config| MixerConfig::Convolution(config);
    let synthesizer = |config| MixerConfig::Synthesizer(config);
    vec![
        (
            mlp_mixer(MlpMixerConfig { token_hidden: Some(0), ..Default::default() }),
            "model.mixer.token_hidden",
        ),
        (mlp_mixer(MlpMixerConfig { length: toeplitz, ..Default::default() }), "length policy"),
        (ff_only(FfOnlyConfig { expansion: 0.0, ..Default::default() }), "model.mixer.expansion"),
        (ff_only(FfOnlyConfig { epsilon: 0.0, ..Default::default() }), "model.mixer.epsilon"),
        (ff_only(FfOnlyConfig { length: toeplitz, ..Default::default() }), "length policy"),
        (gmlp(GmlpConfig { expansion: 0.125, ..Default::default() }), "model.mixer.expansion"),
        (gmlp(GmlpConfig { attention_width: Some(0), ..Default::default() }), "model.mixer.attention_width"),
        (gmlp(GmlpConfig { layers_per_block: 0, ..Default::default() }), "model.mixer.layers_per_block"),
        (
            gmlp(GmlpConfig { weights: TokenWeights::Toeplitz, length: toeplitz, ..Default::default() }),
            "length policy",
        ),
        (external(ExternalAttentionConfig { slots: 0, ..Default::default() }), "model.mixer.slots"),
        (external(ExternalAttentionConfig { heads: Some(3), ..Default::default() }), "model.mixer.heads"),
        (
            external(ExternalAttentionConfig { heads: Some(2), tied: true, ..Default::default() }),
            "tied memories",
        ),
        (convolution(ConvolutionConfig { kernels: vec![], ..Default::default() }), "model.mixer.kernels"),
        (
            convolution(ConvolutionConfig { dilations: vec![0], ..Default::default() }),
            "model.mixer.dilations",
        ),
        (convolution(ConvolutionConfig { heads: 3, ..Default::default() }), "model.mixer.heads"),
        (
            convolution(ConvolutionConfig { drop_connect: 1.0, ..Default::default() }),
            "model.mixer.drop_connect",
        ),
        (
            convolution(ConvolutionConfig {
                renormalise: true,
                filters: Filters::Depthwise,
                ..Default::default()
            }),
            "renormalised filters",
        ),
        (synthesizer(SynthesizerConfig { heads: 3, ..Default::default() }), "model.mixer.heads"),
        (
            synthesizer(SynthesizerConfig {
                scores: SynthesizerScores::Factorised { rank: 0 },
                ..Default::default()
            }),
            "model.mixer.scores.rank",
        ),
    ]
}

/// A mixer that sees everything is refused in a causal model, and so is a policy that would change the past.
#[test]
fn causal_models_of_mixers_that_see_everything_are_refused() {
    let refused: Vec<&str> = MixerConfig::catalogue()
        .iter()
        .filter(|config| config.check_direction(true).is_err())
        .map(MixerConfig::name)
        .collect();
    assert_eq!(refused, ["mlp_mixer", "ff_only", "fnet", "external_attention"]);
    let huge = MixerConfig::ResMlp(ResMlpConfig::default()).validate(WIDTH, 1 << 20);
    assert!(huge.is_err_and(|error| error.to_string().contains("every pair of positions")));
    let matrix = MixerConfig::ResMlp(ResMlpConfig { length: LengthPolicy::Interpolate });
    let error = matrix.check_direction(true).expect_err("resampling changes the past");
    assert!(error.hint().is_some_and(|hint| hint.contains("block_diagonal")));
}
