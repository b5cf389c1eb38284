//! Texts from clients: how much of them is kept or repeated, which characters names may have, and
//! how deceptive characters are shown to the readers of logs, listings and the status page.

use std::fmt::{self, Write};

/// Maximum length, in characters, of a client's text in a reply or in the log. The rest is replaced
/// by three dots.
const QUOTE_LIMIT: usize = 200;

/// Truncates a text to `limit` characters.
pub(crate) fn cut(mut text: String, limit: usize) -> String {
    if let Some((end, _)) = text.char_indices().nth(limit) {
        text.truncate(end);
        text.shrink_to_fit();
    }
    text
}

/// Shortens a text for repeating it to clients and operators.
pub(crate) fn quoted(text: String) -> String {
    let quote = cut(text, QUOTE_LIMIT + 1);
    match quote.char_indices().nth(QUOTE_LIMIT) {
        None => quote,
        Some((end, _)) => format!("{}...", &quote[..end]),
    }
}

/// Returns whether a character is allowed in a name that people tell apart by reading it: the name
/// of an account, the tag of a clan.
///
/// White space, invisible characters and characters that change the direction of the text are
/// not allowed.
#[must_use]
pub fn is_allowed_in_name(character: char) -> bool {
    // U+2800 is the Braille pattern without dots.
    !is_invisible(character) && !character.is_whitespace() && character != '\u{2800}'
}

/// Returns whether every character of a text is visible or a plain space.
#[must_use]
pub fn is_legible(text: &str) -> bool {
    !text.chars().any(|character| is_invisible(character) || is_odd_space(character))
}

/// Returns a text as it is shown to people: characters that are invisible, break lines, change the
/// direction of the text or look like other letters are escaped, for example as `\u{202e}`.
///
/// Letters of other scripts that look like ASCII letters are not escaped in words that are plainly
/// of that script: in `Привет`, but not in `Аda`, the first letter of which is Cyrillic.
#[must_use]
pub fn escaped(text: &str) -> Escaped<'_> {
    Escaped(text)
}

/// A text with escapes; see [`escaped`]. The width of a format counts escaped characters.
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
                let is_escaped = is_invisible(character)
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

/// Returns whether a character is a control character, default-ignorable in Unicode (which includes
/// all that change the direction of a text), an annotation mark or a noncharacter.
fn is_invisible(character: char) -> bool {
    character.is_control()
        || matches!(character,
            '\u{AD}' | '\u{34F}' | '\u{61C}' | '\u{115F}'..='\u{1160}' | '\u{17B4}'..='\u{17B5}'
            | '\u{180B}'..='\u{180F}' | '\u{200B}'..='\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2060}'..='\u{206F}'
            | '\u{3164}' | '\u{FDD0}'..='\u{FDEF}' | '\u{FE00}'..='\u{FE0F}' | '\u{FEFF}' | '\u{FFA0}'
            | '\u{FFF0}'..='\u{FFFB}' | '\u{1BCA0}'..='\u{1BCA3}' | '\u{1D159}' | '\u{1D173}'..='\u{1D17A}'
            | '\u{E0000}'..='\u{E0FFF}')
        || u32::from(character) & 0xFFFE == 0xFFFE
}

/// Returns whether a character is white space other than the plain space.
fn is_odd_space(character: char) -> bool {
    (character.is_whitespace() && character != ' ') || character == '\u{2800}'
}

/// Returns whether a word has letters of a non-Latin script and no Latin ones, not counting
/// look-alikes: in such a word a look-alike deceives nobody.
fn is_plainly_foreign(word: &str) -> bool {
    let is_latin =
        |c: char| c.is_ascii_alphanumeric() || matches!(c, '\u{C0}'..='\u{24F}' | '\u{1E00}'..='\u{1EFF}');
    let is_foreign = |c: char| c.is_alphabetic() && !is_invisible(c) && !is_styled_letter(c) && !is_latin(c);
    let mut letters = word.chars().filter(|c| !LOOK_ALIKES.contains(*c));
    letters.clone().any(is_foreign) && !letters.any(is_latin)
}

/// Letters and digits of living scripts that look like ASCII ones, from Unicode's list of
/// confusable characters.
const LOOK_ALIKES: &str = "\
    ×ıƄƍƖƦƧƷƼƽǀǃȜȢȣɑɡɣɩɪɯʋʏ˗˛ͺͿΑΒΕΖΗΙΚΜΝΟΡΤΥΧαγηικνορστυχωϒϜϨϱϲϳϹϺЅІЈАВЕЗКМНОРСТУХЬабгеклорсухѕіјѡѴѵҮүһҽӀӏӠԁԌԛԜԝ\
    ՍՏՕագզհոռսցքօ۱۵۷०০৪৭੦੧੪૦ଃଠ୦୨௦ం౦ಂ೦ംഠ൦൭ං๐໐ဝ၀ყჿሀዐẝỿι‐‑‒–—−∣〇";

