//! What every mixer must do, for every option that changes what it does. A mixer joins the suite by its
//! entry in [`registered`].

mod configuration;
mod counts;
mod gradients;
mod identities;
mod naive;
mod naive_without_attention;
mod promises;
mod streaming;

use std::collections::BTreeMap;
use std::sync::Arc;

use burn::tensor::{Device, Tensor, TensorData};
use mixlab_core::{Key, Precision, Purpose};
use mixlab_kernels::Mask;

use super::*;
use crate::channel::ActivationConfig;
use crate::position::{RelativeBiasConfig, RotaryConfig, RotaryLayoutConfig};
use crate::{Builder, InitialisationConfig, parameter_values, with_parameters};

const WIDTH: usize = 8;
const MAX_LENGTH: usize = 24;
const CHUNK: usize = 4;

/// Every mixer in small, in every form that differs in mathematics.
fn registered() -> Vec<MixerConfig> {
    let mut all = Vec::new();
    for rotary in [RotaryConfig::none(), RotaryConfig { width: Some(2), ..RotaryConfig::default() }] {
        for kv_heads in [None, Some(1)] {
            let config =
                SoftmaxAttentionConfig { heads: 2, kv_heads, rotary: rotary.clone(), ..Default::default() };
            all.push(MixerConfig::SoftmaxAttention(SoftmaxAttentionConfig { qkv_bias: true, ..config }));
        }
        let config = LinearAttentionConfig { heads: 2, rotary, ..Default::default() };
        all.push(MixerConfig::LinearAttention(LinearAttentionConfig { output_bias: true, ..config }));
    }
    all.extend(normalisers().map(|normaliser| MixerConfig::Gau(gau(normaliser))));
    all.extend(biases().map(|relative_bias| {
        MixerConfig::Gau(GauConfig { relative_bias, ..gau(NormaliserConfig::Relu2Len) })
    }));
    let rotary = RotaryConfig::none();
    all.push(MixerConfig::Gau(GauConfig { rotary, ..gau(NormaliserConfig::Softmax) }));
    for normaliser in [ChunkNormaliserConfig::Mean, ChunkNormaliserConfig::PerChunk] {
        all.push(MixerConfig::Flash(FlashConfig { normaliser, ..flash() }));
    }
    all.extend(biases().map(|relative_bias| {
        let quadratic_scale = QuadraticScale::PerChunkAndWidth;
        MixerConfig::Flash(FlashConfig { relative_bias, quadratic_scale, ..flash() })
    }));
    all.extend(without_attention());
    all
}

/// The models of May 2021.
fn without_attention() -> Vec<MixerConfig> {
    use LengthPolicy::{BlockDiagonal, Interpolate, Pad, Refuse, Toeplitz, Truncate};
    let mut all = Vec::new();
    for length in [Refuse, Truncate, Pad, Interpolate, BlockDiagonal] {
        let config = MlpMixerConfig { token_hidden: Some(5), length, ..Default::default() };
        all.push(MixerConfig::MlpMixer(config));
        all.push(MixerConfig::FfOnly(FfOnlyConfig { expansion: 1.5, length, ..Default::default() }));
    }
    all.extend(
        [Refuse, Pad, Interpolate, BlockDiagonal, Toeplitz]
            .map(|length| MixerConfig::ResMlp(ResMlpConfig { length })),
    );
    let gmlp = GmlpConfig { expansion: 1.5, ..Default::default() };
    for attention_width in [None, Some(3)] {
        for weights in [TokenWeights::Dense, TokenWeights::Toeplitz] {
            all.push(MixerConfig::Gmlp(GmlpConfig { attention_width, weights, ..gmlp.clone() }));
        }
    }
    let gate_activation = ActivationConfig::Silu;
    all.push(MixerConfig::Gmlp(GmlpConfig { gate_activation, length: BlockDiagonal, ..gmlp.clone() }));
    all.push(MixerConfig::Gmlp(GmlpConfig { length: Toeplitz, ..gmlp }));
    all.extend(fourier_mixings().map(|mixing| MixerConfig::Fnet(FnetConfig { mixing })));
    let external = ExternalAttentionConfig { slots: 5, ..Default::default() };
    for normalisation in [ExternalNormalisation::Double, ExternalNormalisation::Slots] {
        for (heads, tied) in [(None, false), (None, true), (Some(2), false)] {
            let config = ExternalAttentionConfig { normalisation, heads, tied, ..external.clone() };
            all.push(MixerConfig::ExternalAttention(config));
        }
    }
    all.extend(convolutions().into_iter().map(MixerConfig::Convolution));
    for scores in synthesized_scores() {
        for mixture in [None, Some(SynthesizerMixture::Sum), Some(SynthesizerMixture::Gate)] {
            let config = SynthesizerConfig { scores, mixture, heads: 2, ..Default::default() };
            all.push(MixerConfig::Synthesizer(config));
        }
    }
    all
}

