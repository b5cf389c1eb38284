//! Texts of clients: a message may hold megabytes, and this is how much of it is kept or said again.

/// Longest text of a client in an answer or in the log, in characters; the rest is replaced by dots.
const QUOTE_LIMIT: usize = 200;

/// The text without what is beyond `limit` characters.
pub(crate) fn cut(mut text: String, limit: usize) -> String {
    if let Some((end, _)) = text.char_indices().nth(limit) {
        text.truncate(end);
        text.shrink_to_fit();
    }
    text
}

/// The text as it is repeated to clients and operators.
pub(crate) fn quoted(text: String) -> String {
    let quote = cut(text, QUOTE_LIMIT + 1);
    match quote.char_indices().nth(QUOTE_LIMIT) {
        None => quote,
        Some((end, _)) => format!("{}...", &quote[..end]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_cut_between_characters() {
        assert_eq!(cut("äöü".to_owned(), 2), "äö");
        assert_eq!(cut("äöü".to_owned(), 3), "äöü");
        assert_eq!(quoted("ä".repeat(200)), "ä".repeat(200));
        assert_eq!(quoted("ä".repeat(1000)), format!("{}...", "ä".repeat(200)));
    }
}
