//! A thousand blocks: memory of segmented recomputation, a small stack, and signal and gradient that arrive.

use std::alloc::System;
use std::sync::{Mutex, PoisonError};
use std::thread;

use burn::module::Module;
use burn::tensor::{Device, Tensor};
use mixlab_core::{Key, Precision, Purpose};
use mixlab_kernels::{AllocationCount, CountingAllocator};
use mixlab_nn::mixer::{GauConfig, MixerConfig, NormaliserConfig, SoftmaxAttentionConfig};
use mixlab_nn::residual::{DeepNormConstants, ResidualConfig};
use mixlab_nn::{Context, LanguageModel, ModelConfig};
use mixlab_objectives::language::{LanguageBatch, causal_lm_loss, segmented_gradients};

#[global_allocator]
static ALLOCATOR: CountingAllocator<System> = CountingAllocator::new(System);

/// One test at a time: a count is of the whole process.
static TURN: Mutex<()> = Mutex::new(());

const VOCABULARY: usize = 32;
const ROWS: usize = 2;
const LENGTH: usize = 64;
/// What a thread may need of stack, in bytes.
const STACK: usize = 512 << 10;

fn softmax() -> MixerConfig {
    MixerConfig::SoftmaxAttention(SoftmaxAttentionConfig::default())
}

fn gau() -> MixerConfig {
    let config = GauConfig { key_width: 16, ..GauConfig::new(NormaliserConfig::Softmax) };
    MixerConfig::Gau(config)
}

fn model(mixer: MixerConfig, depth: usize) -> LanguageModel {
    let config = ModelConfig {
        width: 32,
        depth,
        max_length: LENGTH,
        residual: ResidualConfig::DeepNorm { constants: DeepNormConstants::Auto },
        ..ModelConfig::new(mixer)
    };
    config.build(VOCABULARY, 1, &Device::flex(), Precision::F32).expect("a valid config").train()
}

fn batch() -> (LanguageBatch, Context) {
    let stream = Key::root(2).purpose(Purpose::Synthetic).sample(0);
    let count = (ROWS * LENGTH) as u64;
    let ids = |from: u64| -> Vec<u32> {
        (from..from + count).map(|i| stream.below(i, VOCABULARY as u64) as u32).collect()
    };
    let weights = vec![1.0; ROWS * LENGTH];
    let device = Device::flex().autodiff();
    let batch = LanguageBatch::new(
        [ROWS, LENGTH],
        &ids(0),
        &ids(count),
        &weights,
        count as f64,
        &device,
        Precision::F32,
    );
    (batch, Context::evaluation(ROWS, true))
}

/// Bytes at the peak of forward and backward, without those of the gradients, which stay.
fn peak(model: &LanguageModel, segment: Option<usize>) -> isize {
    let (batch, context) = batch();
    let count = AllocationCount::open().expect("the allocator counts");
    match segment {
        Some(segment) => drop(segmented_gradients(model, &batch, &context, segment)),
        None => {
            let mut gradients = causal_lm_loss(model, &batch, &context).backward();
            drop(mixlab_nn::parameter_gradients(model, &mut gradients));
        }
    }
    count.peak() - 4 * model.num_params() as isize
}

#[test]
fn a_thousand_blocks_need_little_more_memory_than_a_hundred() {
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let (hundred, thousand) = (model(softmax(), 100), model(softmax(), 1000));
    // Warm: buffers of threads are made once.
    peak(&hundred, Some(10));
    let (whole, few, many) = (peak(&hundred, None), peak(&hundred, Some(10)), peak(&thousand, Some(32)));
    println!("100 blocks: {whole} whole, {few} in segments of 10; 1000 blocks: {many} in segments of 32");
    assert!(many <= 4 * few, "{many} against {few}");
    assert!(many < whole, "{many} against {whole}");
}

/// Nothing recurses over the blocks: neither building, nor running, nor differentiating, nor dropping.
#[test]
fn a_thousand_blocks_fit_a_small_stack() {
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    for mixer in [softmax(), gau()] {
        let run = move || {
            let model = model(mixer, 1000);
            let (batch, context) = batch();
            let (loss, gradients) = segmented_gradients(&model, &batch, &context, 32);
            let whole = causal_lm_loss(&model, &batch, &context);
            let difference = (loss.clone() - whole.clone().inner()).abs().into_scalar::<f64>();
            drop(whole.backward());
            (loss.into_scalar::<f64>(), difference, gradients)
        };
        let thread = thread::Builder::new().stack_size(STACK).spawn(run).expect("a thread");
        let (loss, difference, gradients) = thread.join().expect("no overflow of the stack");
        assert!(loss.is_finite() && difference == 0.0, "{loss} {difference}");
        let size = |tensor: &Tensor<1>| tensor.clone().powi_scalar(2).sum().into_scalar::<f64>().sqrt();
        // The gradient arrives at the first block: post-norm would lose it by many orders of magnitude.
        let of = |block: usize| -> f64 {
            let path = format!("backbone.blocks.{block}.mixer.");
            gradients
                .iter()
                .filter(|(name, _)| name.starts_with(&path) && name.ends_with("output.weight"))
                .map(|(_, gradient)| size(gradient))
                .sum()
        };
        let ratio = of(0) / of(999);
        assert!((0.05..20.0).contains(&ratio), "{ratio}: {} and {}", of(0), of(999));
    }
}
