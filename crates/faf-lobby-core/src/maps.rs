//! Names of maps (games.md section 3.3).

/// Maximum length of a map folder, in bytes. File systems allow no longer names, and the vault has
/// at most 200. The list of games sends the name to every player, twice.
pub const MAP_FOLDER_MAX: usize = 255;

/// Returns the map folder in the value of the option `ScenarioFile`, in lower case; it is the key
/// of the map in the database.
///
/// The path may be in POSIX or Windows style, and separators may be repeated. The folder is the
/// third part of the path, of which the root or drive is the first: `/maps/x/x_scenario.lua` and
/// `C:\Maps\X\X_scenario.lua` give `x`. Returns `None` for shorter paths, and if the name is [not
/// acceptable](is_map_folder) (games.md section 3.3).
#[must_use]
pub fn map_folder(scenario_file: &str) -> Option<String> {
    let is_separator = |c: char| matches!(c, '/' | '\\');
    let without_drive = match scenario_file.as_bytes() {
        [letter, b':', ..] if letter.is_ascii_alphabetic() => Some(&scenario_file[2..]),
        _ => None,
    };
    let has_anchor = without_drive.is_some() || scenario_file.starts_with(is_separator);
    let mut parts = without_drive
        .unwrap_or(scenario_file)
        .split(is_separator)
        .filter(|part| !part.is_empty() && *part != ".");
    let folder = parts.nth(if has_anchor { 1 } else { 2 })?.to_lowercase();
    is_map_folder(&folder).then_some(folder)
}

/// Returns whether a name is acceptable as a map folder.
///
/// All clients build paths and URLs from it. It may contain ASCII letters and digits, `._-`, spaces
/// and `'()[]!,`, which have no meaning in a path, a URL or HTML. It neither begins nor ends with a
/// dot or a space, because Windows drops those at the end. It has 1 to [`MAP_FOLDER_MAX`] bytes.
/// The vault itself uses only letters, digits and `._-`.
#[must_use]
pub fn is_map_folder(folder: &str) -> bool {
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"._- '()[]!,".contains(&byte);
    let has_odd_end = folder.starts_with(['.', ' ']) || folder.ends_with(['.', ' ']);
    (1..=MAP_FOLDER_MAX).contains(&folder.len()) && !has_odd_end && folder.bytes().all(is_allowed)
}

/// Returns whether a map folder, in lower case, is a map of the map generator. Such maps are ranked
/// without being in the vault.
///
/// Their names are `neroxis_map_generator_<version>_<seed>_<options>`, where the version has digits
/// and dots, and the other two parts are base32 (games.md section 3.3).
#[must_use]
pub fn is_generated_map(folder: &str) -> bool {
    let is_all = |text: &str, is_one: fn(u8) -> bool| !text.is_empty() && text.bytes().all(is_one);
    let is_base32 = |text: &str| is_all(text, |byte| matches!(byte, b'a'..=b'z' | b'2'..=b'7'));
    let Some(rest) = folder.strip_prefix("neroxis_map_generator_") else { return false };
    let mut parts = rest.split('_');
    let (Some(version), Some(seed), Some(options), None) =
        (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return false;
    };
    is_all(version, |byte| matches!(byte, b'0'..=b'9' | b'.')) && is_base32(seed) && is_base32(options)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_folder_is_the_third_part_of_the_path() {
        for path in [
            "/maps/x/x_scenario.lua",
            "////maps///x/x_scenario.lua",
            "//maps/x",
            "/maps/x/",
            "/maps/./x/x_scenario.lua",
            r"C:\Maps\X\X_scenario.lua",
            r"C:\\Maps\\X\\X_scenario.lua",
            "c:/maps/x/x_scenario.lua",
            r"C:maps\x",
            r"\maps\x\x_scenario.lua",
            r"/maps\X/x_scenario.lua",
            "a/b/x",
        ] {
            assert_eq!(map_folder(path).as_deref(), Some("x"), "{path}");
        }
        assert_eq!(
            map_folder("/maps/SCMP_007.v0003/SCMP.lua").as_deref(),
            Some("scmp_007.v0003"),
            "version suffixes are part of the folder"
        );
    }

    #[test]
    fn other_paths_have_no_folder() {
        for path in ["", "/", "x", "/maps", "/maps/", r"C:\Maps", "C:", "maps/x", "/maps/../x", "/maps/./"] {
            assert_eq!(map_folder(path), None, "{path}");
        }
    }

    #[test]
    fn the_length_of_a_folder_is_limited() {
        let folder = |length: usize| map_folder(&format!("/maps/{}/x.lua", "m".repeat(length)));
        assert!(folder(MAP_FOLDER_MAX).is_some());
        assert_eq!(folder(MAP_FOLDER_MAX + 1), None);
    }

    #[test]
    fn folders_have_no_special_characters_of_paths_and_urls() {
        for folder in [
            "scmp_009",
            "seton_s_clutch_-_faf_version.v0004",
            "neroxis_map_generator_1.8.5_abcdefgh2345w_aiea",
            "frozen_gate_coop.v0002",
            "SCMP_007",
            "Ada's map (v2) [ranked]!, large",
            "x",
        ] {
            assert!(is_map_folder(folder), "{folder}");
        }
        for folder in [
            "",
            ".",
            "..",
            "...",
            ".x",
            "x.",
            " x",
            "x ",
            "a/b",
            r"a\b",
            "a\0b",
            "a\nb",
            "a:b",
            "c:",
            "a?b",
            "a#b",
            "a%2fb",
            "%2e%2e",
            "a&b",
            "a+b",
            "a=b",
            "a;b",
            "a|b",
            "a*b",
            "a<b>",
            "a\"b",
            "a`b",
            "a$b",
            "a{b}",
            "~",
            "a@b",
            "ä",
            "\u{202e}x",
            "a\u{200b}b",
            "a\u{a0}b",
        ] {
            assert!(!is_map_folder(folder), "{folder:?}");
        }
    }

    #[test]
    fn generated_maps_are_recognised_by_name() {
        for folder in [
            "neroxis_map_generator_0.0.0_aerukz4jvpg66_aiea",
            "neroxis_map_generator_1.12.0_7777777777776_baia",
            "neroxis_map_generator_1_a_2",
        ] {
            assert!(is_generated_map(folder), "{folder}");
        }
        for folder in [
            "",
            "scmp_007",
            "neroxis_map_generator",
            "neroxis_map_generator_",
            "neroxis_map_generator_1.0.0_aaaa",
            "neroxis_map_generator_1.0.0_aaaa_",
            "neroxis_map_generator_1.0.0__aaaa",
            "neroxis_map_generator__aaaa_aaaa",
            "neroxis_map_generator_1.0.0_aaaa_aaaa_aaaa",
            "neroxis_map_generator_1.0.0a_aaaa_aaaa",
            "neroxis_map_generator_1.0.0_aaa1_aaaa",
            "neroxis_map_generator_1.0.0_aaaa_aa8a",
            "neroxis_map_generator_1.0.0_AAAA_aaaa",
            "neroxis_map_generator_1.0.0_aaaa_aaaa\n",
            "xneroxis_map_generator_1.0.0_aaaa_aaaa",
        ] {
            assert!(!is_generated_map(folder), "{folder}");
        }
    }

    proptest! {
        #[test]
        fn a_folder_has_no_separators(path in r"([a-zA-Z]:)?([/\\.]{0,3}\PC{0,4}){0,5}") {
            if let Some(folder) = map_folder(&path) {
                prop_assert!(is_map_folder(&folder));
            }
        }
    }
}