fn fourier_mixings() -> impl Iterator<Item = FnetMixing> {
    let fourier = |transform, span| FnetMixing::Fourier { transform, span };
    [
        fourier(FourierTransform::Fast, FourierSpan::TrueLength),
        fourier(FourierTransform::Fast, FourierSpan::Padded),
        fourier(FourierTransform::Product, FourierSpan::TrueLength),
        fourier(FourierTransform::Product, FourierSpan::Padded),
        FnetMixing::Linear { length: LengthPolicy::Refuse },
        FnetMixing::Linear { length: LengthPolicy::BlockDiagonal },
        FnetMixing::Random { length: LengthPolicy::Truncate },
        FnetMixing::Identity,
    ]
    .into_iter()
}

fn convolutions() -> Vec<ConvolutionConfig> {
    let convolution = |filters, kernel: usize, dilation: usize| ConvolutionConfig {
        filters,
        kernels: vec![kernel],
        dilations: vec![dilation],
        heads: 2,
        ..Default::default()
    };
    let lightweight = convolution(Filters::Lightweight, 3, 1);
    vec![
        lightweight.clone(),
        convolution(Filters::Lightweight, 4, 2),
        ConvolutionConfig { glu: false, bias: false, ..lightweight.clone() },
        ConvolutionConfig { groups: ChannelGroups::Modular, renormalise: true, ..lightweight.clone() },
        convolution(Filters::Lightweight, 1, 1),
        convolution(Filters::Dynamic, 3, 1),
        ConvolutionConfig { renormalise: true, ..convolution(Filters::Dynamic, 4, 2) },
        convolution(Filters::Depthwise, 3, 2),
    ]
}

fn synthesized_scores() -> [SynthesizerScores; 4] {
    [
        SynthesizerScores::Random { learned: true },
        SynthesizerScores::Random { learned: false },
        SynthesizerScores::Factorised { rank: 3 },
        SynthesizerScores::Dense,
    ]
}

/// The directions a mixer can be used in.
fn directions(config: &MixerConfig) -> impl Iterator<Item = bool> + use<> {
    let possible = [true, false].map(|causal| config.check_direction(causal).is_ok());
    assert!(possible[1], "every mixer can look both ways");
    [true, false].into_iter().zip(possible).filter_map(|(causal, possible)| possible.then_some(causal))
}

fn normalisers() -> impl Iterator<Item = NormaliserConfig> {
    let laplace = |scale| NormaliserConfig::Laplace { scale, mean: 0.7, deviation: 0.3 };
    [
        NormaliserConfig::Relu2Nn,
        NormaliserConfig::Relu2Ns,
        NormaliserConfig::Relu2Len,
        NormaliserConfig::Relu2Const { constant: 7.0 },
        NormaliserConfig::Relu2Sqrt,
        NormaliserConfig::Relu2Sum,
        NormaliserConfig::Softmax,
        NormaliserConfig::SoftmaxPlus { floor: 3, reference: 16.0 },
        laplace(LaplaceScale::Length),
        laplace(LaplaceScale::Width),
    ]
    .into_iter()
}

fn biases() -> impl Iterator<Item = RelativeBiasConfig> {
    let deviation = 1.0;
    [
        RelativeBiasConfig::Toeplitz { deviation },
        RelativeBiasConfig::ToeplitzByLength { deviation },
        RelativeBiasConfig::Rotary { width: 4, base: 50.0, deviation },
        RelativeBiasConfig::T5 { buckets: 8, max_distance: 16, scale: 1.5, deviation },
    ]
    .into_iter()
}

fn gau(normaliser: NormaliserConfig) -> GauConfig {
    GauConfig { expansion: 1.5, key_width: 6, bias: true, ..GauConfig::new(normaliser) }
}

fn flash() -> FlashConfig {
    let rotary = RotaryConfig { layout: RotaryLayoutConfig::Interleaved, ..RotaryConfig::default() };
    FlashConfig { chunk: CHUNK, expansion: 1.5, key_width: 6, rotary, ..FlashConfig::default() }
}

/// The mixer with every parameter redrawn: values that start at 0 or 1 would hide a dropped term.
fn build(config: &MixerConfig) -> Mixer {
    build_for(config, MAX_LENGTH)
}

/// The mixer made for sequences of at most `max_length`.
fn build_for(config: &MixerConfig, max_length: usize) -> Mixer {
    build_on(config, max_length, &Device::flex(), Precision::F64)
}

