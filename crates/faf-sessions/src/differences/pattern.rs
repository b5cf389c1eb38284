//! Texts with wildcards.

/// A text in which `*` stands for any text, even an empty one; `#` for digits; `<a>`, with any
/// letter, for any text that is the same wherever `<a>` stands; and `(a|b)` for one of several texts. Other characters
/// stand for themselves, and so do parentheses without `|` between them.
#[derive(Debug, Clone)]
pub(super) struct Pattern(Vec<Vec<Piece>>);

#[derive(Debug, Clone)]
enum Piece {
    Text(String),
    Anything,
    /// One digit or more.
    Digits,
    /// Any text, but the same one everywhere.
    Named(char),
}

impl Pattern {
    pub(super) fn new(text: &str) -> Self {
        Self(spelled_out(text).iter().map(|text| pieces(text)).collect())
    }

    pub(super) fn matches(&self, text: &str) -> bool {
        self.0.iter().any(|pieces| is_match(pieces, text, &mut Vec::new()))
    }
}

/// Returns all texts that the alternatives of a text produce.
fn spelled_out(text: &str) -> Vec<String> {
    let choice = text.match_indices('(').find_map(|(begin, _)| {
        let length = text[begin..].find(')')?;
        let inside = &text[begin + 1..begin + length];
        let is_choice = inside.contains('|') && !inside.contains('(');
        is_choice.then(|| (&text[..begin], inside, &text[begin + length + 1..]))
    });
    let Some((before, inside, after)) = choice else { return vec![text.to_owned()] };
    inside.split('|').flat_map(|one| spelled_out(&format!("{before}{one}{after}"))).collect()
}

fn pieces(mut text: &str) -> Vec<Piece> {
    let (mut pieces, mut plain) = (Vec::new(), String::new());
    while let Some(character) = text.chars().next() {
        let blank = match text.as_bytes() {
            [b'*', ..] => Some((Piece::Anything, 1)),
            [b'#', ..] => Some((Piece::Digits, 1)),
            [b'<', name @ b'a'..=b'z', b'>', ..] => Some((Piece::Named(char::from(*name)), 3)),
            _ => None,
        };
        let length = match blank {
            Some((piece, length)) => {
                pieces.extend((!plain.is_empty()).then(|| Piece::Text(std::mem::take(&mut plain))));
                pieces.push(piece);
                length
            }
            None => {
                plain.push(character);
                character.len_utf8()
            }
        };
        text = &text[length..];
    }
    pieces.extend((!plain.is_empty()).then_some(Piece::Text(plain)));
    pieces
}

/// Matches the pieces from the beginning of a text. `known` holds the texts of named wildcards
/// so far.
fn is_match<'a>(pieces: &[Piece], text: &'a str, known: &mut Vec<(char, &'a str)>) -> bool {
    let Some((piece, rest)) = pieces.split_first() else { return text.is_empty() };
    let named =
        |known: &[(char, &'a str)], name: char| known.iter().find(|(other, _)| *other == name).copied();
    match piece {
        Piece::Text(part) => text.strip_prefix(part.as_str()).is_some_and(|text| is_match(rest, text, known)),
        Piece::Anything if rest.is_empty() => true,
        Piece::Anything => ends(text).any(|end| is_match(rest, &text[end..], known)),
        Piece::Digits => {
            let digits = text.bytes().take_while(u8::is_ascii_digit).count();
            (1..=digits).rev().any(|end| is_match(rest, &text[end..], known))
        }
        Piece::Named(name) => match named(known, *name) {
            Some((_, part)) => text.strip_prefix(part).is_some_and(|text| is_match(rest, text, known)),
            None => ends(text).any(|end| {
                let before = known.len();
                known.push((*name, &text[..end]));
                let is_match = is_match(rest, &text[end..], known);
                known.truncate(before);
                is_match
            }),
        },
    }
}

/// Returns all positions at which a prefix of a text can end.
fn ends(text: &str) -> impl Iterator<Item = usize> {
    text.char_indices().map(|(at, _)| at).chain([text.len()])
}

#[test]
fn wildcards_match() {
    let matches = |pattern: &str, text: &str| Pattern::new(pattern).matches(text);
    assert!(matches("missing game *", "missing game 5001"));
    assert!(!matches("missing game *", "missing player 1"));
    assert!(!matches("missing game", "missing game 5001"));
    assert!(matches("* is *, was *", "player.state is \"é\", was null"));
    assert!(matches("a*b", "ab") && matches("a*b", "abab") && !matches("a*b", "aba"));
    assert!(matches("game #: * is #, was 1#", "game 7: a is 12, was 10"));
    assert!(!matches("is #, was #", "is missing, was 1") && !matches("is #", "is ") && !matches("#", "1.5"));
    assert!(matches("is (1|2), was (3|*)", "is 2, was 9"));
    assert!(!matches("is (1|2), was 3", "is 12, was 3"));
    assert!(matches("Bad password (it's case sensitive).", "Bad password (it's case sensitive)."));
    assert!(matches("<a> is not <a>", "7 is not 7") && !matches("<a> is not <a>", "7 is not 8"));
    assert!(matches("is [<a>], was [<a>,*]", "is [1,2], was [1,2,3]"));
    assert!(!matches("is [<a>], was [<a>,*]", "is [1,2], was [1,3,2]"));
    assert!(matches("<a><b><a>", "xyx") && !matches("<a>-<b>-<a><b>", "x-y-yx"));
}
