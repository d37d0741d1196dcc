//! Plain text.

use crate::{DocumentSeparator, Documents, END_OF_TEXT};

/// Documents of a plain text. Every byte of the text is kept, but for line ends in `Line` mode and
/// the separating lines in `BlankLine` and `Marker` mode.
pub(super) fn read(text: String, separator: DocumentSeparator) -> Documents {
    let mut documents = Documents::default();
    match separator {
        DocumentSeparator::File => documents.push_owned(text),
        DocumentSeparator::Line => {
            text.lines().filter(|line| !line.trim().is_empty()).for_each(|line| documents.push(line));
        }
        DocumentSeparator::BlankLine => {
            split_at(&text, &mut documents, |line| line.trim().is_empty());
        }
        DocumentSeparator::Marker => split_at(&text, &mut documents, |line| line.trim() == END_OF_TEXT),
    }
    documents
}

fn split_at(text: &str, documents: &mut Documents, separates: impl Fn(&str) -> bool) {
    let (mut start, mut position) = (0, 0);
    for line in text.split_inclusive('\n') {
        let end = position + line.len();
        if separates(line) {
            push(documents, &text[start..position]);
            start = end;
        }
        position = end;
    }
    push(documents, &text[start..]);
}

/// The line end before a separator belongs to the separator.
fn push(documents: &mut Documents, document: &str) {
    let document = document.strip_suffix('\n').unwrap_or(document);
    documents.push(document.strip_suffix('\r').unwrap_or(document));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(text: &str, separator: DocumentSeparator) -> Vec<String> {
        read(text.to_owned(), separator).iter().map(str::to_owned).collect()
    }

    #[test]
    fn a_file_is_one_document_byte_for_byte() {
        assert_eq!(split(" a\r\n\n", DocumentSeparator::File), [" a\r\n\n"]);
    }

    #[test]
    fn a_line_is_one_document_without_its_end() {
        assert_eq!(split("a \r\n\n  \nb", DocumentSeparator::Line), ["a ", "b"]);
    }

    #[test]
    fn blank_lines_separate_paragraphs() {
        let text = "\n\none\ntwo\n \n\nthree\r\n\r\nfour";
        assert_eq!(split(text, DocumentSeparator::BlankLine), ["one\ntwo", "three", "four"]);
    }

    #[test]
    fn marker_lines_separate_and_other_blank_lines_stay() {
        let text = "a\n\nb\n<|endoftext|>\nc <|endoftext|> d\n<|endoftext|>\n";
        assert_eq!(split(text, DocumentSeparator::Marker), ["a\n\nb", "c <|endoftext|> d"]);
    }
}