fn build_on(config: &MixerConfig, max_length: usize, device: &Device, precision: Precision) -> Mixer {
    let builder = Builder::new(5, device, precision, InitialisationConfig::normal(), 2);
    let place = Place { width: WIDTH, max_length, layer: 0 };
    let mixer = config.init(place, &builder).expect("a valid config");
    builder.finish().expect("distinct identities");
    let key = Key::root(11).purpose(Purpose::Synthetic);
    let drawn: BTreeMap<String, Tensor<1>> = parameter_values(&mixer)
        .into_iter()
        .map(|(path, values)| {
            let new = draw(key.site(&path), values.dims(), precision).mul_scalar(0.5);
            (path, new)
        })
        .collect();
    with_parameters(mixer, drawn)
}

/// Standard normals without gradient tracking.
fn draw<const D: usize>(key: Key, shape: [usize; D], precision: Precision) -> Tensor<D> {
    let (stream, count) = (key.sample(0), shape.iter().product::<usize>());
    let values: Vec<f64> = (0..count as u64).map(|i| stream.normal(i)).collect();
    Tensor::from_data(TensorData::new(values, shape), (&Device::flex(), precision.dtype()))
}

fn input(batch: usize, n: usize) -> Tensor<3> {
    draw(Key::root(23), [batch, n, WIDTH], Precision::F64)
}

fn context(batch: usize, causal: bool) -> Context {
    Context::evaluation(batch, causal)
}

fn padding(real: &[bool]) -> Mask {
    Mask { padding: Some(Arc::from(real)), segments: None }
}

fn segments(ids: &[u32]) -> Mask {
    Mask { padding: None, segments: Some(Arc::from(ids)) }
}

fn forward(mixer: &Mixer, x: &Tensor<3>, causal: bool, mask: Mask) -> Tensor<3> {
    mixer.forward(x.clone(), &Context { mask, ..context(x.dims()[0], causal) })
}

fn numbers<const D: usize>(tensor: &Tensor<D>) -> Vec<f64> {
    tensor.clone().into_data().convert::<f64>().try_to_vec().expect("floats")
}

/// Largest difference, relative to the largest value if that is above 1.
fn difference<const D: usize>(a: &Tensor<D>, b: &Tensor<D>) -> f64 {
    assert_eq!(a.dims(), b.dims());
    let (a, b) = (numbers(a), numbers(b));
    let scale = b.iter().fold(1.0f64, |m, v| m.max(v.abs()));
    let worst = a.iter().zip(&b).map(|(a, b)| (a - b).abs());
    worst.fold(0.0, |m, d| if d.is_nan() { f64::INFINITY } else { f64::max(m, d) }) / scale
}

/// `x[:, range]`.
fn rows(x: &Tensor<3>, range: std::ops::Range<usize>) -> Tensor<3> {
    x.clone().narrow(1, range.start, range.len())
}

/// `x` with row `position` of every sample replaced by other numbers.
fn disturbed(x: &Tensor<3>, position: usize) -> Tensor<3> {
    let [batch, n, width] = x.dims();
    let other = draw(Key::root(99), [batch, 1, width], Precision::F64);
    let kept = |range: std::ops::Range<usize>| (!range.is_empty()).then(|| rows(x, range));
    let parts = [kept(0..position), Some(other), kept(position + 1..n)].into_iter().flatten().collect();
    Tensor::cat(parts, 1)
}

/// The match has no wildcard: a new mixer must be numbered here, and then registered.
#[test]
fn every_kind_of_mixer_is_registered() {
    const KINDS: usize = 12;
    let kind = |config: &MixerConfig| match config {
        MixerConfig::SoftmaxAttention(_) => 0,
        MixerConfig::LinearAttention(_) => 1,
        MixerConfig::Gau(_) => 2,
        MixerConfig::Flash(_) => 3,
        MixerConfig::MlpMixer(_) => 4,
        MixerConfig::FfOnly(_) => 5,
        MixerConfig::ResMlp(_) => 6,
        MixerConfig::Gmlp(_) => 7,
        MixerConfig::Fnet(_) => 8,
        MixerConfig::ExternalAttention(_) => 9,
        MixerConfig::Convolution(_) => 10,
        MixerConfig::Synthesizer(_) => KINDS - 1,
    };
    let everything: std::collections::BTreeSet<usize> = (0..KINDS).collect();
    assert_eq!(registered().iter().map(kind).collect::<std::collections::BTreeSet<_>>(), everything);
    assert_eq!(MixerConfig::catalogue().iter().map(kind).collect::<Vec<_>>(), (0..KINDS).collect::<Vec<_>>());
}
