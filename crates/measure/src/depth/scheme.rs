//! Schemes by name, with the optimiser that constants are made for: `deep_norm`, `scaled_post_norm:adam`.

use std::fmt;
use std::str::FromStr;

use mixlab_core::config::nearest;
use mixlab_nn::residual::{DeepNormConstants, ResidualConfig, UpdateKind};

use super::DepthError;

/// A residual scheme as it is named on the command line.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Scheme(ResidualConfig);

impl Scheme {
    /// What it is in a config.
    pub fn config(self) -> ResidualConfig {
        self.0
    }
}

/// Every scheme, those with constants for an optimiser once for each.
pub fn all_schemes() -> Vec<Scheme> {
    let updates = [UpdateKind::Sgd, UpdateKind::Adam, UpdateKind::Lamb].map(Some);
    let mut all = vec![
        ResidualConfig::PostNorm,
        ResidualConfig::PreNorm,
        ResidualConfig::DeepNorm { constants: DeepNormConstants::Auto },
    ];
    all.extend(updates.map(|update| ResidualConfig::ScaledPostNorm { update, alpha: None, beta: None }));
    all.extend(updates.map(|update| ResidualConfig::ScaledPreNorm { update, beta: None }));
    all.extend([
        ResidualConfig::LayerScale { initial: None },
        ResidualConfig::ReZero,
        ResidualConfig::TFixup,
        ResidualConfig::Admin,
        ResidualConfig::SandwichNorm,
    ]);
    all.into_iter().map(Scheme).collect()
}

impl fmt::Display for Scheme {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.0.name();
        let text = match self.0 {
            ResidualConfig::ScaledPostNorm { update: Some(update), .. }
            | ResidualConfig::ScaledPreNorm { update: Some(update), .. } => {
                format!("{name}:{}", update.name())
            }
            _ => name.to_owned(),
        };
        f.pad(&text)
    }
}

impl FromStr for Scheme {
    type Err = DepthError;

    fn from_str(text: &str) -> Result<Self, DepthError> {
        let all = all_schemes();
        all.iter().copied().find(|scheme| scheme.to_string() == text).ok_or_else(|| {
            let known: Vec<String> = all.iter().map(Scheme::to_string).collect();
            let nearest = nearest(text, &known);
            DepthError::UnknownScheme { name: text.to_owned(), nearest, known }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_back() {
        for scheme in all_schemes() {
            assert_eq!(scheme.to_string().parse::<Scheme>().ok(), Some(scheme), "{scheme}");
        }
        let error = "deepnorm".parse::<Scheme>().expect_err("no such scheme").to_string();
        assert!(error.contains("did you mean `deep_norm`"), "{error}");
    }
}
