//! Texts that end a text.

/// Looks for stop texts and holds back what may be the beginning of one.
pub(super) struct StopTexts<'a> {
    stops: Vec<&'a str>,
    held: String,
}

impl<'a> StopTexts<'a> {
    pub fn new(stops: &'a [String]) -> Self {
        let stops = stops.iter().map(String::as_str).filter(|stop| !stop.is_empty()).collect();
        StopTexts { stops, held: String::new() }
    }

    /// Takes new text in; returns what is certain, and whether a stop text was found right after it.
    pub fn push(&mut self, text: &str) -> (String, bool) {
        self.held.push_str(text);
        if let Some(at) = self.stops.iter().filter_map(|stop| self.held.find(stop)).min() {
            self.held.truncate(at);
            return (std::mem::take(&mut self.held), true);
        }
        let suspicious = |&at: &usize| self.stops.iter().any(|stop| stop.starts_with(&self.held[at..]));
        let boundaries = self.held.char_indices().map(|(at, _)| at);
        let certain = boundaries.into_iter().find(suspicious).unwrap_or(self.held.len());
        let rest = self.held.split_off(certain);
        (std::mem::replace(&mut self.held, rest), false)
    }

    /// What was held back in vain.
    pub fn finish(self) -> String {
        self.held
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run_stops(stops: &[&str], pieces: &[&str]) -> (String, bool) {
        let stops: Vec<String> = stops.iter().map(|s| s.to_string()).collect();
        let mut filter = StopTexts::new(&stops);
        let mut out = String::new();
        for piece in pieces {
            let (certain, stopped) = filter.push(piece);
            out += &certain;
            if stopped {
                return (out, true);
            }
        }
        (out + &filter.finish(), false)
    }

    #[test]
    fn a_stop_text_is_found_across_tokens_and_never_shown() {
        assert_eq!(run_stops(&["END"], &["ab", "E", "N", "D", "c"]), ("ab".into(), true));
        assert_eq!(run_stops(&["END"], &["abEN", "x"]), ("abENx".into(), false));
        assert_eq!(run_stops(&["\n\n", "é."], &["aé", "\n", "é", "."]), ("aé\n".into(), true));
        assert_eq!(run_stops(&["aab"], &["a", "a", "a", "b"]), ("a".into(), true));
        assert_eq!(run_stops(&[""], &["a"]), ("a".into(), false));
    }
}
