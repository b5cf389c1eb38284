//! Texts of clients: how much of them is kept or said again, which characters names may have, and
//! how people who read a log, a listing or the status page see what they could not tell from
//! something else.

use std::fmt::{self, Write};

/// Longest text of a client in an answer or in the log, in characters; the rest is replaced by
/// dots.
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

/// Whether a character may stand in what people tell apart by reading it: the name of an account,
/// the tag of a clan.
///
/// White space may not, and nothing that cannot be seen or that turns the direction of the text.
#[must_use]
pub fn is_allowed_in_name(character: char) -> bool {
    // U+2800 is the Braille pattern without dots.
    !is_unseen(character) && !character.is_whitespace() && character != '\u{2800}'
}

/// Whether every character of a text is one that can be seen, or a plain space.
#[must_use]
pub fn is_legible(text: &str) -> bool {
    !text.chars().any(|character| is_unseen(character) || is_odd_space(character))
}

/// A text as it is shown to people: characters that are invisible, break lines, change the
/// direction of the text or look like other letters are escaped, as `\u{202e}`.
///
/// Letters of other scripts that look like those of ASCII stand as they are in words that are
/// plainly of that script: in `Привет`, but not in `Аda`, the first letter of which is Cyrillic.
#[must_use]
pub fn escaped(text: &str) -> Escaped<'_> {
    Escaped(text)
}

/// See [`escaped`]; widths of a format count escaped characters.
#[derive(Debug, Clone, Copy)]
pub struct Escaped<'a>(&'a str);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
            return f.pad(self.0);
        }
        let mut shown = String::with_capacity(self.0.len() * 2);
        for word in self.0.split_inclusive(|character: char| !character.is_alphanumeric()) {
            let is_foreign = is_plainly_foreign(word);
            for character in word.chars() {
                let is_escaped = is_unseen(character)
                    || is_odd_space(character)
                    || is_styled_letter(character)
                    || (LOOK_ALIKES.contains(character) && !is_foreign);
                if is_escaped {
                    write!(shown, "{}", character.escape_default())?;
                } else {
                    shown.push(character);
                }
            }
        }
        f.pad(&shown)
    }
}

/// Control characters, those that Unicode calls default-ignorable, among them all that turn the
/// direction of a text, marks of annotations, and what is no character at all.
fn is_unseen(character: char) -> bool {
    character.is_control()
        || matches!(character,
            '\u{AD}' | '\u{34F}' | '\u{61C}' | '\u{115F}'..='\u{1160}' | '\u{17B4}'..='\u{17B5}'
            | '\u{180B}'..='\u{180F}' | '\u{200B}'..='\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2060}'..='\u{206F}'
            | '\u{3164}' | '\u{FDD0}'..='\u{FDEF}' | '\u{FE00}'..='\u{FE0F}' | '\u{FEFF}' | '\u{FFA0}'
            | '\u{FFF0}'..='\u{FFFB}' | '\u{1BCA0}'..='\u{1BCA3}' | '\u{1D159}' | '\u{1D173}'..='\u{1D17A}'
            | '\u{E0000}'..='\u{E0FFF}')
        || u32::from(character) & 0xFFFE == 0xFFFE
}

/// Any white space but the plain one.
fn is_odd_space(character: char) -> bool {
    (character.is_whitespace() && character != ' ') || character == '\u{2800}'
}

/// Whether a word has letters of another script than ours, and none of those that look like ours
/// would deceive anybody.
fn is_plainly_foreign(word: &str) -> bool {
    let is_latin =
        |c: char| c.is_ascii_alphanumeric() || matches!(c, '\u{C0}'..='\u{24F}' | '\u{1E00}'..='\u{1EFF}');
    let is_foreign = |c: char| c.is_alphabetic() && !is_unseen(c) && !is_styled_letter(c) && !is_latin(c);
    let mut letters = word.chars().filter(|c| !LOOK_ALIKES.contains(*c));
    letters.clone().any(is_foreign) && !letters.any(is_latin)
}

/// Letters and digits of living scripts that look like those of ASCII, from Unicode's list of
/// confusable characters.
const LOOK_ALIKES: &str = "\
    ×ıƄƍƖƦƧƷƼƽǀǃȜȢȣɑɡɣɩɪɯʋʏ˗˛ͺͿΑΒΕΖΗΙΚΜΝΟΡΤΥΧαγηικνορστυχωϒϜϨϱϲϳϹϺЅІЈАВЕЗКМНОРСТУХЬабгеклорсухѕіјѡѴѵҮүһҽӀӏӠԁԌԛԜԝ\
    ՍՏՕագզհոռսցքօ۱۵۷०০৪৭੦੧੪૦ଃଠ୦୨௦ం౦ಂ೦ംഠ൦൭ං๐໐ဝ၀ყჿሀዐẝỿι‐‑‒–—−∣〇";

