//! Run-time choice of the instruction set.

use std::sync::atomic::{AtomicU8, Ordering};

/// Variable of the environment that sets an upper limit: `baseline`, `avx2` or `avx512`.
const LIMIT: &str = "MIXLAB_INSTRUCTIONS";

/// The instruction set that kernels use, from the narrowest on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub(crate) enum Level {
    Baseline = 1,
    Avx2,
    Avx512,
}

/// The level in use; 0 before the first question.
static LEVEL: AtomicU8 = AtomicU8::new(0);

impl Level {
    pub(crate) const ALL: [Level; 3] = [Level::Baseline, Level::Avx2, Level::Avx512];

    /// The widest level of this machine within the limit of the environment.
    #[inline]
    pub(crate) fn detect() -> Self {
        const BASELINE: u8 = Level::Baseline as u8;
        const AVX2: u8 = Level::Avx2 as u8;
        const AVX512: u8 = Level::Avx512 as u8;
        match LEVEL.load(Ordering::Relaxed) {
            BASELINE => Level::Baseline,
            AVX2 => Level::Avx2,
            AVX512 => Level::Avx512,
            _ => Level::find(),
        }
    }

    #[cold]
    fn find() -> Self {
        let limit = std::env::var(LIMIT).ok();
        let limit = Level::ALL.into_iter().find(|level| Some(level.name()) == limit.as_deref());
        let level = Level::of_machine().min(limit.unwrap_or(Level::Avx512));
        LEVEL.store(level as u8, Ordering::Relaxed);
        level
    }

    /// The widest level of this machine.
    pub(crate) fn of_machine() -> Self {
        #[cfg(target_arch = "x86_64")]
        {
            let avx2 = is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma");
            let avx512 = is_x86_feature_detected!("avx512f")
                && is_x86_feature_detected!("avx512bw")
                && is_x86_feature_detected!("avx512cd")
                && is_x86_feature_detected!("avx512dq")
                && is_x86_feature_detected!("avx512vl");
            match (avx2, avx512) {
                (true, true) => Level::Avx512,
                (true, false) => Level::Avx2,
                _ => Level::Baseline,
            }
        }
        #[cfg(not(target_arch = "x86_64"))]
        Level::Baseline
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Level::Baseline => "baseline",
            Level::Avx2 => "avx2",
            Level::Avx512 => "avx512",
        }
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use burn::tensor::{Int, Tensor};
    use mixlab_core::Precision;

    use super::{LIMIT, Level};
    use crate::harness::{Inputs, evaluate};
    use crate::{
        Activation, NormKind, activation, depthwise_convolution, dynamic_convolution, embedding,
        gated_product, norm, softmax,
    };

    /// Value and gradients of one operation, named.
    fn bits<const D: usize>(
        name: &str,
        precision: Precision,
        operation: impl FnOnce(&mut Inputs) -> Tensor<D>,
    ) {
        for (tensor, values) in evaluate(precision, operation) {
            let mix = |hash: u64, x: &f64| (hash ^ x.to_bits()).wrapping_mul(0x0100_0000_01b3);
            println!(
                "{name} {precision:?} {tensor}: {:016x}",
                values.iter().fold(0xcbf2_9ce4_8422_2325, mix)
            );
        }
    }

    /// Not a test: what the next one runs in processes of their own, one an instruction set.
    #[test]
    #[ignore = "prints bits for another test"]
    fn print_bits() {
        println!("level {}", Level::detect().name());
        for precision in [Precision::F32, Precision::F64] {
            for kind in [Activation::Gelu, Activation::Silu, Activation::SquaredRelu] {
                bits(&format!("{kind:?}"), precision, |t| activation(t.input("x", [5, 77]), kind));
            }
            bits("norm", precision, |t| norm(t.input("x", [9, 77]), NormKind::Layer, None, None, 1e-5));
            bits("gated", precision, |t| {
                gated_product(t.input("a", [3, 77]), t.input("b", [3, 77]), Activation::Sigmoid)
            });
            bits("attention", precision, |t| {
                let [q, k, v] = ["q", "k", "v"].map(|name| t.input(name, [1, 70, 2, 9]));
                let options = crate::SoftmaxOptions {
                    scale: 0.3,
                    causal: true,
                    mask: crate::Mask::default(),
                    dropout: None,
                };
                crate::softmax_attention(q, k, v, options)
            });
            for renormalise in [false, true] {
                let options = crate::ConvolutionOptions {
                    causal: false,
                    dilation: 1,
                    channels: crate::ChannelMap::Contiguous,
                    renormalise,
                    mask: crate::Mask::default(),
                };
                bits("shared filters", precision, |t| {
                    depthwise_convolution(t.input("x", [2, 70, 77]), t.input("f", [7, 5]), options.clone())
                });
                bits("own filters", precision, |t| {
                    dynamic_convolution(t.input("x", [2, 70, 77]), t.input("f", [2, 70, 7, 5]), options)
                });
            }
            bits("softmax", precision, |t| softmax(t.input("x", [9, 77])));
            bits("embedding", precision, |t| {
                let weight = t.input("weight", [6, 33]);
                let ids = Tensor::<2, Int>::from_data([[1, 5, 1], [0, 2, 1]], t.device());
                embedding(weight, ids)
            });
        }
    }

    #[test]
    fn every_instruction_set_gives_the_same_bits() {
        let program = std::env::current_exe().expect("the test program");
        let run = |level: Level| {
            let output = Command::new(&program)
                .args(["--ignored", "--exact", "cpu::level::tests::print_bits", "--nocapture"])
                .env(LIMIT, level.name())
                .output()
                .expect("the test program runs");
            assert!(output.status.success(), "{level:?}: {output:?}");
            let text = String::from_utf8(output.stdout).expect("text");
            let (head, bits): (Vec<_>, Vec<_>) = text
                .lines()
                .filter(|line| {
                    line.contains("gradient of") || line.contains("value:") || line.starts_with("level")
                })
                .map(str::to_owned)
                .partition(|line| line.starts_with("level"));
            assert_eq!(head, [format!("level {}", level.name())], "the limit is obeyed");
            assert!(bits.len() > 20, "{text}");
            bits
        };
        let baseline = run(Level::Baseline);
        for level in Level::ALL.into_iter().filter(|&level| level <= Level::of_machine()) {
            assert_eq!(run(level), baseline, "{level:?}");
        }
    }
}