/// Returns whether a character is a styled form of an ASCII letter or digit, or belongs to a script
/// that no player of this game writes; some of those look like ASCII letters.
fn is_styled_letter(character: char) -> bool {
    matches!(character,
        // Cherokee, Canadian syllabics, Runic; phonetic letters; superscripts; letter-like and
        // enclosed ones.
        '\u{13A0}'..='\u{167F}' | '\u{16A0}'..='\u{16FF}' | '\u{1D00}'..='\u{1DBF}' | '\u{2070}'..='\u{209F}'
        | '\u{2100}'..='\u{218F}' | '\u{2460}'..='\u{24FF}'
        // Coptic, Tifinagh, Lisu; Latin letters for linguists; full-width forms.
        | '\u{2C60}'..='\u{2CFF}' | '\u{2D30}'..='\u{2D7F}' | '\u{A4D0}'..='\u{A4FF}' | '\u{A640}'..='\u{A7FF}'
        | '\u{AB30}'..='\u{ABBF}' | '\u{FF01}'..='\u{FF5E}' | '\u{FFE8}'
        // Ancient scripts and some minority ones; mathematical letters; enclosed ones.
        | '\u{10280}'..='\u{1054F}' | '\u{114D0}' | '\u{11700}'..='\u{118FF}' | '\u{16F00}'..='\u{16F9F}'
        | '\u{1D200}'..='\u{1D24F}' | '\u{1D400}'..='\u{1D7FF}' | '\u{1F100}'..='\u{1F1FF}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_have_only_visible_characters() {
        for visible in ['A', 'z', '0', '-', '_', '[', 'é', 'ß', 'Ж', '猫', '\u{301}'] {
            assert!(is_allowed_in_name(visible), "{visible:?}");
        }
        let invisible = "\0\n\u{7F}\u{85} \u{A0}\u{AD}\u{34F}\u{61C}\u{115F}\u{1160}\u{17B4}\u{180B}\u{180E}\u{180F}\u{200B}\
                      \u{200D}\u{200E}\u{2028}\u{202E}\u{2060}\u{2066}\u{206F}\u{2800}\u{3000}\u{3164}\u{FE0F}\u{FEFF}\
                      \u{FFA0}\u{FFF9}\u{FFFE}\u{1D173}\u{E0001}\u{E0041}\u{E01EF}";
        for character in invisible.chars() {
            assert!(!is_allowed_in_name(character), "{character:?}");
        }
        assert!(is_legible("two words, Привет!") && is_legible(""));
        assert!(!is_legible("a\u{202E}b") && !is_legible("a\nb") && !is_legible("a\u{2800}b"));
    }

    #[test]
    fn deceptive_characters_are_escaped() {
        let shown = |text: &str| escaped(text).to_string();
        for plain in ["Ada", "two words!", "Ünïcödé", "Привет, мир", "Ελλάδα", "猫"] {
            assert_eq!(shown(plain), plain);
        }
        assert_eq!(shown("A\u{200B}da\u{3164}"), r"A\u{200b}da\u{3164}");
        assert_eq!(shown("\u{202E}adA\n"), r"\u{202e}adA\n");
        // One Cyrillic letter first, then only Cyrillic ones, then a mathematical one, then one
        // more letter.
        assert_eq!(shown("Аda"), r"\u{410}da");
        assert_eq!(shown("асе, Привет"), r"\u{430}\u{441}\u{435}, Привет");
        assert_eq!(shown("\u{1D400}da"), r"\u{1d400}da");
        assert_eq!(shown("Adаж"), r"Ad\u{430}ж");
        assert_eq!(format!("[{:<6}] [{:<4}]", escaped("Ada"), escaped("а")), r"[Ada   ] [\u{430}]");
    }

    #[test]
    fn texts_are_truncated_between_characters() {
        assert_eq!(cut("äöü".to_owned(), 2), "äö");
        assert_eq!(cut("äöü".to_owned(), 3), "äöü");
        assert_eq!(quoted("ä".repeat(200)), "ä".repeat(200));
        assert_eq!(quoted("ä".repeat(1000)), format!("{}...", "ä".repeat(200)));
    }
}
