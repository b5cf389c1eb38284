//! Account names, and how they are compared.

use faf_lobby_core::is_allowed_in_name;
use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

/// Longest account name, in characters.
pub const LOGIN_LIMIT: usize = 20;

/// Returns the form in which names are compared: without case, accents and surrounding white space.
#[must_use]
pub fn login_key(login: &str) -> String {
    login
        .trim()
        .nfkd()
        .filter(|character| !is_combining_mark(*character))
        .flat_map(char::to_lowercase)
        .collect()
}

/// Returns whether a name is a valid account name.
#[must_use]
pub fn is_valid_login(login: &str) -> bool {
    let length = login.chars().count();
    (1..=LOGIN_LIMIT).contains(&length)
        && login.chars().all(is_allowed_in_name)
        && !login_key(login).is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_compare_as_players_expect() {
        for same in ["Tést", "TEST", " test  ", "tEsT"] {
            assert_eq!(login_key(same), "test");
        }
        assert_ne!(login_key("test2"), login_key("test"));
        assert_eq!(login_key("Ünïcödé"), "unicode");
    }

    #[test]
    fn names_have_bounds() {
        assert!(is_valid_login("Ada") && is_valid_login("Ünïcödé") && is_valid_login(&"x".repeat(20)));
        let unseen =
            ["A\u{200B}da", "Ada\u{3164}", "\u{202E}adA", "Ada\u{E0041}", "A\u{AD}da", "Ada\u{2800}"];
        for wrong in ["", " ", "two words", "new\nline", &"x".repeat(21), "\u{301}"].into_iter().chain(unseen)
        {
            assert!(!is_valid_login(wrong), "{wrong:?}");
        }
    }
}
