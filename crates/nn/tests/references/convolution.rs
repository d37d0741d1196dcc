//! Lightweight and dynamic convolution against fairseq, and against torch where filters are dilated.

use mixlab_nn::mixer::{ConvolutionConfig, Filters, MixerConfig};

use crate::block::{Around, Comparison};

/// Two filters, each for four neighbouring channels.
fn config(filters: Filters, taps: usize, dilation: usize) -> ConvolutionConfig {
    ConvolutionConfig {
        filters,
        kernels: vec![taps],
        dilations: vec![dilation],
        heads: 2,
        ..ConvolutionConfig::default()
    }
}

/// The table of a lightweight convolution is `[heads, 1, taps]`, the map of a dynamic one a linear layer.
fn check(case: &'static str, config: ConvolutionConfig, causal: bool) {
    let filters = config.filters;
    Comparison {
        case,
        mixer: MixerConfig::Convolution(config),
        around: Around::Nothing,
        causal,
        max_length: 64,
    }
    .check(|mapping| {
        for kind in ["weight", "bias"] {
            mapping.linear(&format!("linear1.{kind}"), &format!("mixer.input.{kind}"));
            mapping.linear(&format!("linear2.{kind}"), &format!("mixer.output.{kind}"));
        }
        match filters {
            Filters::Dynamic => mapping.linear("conv.weight_linear.weight", "mixer.map.weight"),
            Filters::Lightweight | Filters::Depthwise => mapping.same("conv.weight", "mixer.table"),
        }
    });
}

#[test]
fn fairseq_lightweight() {
    let config = |taps| config(Filters::Lightweight, taps, 1);
    check("fairseq_lightweight_causal", config(3), true);
    check("fairseq_lightweight_centred", config(3), false);
}

/// Two taps more than tokens: what is left of a filter is not rescaled.
#[test]
fn fairseq_filters_longer_than_the_text() {
    check("fairseq_lightweight_causal_short", config(Filters::Lightweight, 5, 1), true);
    check("fairseq_dynamic_causal_short", config(Filters::Dynamic, 5, 1), true);
}

/// One tap before the present token, two behind it.
#[test]
fn fairseq_even_filters() {
    check("fairseq_lightweight_centred_even", config(Filters::Lightweight, 4, 1), false);
}

#[test]
fn fairseq_dynamic() {
    let config = |taps| config(Filters::Dynamic, taps, 1);
    check("fairseq_dynamic_causal", config(3), true);
    check("fairseq_dynamic_centred", config(3), false);
}

#[test]
fn fairseq_renormalised_filters() {
    let config = ConvolutionConfig { renormalise: true, ..config(Filters::Dynamic, 4, 1) };
    check("fairseq_dynamic_causal_renormalised", config, true);
}

#[test]
fn torch_dilated() {
    let config = |filters| config(filters, 3, 2);
    check("torch_lightweight_causal_dilated", config(Filters::Lightweight), true);
    check("torch_lightweight_centred_dilated", config(Filters::Lightweight), false);
    check("torch_dynamic_causal_dilated", config(Filters::Dynamic), true);
    check("torch_dynamic_centred_dilated", config(Filters::Dynamic), false);
}
