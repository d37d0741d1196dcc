//! What counts as a token where texts are compared.

/// How a text is cut.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TextTokens {
    /// Words and punctuation marks, as the `13a` rule of mteval and sacrebleu has them.
    #[default]
    Words,
    /// Characters that are not white space: for Chinese.
    Characters,
}

impl TextTokens {
    /// Characters for texts without spaces between words, words for others: whichever suits more than half of the letters.
    pub fn suiting<'a>(texts: impl IntoIterator<Item = &'a str>) -> Self {
        let (mut unspaced, mut letters) = (0usize, 0usize);
        for letter in texts.into_iter().flat_map(str::chars).filter(|letter| letter.is_alphabetic()) {
            letters += 1;
            // Chinese, Japanese and their extensions.
            unspaced += usize::from(
                matches!(letter, '\u{3040}'..='\u{30ff}' | '\u{3400}'..='\u{9fff}' | '\u{20000}'..),
            );
        }
        if 2 * unspaced > letters { TextTokens::Characters } else { TextTokens::Words }
    }

    /// The tokens of a text.
    pub fn cut(self, text: &str) -> Vec<String> {
        match self {
            TextTokens::Words => words(text),
            TextTokens::Characters => text.chars().filter(|c| !c.is_whitespace()).map(String::from).collect(),
        }
    }
}

/// Marks stand alone; points and commas do unless digits are on both sides; a hyphen does behind a digit.
fn words(text: &str) -> Vec<String> {
    let letters: Vec<char> = text.chars().collect();
    let digit =
        |index: Option<usize>| index.and_then(|index| letters.get(index)).is_some_and(char::is_ascii_digit);
    let mut spaced = String::with_capacity(2 * text.len());
    for (index, &letter) in letters.iter().enumerate() {
        let alone = match letter {
            '.' | ',' => !(digit(index.checked_sub(1)) && digit(Some(index + 1))),
            '-' => digit(index.checked_sub(1)),
            '\'' => false,
            other => other.is_ascii_punctuation(),
        };
        if alone {
            spaced.push(' ');
            spaced.push(letter);
            spaced.push(' ');
        } else {
            spaced.push(letter);
        }
    }
    spaced.split_whitespace().map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::TextTokens;

    /// What sacrebleu 2.6.0 makes of them.
    #[test]
    fn words_are_those_of_mteval() {
        for (text, expected) in [
            (
                "it's 3,5-4.2 (yes), \"no\"/maybe: a-b 7-b. x.",
                "it's 3,5 - 4.2 ( yes ) , \" no \" / maybe : a-b 7 - b . x .",
            ),
            ("U.S. cost: $5.00, 10%!", "U . S . cost : $ 5.00 , 10 % !"),
        ] {
            assert_eq!(TextTokens::Words.cut(text).join(" "), expected);
        }
        assert_eq!(TextTokens::Characters.cut("小明 在。").join(" "), "小 明 在 。");
    }

    #[test]
    fn the_script_chooses() {
        assert_eq!(TextTokens::suiting(["小明在花园里买书。", "ab"]), TextTokens::Characters);
        assert_eq!(TextTokens::suiting(["anna finds 书"]), TextTokens::Words);
        assert_eq!(TextTokens::suiting([]), TextTokens::Words);
    }
}
