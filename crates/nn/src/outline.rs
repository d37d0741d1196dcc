//! The parameters of a model without the model: paths and shapes, no values and no memory for them.

use crate::{
    Builder, Classifier, ClassifierInput, LanguageModel, ModelConfig, ModelError, NamedParameter,
    named_parameters,
};

impl ModelConfig {
    /// Path and shape of every parameter of the language model that [`ModelConfig::build`] makes. Nothing is drawn or
    /// allocated, so models may be listed that would not fit into memory.
    ///
    /// # Errors
    /// Those of [`ModelConfig::build`].
    pub fn parameters(&self, vocabulary: usize) -> Result<Vec<NamedParameter>, ModelError> {
        self.validate()?;
        let builder = Builder::without_values();
        let model = LanguageModel::new(self, vocabulary, &builder)?;
        builder.finish()?;
        Ok(named_parameters(&model))
    }

    /// Path and shape of every parameter of the classifier that [`ModelConfig::build_classifier`] makes, as
    /// [`ModelConfig::parameters`] gives those of a language model.
    ///
    /// # Errors
    /// Those of [`ModelConfig::build_classifier`].
    pub fn classifier_parameters(
        &self,
        input: ClassifierInput,
        classes: usize,
    ) -> Result<Vec<NamedParameter>, ModelError> {
        let config = self.for_input(input)?;
        config.validate()?;
        config.check_direction(false)?;
        let builder = Builder::without_values();
        let model = Classifier::new(&config, input, classes, &builder)?;
        builder.finish()?;
        Ok(named_parameters(&model))
    }
}

#[cfg(test)]
mod tests {
    use burn::tensor::Device;
    use mixlab_core::Precision;

    use super::*;
    use crate::embed::{EmbeddingConfig, ImageShape};
    use crate::head::{HeadConfig, ReadoutConfig};
    use crate::mixer::MixerConfig;
    use crate::position::PositionConfig;

    /// Every mixer with every optional part around it.
    fn config(mixer: MixerConfig) -> ModelConfig {
        ModelConfig {
            width: 16,
            depth: 2,
            max_length: 12,
            position: PositionConfig::Learned { deviation: 0.02 },
            embedding: EmbeddingConfig {
                norm: true,
                types: 3,
                projection: true,
                ..EmbeddingConfig::default()
            },
            head: HeadConfig { tied: false, bias: true },
            readout: ReadoutConfig { dense: true, ..ReadoutConfig::default() },
            ..ModelConfig::new(mixer)
        }
    }

    #[test]
    fn an_outline_lists_what_a_model_holds() {
        let image = ImageShape { height: 8, width: 12, channels: 3 };
        for mixer in MixerConfig::catalogue() {
            let config = config(mixer);
            let (device, name) = (Device::flex(), config.mixer.name());
            let model = config.build(19, 0, &device, Precision::F32).expect("a language model");
            assert_eq!(config.parameters(19).expect("an outline"), named_parameters(&model), "{name}");
            for input in [ClassifierInput::Images(image), ClassifierInput::Tokens { vocabulary: 19 }] {
                let model =
                    config.build_classifier(input, 5, 0, &device, Precision::F32).expect("a classifier");
                let outline = config.classifier_parameters(input, 5).expect("an outline");
                assert_eq!(outline, named_parameters(&model), "{name} {input:?}");
            }
        }
    }

    #[test]
    fn an_outline_refuses_what_a_build_refuses() {
        let wrong = ModelConfig { width: 0, ..config(MixerConfig::catalogue().remove(0)) };
        assert!(wrong.parameters(19).is_err());
        let image = ImageShape { height: 9, width: 12, channels: 3 };
        let config = config(MixerConfig::catalogue().remove(0));
        assert!(config.classifier_parameters(ClassifierInput::Images(image), 5).is_err());
    }
}
