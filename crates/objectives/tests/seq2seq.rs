//! The sequence-to-sequence loss by its definition, and its gradient in segments.

use std::sync::Arc;

use burn::module::Module;
use burn::tensor::{DType, Device, Int, Tensor, TensorData};
use mixlab_core::{Key, Precision, Purpose};
use mixlab_kernels::Mask;
use mixlab_nn::mixer::{MixerConfig, SoftmaxAttentionConfig};
use mixlab_nn::residual::{DeepNormConstants, ResidualConfig};
use mixlab_nn::seq2seq::{CrossAttentionConfig, EncoderConfig, SequenceToSequence, SoftmaxCrossConfig};
use mixlab_nn::{Context, DropoutConfig, Mode, ModelConfig, parameter_gradients};
use mixlab_objectives::language::LanguageBatch;
use mixlab_objectives::seq2seq::{SequencePairs, segmented_gradients, sequence_to_sequence_loss};

const VOCABULARY: usize = 11;
const ROWS: usize = 2;
const SOURCE: usize = 5;
const TARGET: usize = 4;

fn model(residual: ResidualConfig) -> SequenceToSequence {
    let attention = SoftmaxAttentionConfig { heads: 2, ..SoftmaxAttentionConfig::default() };
    let cross = SoftmaxCrossConfig { heads: 2, attention_dropout: 0.1 };
    let cross = CrossAttentionConfig::SoftmaxAttention(cross);
    let model = ModelConfig {
        encoder: Some(EncoderConfig { depth: Some(3), cross, ..EncoderConfig::default() }),
        width: 8,
        depth: 5,
        max_length: 8,
        residual,
        dropout: DropoutConfig { branch: 0.2, embedding: 0.1, ..DropoutConfig::default() },
        ..ModelConfig::new(MixerConfig::SoftmaxAttention(attention))
    };
    let model = model.build_sequence_to_sequence(VOCABULARY, 3, &Device::flex(), Precision::F64);
    model.expect("a valid config").train()
}

fn ids(seed: u64, count: usize) -> Vec<u32> {
    let stream = Key::root(seed).purpose(Purpose::Synthetic).sample(0);
    (0..count as u64).map(|i| stream.below(i, VOCABULARY as u64) as u32).collect()
}

fn weights() -> Vec<f32> {
    vec![1.0, 1.0, 1.0, 0.0, 1.0, 1.0, 0.0, 0.0]
}

fn pairs(mode: Mode) -> SequencePairs {
    let device = Device::flex().autodiff();
    let source: Vec<i64> = ids(1, ROWS * SOURCE).into_iter().map(i64::from).collect();
    let padding: Arc<[bool]> = (0..ROWS * SOURCE).map(|i| i != 9 && i != 8).collect();
    let context = Context {
        mode,
        key: Key::root(4).purpose(Purpose::Dropout).step(7),
        ..Context::evaluation(ROWS, true)
    };
    SequencePairs {
        source: Tensor::<2, Int>::from_data(TensorData::new(source, [ROWS, SOURCE]), (&device, DType::I64)),
        source_context: Context { mask: Mask { padding: Some(padding), segments: None }, ..context.clone() },
        target: LanguageBatch::new(
            [ROWS, TARGET],
            &ids(2, ROWS * TARGET),
            &ids(3, ROWS * TARGET),
            &weights(),
            5.0,
            &device,
            Precision::F64,
        ),
        target_context: context,
    }
}

#[test]
fn the_loss_is_its_definition() {
    let (model, pairs) = (model(ResidualConfig::PreNorm), pairs(Mode::Eval));
    let memory = model.encode(pairs.source.clone(), &pairs.source_context);
    let hidden = model.decode(pairs.target.inputs(), memory, &pairs.target_context);
    let logits: Vec<f64> = model.logits(hidden).into_data().iter::<f64>().collect();
    let targets = ids(3, ROWS * TARGET);
    let expected: f64 = logits
        .chunks(VOCABULARY)
        .zip(&targets)
        .zip(weights())
        .map(|((row, &target), weight)| {
            let sum = row.iter().map(|x| x.exp()).sum::<f64>().ln();
            f64::from(weight) * (sum - row[target as usize]) / 5.0
        })
        .sum();
    let found = sequence_to_sequence_loss(&model, &pairs).into_scalar::<f64>();
    assert!((found - expected).abs() < 1e-12, "{found} instead of {expected}");
}

/// With dropout, padding, a tied head and numbers of blocks that segments do not divide.
#[test]
fn gradients_in_segments_are_those_of_the_whole() {
    for residual in
        [ResidualConfig::PreNorm, ResidualConfig::DeepNorm { constants: DeepNormConstants::EncoderDecoder }]
    {
        let (model, pairs) = (model(residual), pairs(Mode::Train));
        let loss = sequence_to_sequence_loss(&model, &pairs);
        let mut gradients = loss.backward();
        let whole = parameter_gradients(&model, &mut gradients);
        for segment in [1, 2, 4, 9] {
            let (segmented_loss, segmented) = segmented_gradients(&model, &pairs, segment);
            let difference = (segmented_loss - loss.clone().inner()).into_scalar::<f64>();
            assert_eq!(difference, 0.0);
            assert_eq!(whole.keys().collect::<Vec<_>>(), segmented.keys().collect::<Vec<_>>());
            for (path, expected) in &whole {
                let largest = |x: Tensor<1>| x.abs().max().into_scalar::<f64>();
                let difference = largest(segmented[path].clone() - expected.clone());
                let size = largest(expected.clone());
                assert!(difference <= 1e-13 * size.max(1e-3), "{path}, segments of {segment}: {difference}");
            }
        }
    }
}
