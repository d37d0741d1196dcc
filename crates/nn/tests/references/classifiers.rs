//! Whole classifiers, from the image to the loss and every gradient, against timm.

use burn::tensor::activation::log_softmax;
use burn::tensor::{Device, Tensor};
use mixlab_core::Precision;
use mixlab_nn::embed::{ImageShape, PatchConfig};
use mixlab_nn::mixer::{GmlpConfig, MixerConfig, MlpMixerConfig, ResMlpConfig};
use mixlab_nn::residual::ResidualConfig;
use mixlab_nn::{ClassifierInput, Context, ModelConfig, NormConfig};

use crate::fixture::{Fixture, PRECISIONS, vector};
use crate::gated::map_norm;
use crate::mapping::Mapping;
use crate::vision::{layer_norm, map_affine, map_gmlp_block, map_mixer_block, map_res_mlp_block, mlp};

fn check_classifier(case: &str, config: &ModelConfig, map: impl Fn(&mut Mapping)) {
    for precision in PRECISIONS {
        check_classifier_in(case, config, precision, |mapping| {
            mapping.patches("stem.proj.weight", "embedding.patch.weight");
            mapping.same("stem.proj.bias", "embedding.patch.bias");
            mapping.linear("head.weight", "readout.weight");
            mapping.same("head.bias", "readout.bias");
            map(mapping);
        });
    }
}

fn check_classifier_in(case: &str, config: &ModelConfig, precision: Precision, map: impl Fn(&mut Mapping)) {
    let fixture = Fixture::load(case);
    let device = Device::flex().autodiff();
    // Channels stand before rows in torch, behind columns in ours.
    let images: Tensor<4> = fixture.tensor("input", precision, &device).require_grad();
    let [batch, channels, height, width] = images.dims();
    let input = ClassifierInput::Images(ImageShape { height, width, channels });
    let classes = fixture.values("output").shape[1];
    let model = config.build_classifier(input, classes, 0, &device, precision).unwrap();
    let mut mapping = Mapping::new(&fixture, &model);
    map(&mut mapping);
    let model = mapping.apply(model, precision, &device);

    let context = Context::evaluation(batch, false);
    let embedded = model.embed_images(images.clone().permute([0, 2, 3, 1]), &context);
    let logits = model.logits(embedded, &context);
    fixture.check("output", &vector(logits.clone()), precision);
    let targets = fixture.ids::<1>("targets", &device).reshape([batch, 1]);
    let loss = log_softmax(logits, 1).gather(1, targets).mean().neg();
    fixture.check("loss", &vector(loss.clone()), precision);
    let mut gradients = loss.backward();
    fixture.check("gradient/input", &vector(images.grad(&gradients).unwrap()), precision);
    mapping.check_gradients(&model, &mut gradients, precision);
}

/// A model of width 8; the image gives its length.
fn config(mixer: MixerConfig, depth: usize, patch: usize) -> ModelConfig {
    ModelConfig {
        width: 8,
        depth,
        norm: layer_norm(),
        patch: PatchConfig { size: patch },
        ..ModelConfig::new(mixer)
    }
}

#[test]
fn timm_mixer_model() {
    for (case, depth) in [("timm_mixer_model", 2), ("timm_mixer_model_oblong", 1)] {
        let mixer = MlpMixerConfig { token_hidden: Some(6), ..MlpMixerConfig::default() };
        let config =
            ModelConfig { channel: Some(mlp(2.0)), ..config(MixerConfig::MlpMixer(mixer), depth, 2) };
        check_classifier(case, &config, |mapping| {
            for layer in 0..depth {
                let ours = format!("backbone.blocks.{layer}.");
                map_mixer_block(mapping, &format!("blocks.{layer}."), &ours);
            }
            map_norm(mapping, "norm", &layer_norm(), "backbone.final_norm");
        });
    }
}

#[test]
fn timm_res_mlp_model() {
    let config = ModelConfig {
        channel: Some(mlp(3.0)),
        norm: NormConfig::Affine,
        residual: ResidualConfig::LayerScale { initial: None },
        ..config(MixerConfig::ResMlp(ResMlpConfig::default()), 2, 2)
    };
    check_classifier("timm_resmlp_model", &config, |mapping| {
        for layer in 0..2 {
            let ours = format!("backbone.blocks.{layer}.");
            map_res_mlp_block(mapping, &format!("blocks.{layer}."), &ours);
        }
        map_affine(mapping, "norm", "backbone.final_norm");
    });
}

#[test]
fn timm_gmlp_model() {
    let mixer = GmlpConfig { expansion: 2.5, ..GmlpConfig::default() };
    check_classifier("timm_gmlp_model", &config(MixerConfig::Gmlp(mixer), 2, 4), |mapping| {
        for layer in 0..2 {
            let ours = format!("backbone.blocks.{layer}.");
            map_gmlp_block(mapping, &format!("blocks.{layer}."), &ours);
        }
        map_norm(mapping, "norm", &layer_norm(), "backbone.final_norm");
    });
}
