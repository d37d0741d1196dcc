//! How much of what was written is different.

use std::collections::HashSet;

use super::TextTokens;

/// Distinct-n: different runs of `n` tokens over all of them, in all texts together; 0 if there is none. Source: Li et al., "A diversity-promoting
/// objective function for neural conversation models", 2016.
pub fn distinct(texts: &[&str], n: usize, tokens: TextTokens) -> f64 {
    let texts: Vec<Vec<String>> = texts.iter().map(|text| tokens.cut(text)).collect();
    let (mut different, mut all) = (HashSet::new(), 0usize);
    for run in texts.iter().flat_map(|text| text.windows(n)) {
        all += 1;
        different.insert(run);
    }
    if all == 0 { 0.0 } else { different.len() as f64 / all as f64 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_by_hand() {
        // a b a b, a c: six tokens of three kinds; ab ba ab, ac: four pairs of three kinds.
        let texts = ["a b a b", "a c"];
        assert_eq!(distinct(&texts, 1, TextTokens::Words), 0.5);
        assert_eq!(distinct(&texts, 2, TextTokens::Words), 0.75);
        assert_eq!(distinct(&texts, 5, TextTokens::Words), 0.0);
        assert_eq!(distinct(&["小小明"], 1, TextTokens::Characters), 2.0 / 3.0);
    }
}
