//! Generation with a recurrent mixer needs no more memory for the ten-thousandth token than for an early one.
//! A binary of its own, so that no other test moves the memory of the process.

use burn::tensor::{DType, Device, Int, Tensor, TensorData};
use mixlab_core::Precision;
use mixlab_nn::ModelConfig;
use mixlab_nn::mixer::{FlashConfig, LinearAttentionConfig, MixerConfig};

const TOKENS: usize = 10_000;
const CHUNK: usize = 32;

/// Bytes of the process in memory, where the system tells.
fn resident() -> Option<usize> {
    let status = std::fs::read_to_string("/proc/self/statm").ok()?;
    let pages: usize = status.split_whitespace().nth(1)?.parse().ok()?;
    Some(pages * 4096)
}

#[test]
fn ten_thousand_tokens_in_constant_memory() {
    for mixer in [
        MixerConfig::LinearAttention(LinearAttentionConfig { heads: 2, ..Default::default() }),
        MixerConfig::Flash(FlashConfig { chunk: CHUNK, key_width: 16, ..Default::default() }),
    ] {
        let config = ModelConfig { width: 16, depth: 2, max_length: 64, ..ModelConfig::new(mixer) };
        let device = Device::flex();
        let model = config.build(17, 1, &device, Precision::F32).expect("a valid config");
        let mut state = model.state(1).expect("a streaming mixer");
        let token: Tensor<2, Int> =
            Tensor::from_data(TensorData::new(vec![3i64], [1, 1]), (&device, DType::I64));
        let (mut largest, mut early) = (0, (0, None));
        for step in 0..TOKENS {
            model.step(token.clone(), &mut state);
            largest = largest.max(state.size());
            if step == TOKENS / 5 {
                early = (largest, resident());
            }
        }
        assert_eq!(state.position(), TOKENS);
        assert_eq!(largest, early.0, "the state stopped growing long before");
        if let (Some(before), Some(after)) = (early.1, resident()) {
            // A cache of keys and values would have added 2·16·4 bytes a token and layer, 2 MB, and its copies.
            let grown = after.saturating_sub(before);
            assert!(grown < 1 << 20, "{grown} bytes more after {TOKENS} tokens");
        }
    }
}
