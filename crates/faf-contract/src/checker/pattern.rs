//! The patterns of texts in the contract. Each is a regular expression for other programs, and a
//! function here, so that no engine for regular expressions is needed.

/// A pattern of the contract.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pattern {
    /// The regular expression, as it is in the schemas.
    pub(super) expression: &'static str,
    /// A few words for messages.
    pub(super) name: &'static str,
    is_match: fn(&str) -> bool,
}

const ALL: &[Pattern] = &[
    Pattern { expression: "^ *-?[0-9]+ *$", name: "the text of an integer", is_match: is_integer },
    Pattern { expression: "^ *[0-9]+ *$", name: "the text of an id", is_match: is_id },
    Pattern { expression: "^-?[0-9]+$", name: "an integer", is_match: is_plain_integer },
    Pattern { expression: "^[0-9]+(\\.[0-9]*)?$", name: "the text of a number", is_match: is_number },
    Pattern {
        expression: "^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\\.[0-9]{6})?\\+00:00$",
        name: "a time such as 2026-01-01T20:15:00.250000+00:00",
        is_match: is_time,
    },
    Pattern { expression: "^[0-9]+:[0-9]{2}:[0-9]{2}$", name: "a duration HH:MM:SS", is_match: is_duration },
    Pattern {
        expression: "^[0-9a-f]{64}$",
        name: "64 lower-case hexadecimal digits",
        is_match: |text| {
            text.len() == 64 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
        },
    },
    Pattern { expression: "^[\\x00-\\x7F]*$", name: "ASCII", is_match: str::is_ascii },
    Pattern {
        expression: "^([A-Za-z0-9]{2})?$",
        name: "two letters or nothing",
        is_match: |text| matches!(text.len(), 0 | 2) && text.bytes().all(|byte| byte.is_ascii_alphanumeric()),
    },
    Pattern { expression: "^([A-Za-z]+ )+-?[0-9]+$", name: "words and a score", is_match: is_outcome },
];

impl Pattern {
    /// Returns the pattern with this regular expression.
    pub(super) fn of(expression: &str) -> Option<Self> {
        ALL.iter().find(|pattern| pattern.expression == expression).copied()
    }

    /// Returns whether a text matches.
    pub(super) fn is_match(self, text: &str) -> bool {
        (self.is_match)(text)
    }
}

fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

fn is_plain_integer(text: &str) -> bool {
    is_digits(text.strip_prefix('-').unwrap_or(text))
}

fn is_integer(text: &str) -> bool {
    is_plain_integer(text.trim_matches(' '))
}

fn is_id(text: &str) -> bool {
    is_digits(text.trim_matches(' '))
}

fn is_number(text: &str) -> bool {
    match text.split_once('.') {
        Some((whole, fraction)) => is_digits(whole) && (fraction.is_empty() || is_digits(fraction)),
        None => is_digits(text),
    }
}

fn is_time(text: &str) -> bool {
    /// The form; `0` stands for any digit.
    const FORM: &[u8] = b"0000-00-00T00:00:00";

    let Some(rest) = text.strip_suffix("+00:00") else { return false };
    let fits = |text: &[u8], form: &[u8]| {
        text.len() == form.len()
            && text.iter().zip(form).all(|(byte, form)| match form {
                b'0' => byte.is_ascii_digit(),
                form => byte == form,
            })
    };
    match rest.split_once('.') {
        Some((whole, fraction)) => fits(whole.as_bytes(), FORM) && fraction.len() == 6 && is_digits(fraction),
        None => fits(rest.as_bytes(), FORM),
    }
}

fn is_duration(text: &str) -> bool {
    let mut parts = text.split(':');
    let (hours, minutes, seconds) = (parts.next(), parts.next(), parts.next());
    let is_pair = |part: Option<&str>| part.is_some_and(|part| part.len() == 2 && is_digits(part));
    hours.is_some_and(is_digits) && is_pair(minutes) && is_pair(seconds) && parts.next().is_none()
}

fn is_outcome(text: &str) -> bool {
    let Some((words, score)) = text.rsplit_once(' ') else { return false };
    let is_word = |word: &str| !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_alphabetic());
    is_plain_integer(score) && words.split(' ').all(is_word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_what_their_expressions_say() {
        for (expression, matching, others) in [
            ("^ *-?[0-9]+ *$", vec!["0", " -12 ", "7"], vec!["", "-", "1.0", "a", "1 2", "+1"]),
            ("^ *[0-9]+ *$", vec!["0", " 12 "], vec!["", "-1", "x"]),
            ("^-?[0-9]+$", vec!["-1", "22"], vec!["", " 1", "--1"]),
            ("^[0-9]+(\\.[0-9]*)?$", vec!["1", "1.5", "2."], vec!["", ".5", "1.5.1", "-1"]),
            (
                "^[0-9]+:[0-9]{2}:[0-9]{2}$",
                vec!["0:00:01", "120:59:59"],
                vec!["1:2:3", "00:01", "1:00:00:00"],
            ),
            ("^([A-Za-z0-9]{2})?$", vec!["", "DE", "a1"], vec!["D", "DEU", "d-"]),
            ("^[\\x00-\\x7F]*$", vec!["", "a\n~"], vec!["é"]),
            (
                "^([A-Za-z]+ )+-?[0-9]+$",
                vec!["victory 10", "recall defeat -10"],
                vec!["victory", "10", " victory 1", "victory  1", "victory 1 ", "victory x"],
            ),
            (
                "^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\\.[0-9]{6})?\\+00:00$",
                vec!["2026-01-01T20:15:00+00:00", "2026-01-01T20:15:00.250000+00:00"],
                vec!["2026-01-01T20:15:00Z", "2026-01-01 20:15:00+00:00", "2026-01-01T20:15:00.25+00:00"],
            ),
        ] {
            let pattern = Pattern::of(expression).unwrap();
            for text in matching {
                assert!(pattern.is_match(text), "{expression} and {text:?}");
            }
            for text in others {
                assert!(!pattern.is_match(text), "{expression} and {text:?}");
            }
        }
        let digest = Pattern::of("^[0-9a-f]{64}$").unwrap();
        assert!(
            digest.is_match(&"0f".repeat(32)) && !digest.is_match(&"0F".repeat(32)) && !digest.is_match("0f")
        );
        assert!(Pattern::of("^x$").is_none());
    }
}
