//! Which parameters decay.

use mixlab_nn::NamedParameter;

/// Whether weight decay applies: to matrices whose path matches none of the patterns. Vectors are
/// biases and gains, for which shrinking has no justification.
pub(super) fn decays(parameter: &NamedParameter, no_decay: &[String]) -> bool {
    parameter.shape.len() >= 2 && !no_decay.iter().any(|pattern| matches(pattern, &parameter.path))
}

/// Whether the whole of `text` matches; `*` stands for any characters, also none.
fn matches(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split('*');
    let Some(mut rest) = parts.next().and_then(|first| text.strip_prefix(first)) else { return false };
    let mut parts: Vec<&str> = parts.collect();
    let Some(last) = parts.pop() else { return rest.is_empty() };
    for part in parts {
        let Some(at) = rest.find(part) else { return false };
        rest = &rest[at + part.len()..];
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns() {
        for (pattern, text) in [
            ("embedding.*", "embedding.weight"),
            ("*norm*", "backbone.blocks.0.norm.gain"),
            ("*bias", "head.bias"),
            ("a*b*c", "a.b.c"),
            ("exact", "exact"),
            ("*", ""),
        ] {
            assert!(matches(pattern, text), "{pattern} {text}");
        }
        for (pattern, text) in
            [("embedding.*", "x.embedding.y"), ("*bias", "bias.x"), ("exact", "exactly"), ("a*a", "a")]
        {
            assert!(!matches(pattern, text), "{pattern} {text}");
        }
    }

    #[test]
    fn vectors_never_decay() {
        let parameter =
            |shape: &[usize]| NamedParameter { path: "x".into(), shape: shape.into(), identity: 0 };
        assert!(!decays(&parameter(&[8]), &[]));
        assert!(decays(&parameter(&[8, 8]), &[]));
        assert!(!decays(&parameter(&[8, 8]), &["x".into()]));
    }
}