/// Letters and digits of ASCII in another dress, and of scripts that nobody writes who plays this
/// game, some of which look like those of ASCII.
fn is_styled_letter(character: char) -> bool {
    matches!(character,
        // Cherokee, Canadian syllabics, Runic; phonetic letters; superscripts, letter-like and
        // enclosed ones.
        '\u{13A0}'..='\u{167F}' | '\u{16A0}'..='\u{16FF}' | '\u{1D00}'..='\u{1DBF}' | '\u{2070}'..='\u{209F}'
        | '\u{2100}'..='\u{218F}' | '\u{2460}'..='\u{24FF}'
        // Coptic, Tifinagh, Lisu, Latin letters of linguists, wide ones.
        | '\u{2C60}'..='\u{2CFF}' | '\u{2D30}'..='\u{2D7F}' | '\u{A4D0}'..='\u{A4FF}' | '\u{A640}'..='\u{A7FF}'
        | '\u{AB30}'..='\u{ABBF}' | '\u{FF01}'..='\u{FF5E}' | '\u{FFE8}'
        // Scripts of antiquity and some of small peoples; letters of mathematics; enclosed ones.
        | '\u{10280}'..='\u{1054F}' | '\u{114D0}' | '\u{11700}'..='\u{118FF}' | '\u{16F00}'..='\u{16F9F}'
        | '\u{1D200}'..='\u{1D24F}' | '\u{1D400}'..='\u{1D7FF}' | '\u{1F100}'..='\u{1F1FF}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_have_only_characters_that_are_seen() {
        for seen in ['A', 'z', '0', '-', '_', '[', 'é', 'ß', 'Ж', '猫', '\u{301}'] {
            assert!(is_allowed_in_name(seen), "{seen:?}");
        }
        let unseen = "\0\n\u{7F}\u{85} \u{A0}\u{AD}\u{34F}\u{61C}\u{115F}\u{1160}\u{17B4}\u{180B}\u{180E}\u{180F}\u{200B}\
                      \u{200D}\u{200E}\u{2028}\u{202E}\u{2060}\u{2066}\u{206F}\u{2800}\u{3000}\u{3164}\u{FE0F}\u{FEFF}\
                      \u{FFA0}\u{FFF9}\u{FFFE}\u{1D173}\u{E0001}\u{E0041}\u{E01EF}";
        for unseen in unseen.chars() {
            assert!(!is_allowed_in_name(unseen), "{unseen:?}");
        }
        assert!(is_legible("two words, Привет!") && is_legible(""));
        assert!(!is_legible("a\u{202E}b") && !is_legible("a\nb") && !is_legible("a\u{2800}b"));
    }

    #[test]
    fn people_see_what_would_deceive_them() {
        let shown = |text: &str| escaped(text).to_string();
        for plain in ["Ada", "two words!", "Ünïcödé", "Привет, мир", "Ελλάδα", "猫"] {
            assert_eq!(shown(plain), plain);
        }
        assert_eq!(shown("A\u{200B}da\u{3164}"), r"A\u{200b}da\u{3164}");
        assert_eq!(shown("\u{202E}adA\n"), r"\u{202e}adA\n");
        // The first letter is Cyrillic, then all are, then it is mathematical, then there is one
        // more letter.
        assert_eq!(shown("Аda"), r"\u{410}da");
        assert_eq!(shown("асе, Привет"), r"\u{430}\u{441}\u{435}, Привет");
        assert_eq!(shown("\u{1D400}da"), r"\u{1d400}da");
        assert_eq!(shown("Adаж"), r"Ad\u{430}ж");
        assert_eq!(format!("[{:<6}] [{:<4}]", escaped("Ada"), escaped("а")), r"[Ada   ] [\u{430}]");
    }

    #[test]
    fn texts_are_cut_between_characters() {
        assert_eq!(cut("äöü".to_owned(), 2), "äö");
        assert_eq!(cut("äöü".to_owned(), 3), "äöü");
        assert_eq!(quoted("ä".repeat(200)), "ä".repeat(200));
        assert_eq!(quoted("ä".repeat(1000)), format!("{}...", "ä".repeat(200)));
    }
}
