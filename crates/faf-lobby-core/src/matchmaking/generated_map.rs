//! Entries of map pools that stand for a map of the map generator (matchmaking.md section 1.2).
//!
//! | version | spawns | size | seed | folder |
//! |---|---|---|---|---|
//! | 0.0.0 | 2 | 512 | 0123456789abcdef | `neroxis_map_generator_0.0.0_aerukz4jvpg66_aiea` |
//! | 1.2.3 | 2 | 256 | 0000000000000000 | `neroxis_map_generator_1.2.3_aaaaaaaaaaaaa_aica` |
//! | 1.12.0 | 8 | 1024 | ffffffffffffffff | `neroxis_map_generator_1.12.0_7777777777776_baia` |

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Unit of a map's size, in pixels: the name of a map has the size as a multiple of it.
const SIZE_UNIT: i64 = 64;

/// Maximum length of a version, in bytes. Real ones have about six.
const VERSION_MAX: usize = 32;

/// Digits of base32, RFC 4648, in lower case.
const BASE32: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";

/// Parameters of the map generator. Each match gets a new map with these parameters.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GeneratedMap {
    /// Version of the generator: digits and dots.
    version: String,
    /// Number of start positions; even.
    spawns: u8,
    /// Length of a side, in units of 64 pixels; at least 1.
    size: u8,
}

/// The reason why the parameters of an entry cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum InvalidParams {
    /// The text is not JSON.
    Json(String),
    /// `type` is missing, or is not `neroxis`.
    Type,
    /// `version` is missing, or is not a text of digits and dots.
    Version,
    /// `spawns` is missing, or is not an even number from 0 to 254.
    Spawns,
    /// `size` is missing, or is not a multiple of 64 from 64 to 16320.
    Size,
}

impl GeneratedMap {
    /// Reads the column `map_params`: an object with `type`, `version`, `spawns` and `size`, of
    /// which numbers may be text.
    ///
    /// # Errors
    /// The first reason why no map can be generated from it. Values that do not fit into the name
    /// of a map are found here and not when a match needs a map (M11).
    pub fn parse(params: &str) -> Result<Self, InvalidParams> {
        let params: Value =
            serde_json::from_str(params).map_err(|error| InvalidParams::Json(error.to_string()))?;
        if params["type"] != "neroxis" {
            return Err(InvalidParams::Type);
        }
        let is_version = |text: &&str| {
            (1..=VERSION_MAX).contains(&text.len())
                && text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.')
        };
        let version = params["version"].as_str().filter(is_version).ok_or(InvalidParams::Version)?;
        let spawns = integer(&params["spawns"])
            .and_then(|spawns| u8::try_from(spawns).ok())
            .filter(|spawns| spawns.is_multiple_of(2))
            .ok_or(InvalidParams::Spawns)?;
        let size = integer(&params["size"])
            .filter(|size| size % SIZE_UNIT == 0)
            .and_then(|size| u8::try_from(size / SIZE_UNIT).ok())
            .filter(|size| *size > 0)
            .ok_or(InvalidParams::Size)?;
        Ok(Self { version: version.to_owned(), spawns, size })
    }

    /// Returns the folder of the map with this seed. The generator in the client decodes the name.
    #[must_use]
    pub fn folder(&self, seed: u64) -> String {
        let (seed, options) = (base32(&seed.to_be_bytes()), base32(&[self.spawns, self.size]));
        format!("neroxis_map_generator_{}_{seed}_{options}", self.version)
    }
}

/// Returns an integer that is written as a number or as text.
fn integer(value: &Value) -> Option<i64> {
    match value {
        Value::String(text) => text.trim().parse().ok(),
        number => number.as_i64(),
    }
}

/// Encodes bytes without padding; the last digit is filled up with zero bits.
fn base32(bytes: &[u8]) -> String {
    let bit = |n: usize| bytes.get(n / 8).is_some_and(|byte| byte >> (7 - n % 8) & 1 == 1);
    let digit = |n: usize| (0..5).fold(0, |digit, place| digit << 1 | usize::from(bit(n * 5 + place)));
    (0..(bytes.len() * 8).div_ceil(5)).map(|n| char::from(BASE32[digit(n)])).collect()
}

impl fmt::Display for InvalidParams {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Json(error) => write!(f, "map_params is not JSON: {error}"),
            Self::Type => f.write_str("the type of map_params is not \"neroxis\""),
            Self::Version => {
                write!(
                    f,
                    "the version must be a text of digits and dots, with at most {VERSION_MAX} characters"
                )
            }
            Self::Spawns => f.write_str("spawns must be an even number from 0 to 254"),
            Self::Size => f.write_str("size must be a multiple of 64 from 64 to 16320"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::maps::{MAP_FOLDER_MAX, is_generated_map};
    use proptest::prelude::*;

    fn params(version: &str, spawns: &str, size: &str) -> String {
        format!(r#"{{"type":"neroxis","version":{version},"spawns":{spawns},"size":{size},"more":[]}}"#)
    }

    #[test]
    fn the_folder_has_version_seed_and_options() {
        let folder = |version: &str, spawns: &str, size: &str, seed| {
            GeneratedMap::parse(&params(version, spawns, size)).unwrap().folder(seed)
        };
        assert_eq!(
            folder("\"0.0.0\"", "2", "512", 0x0123_4567_89ab_cdef),
            "neroxis_map_generator_0.0.0_aerukz4jvpg66_aiea"
        );
        assert_eq!(
            folder("\"1.4.5\"", "\"6\"", "\" 1280 \"", 0xdead_beef_cafe_babe),
            "neroxis_map_generator_1.4.5_32w3536k725l4_ayka"
        );
        assert_eq!(folder("\"1\"", "254", "16320", u64::MAX), "neroxis_map_generator_1_7777777777776_737q");
    }

    #[test]
    fn parameters_that_do_not_fit_are_found_when_they_are_read() {
        use InvalidParams::{Size, Spawns, Type, Version};
        let error = |params: &str| GeneratedMap::parse(params).unwrap_err();
        let version = "\"1.0.0\"";
        for spawns in ["1", "256", "-2", "2.5", "null", "\"x\"", "\"2.0\"", "[2]", "true", "1e300"] {
            assert_eq!(error(&params(version, spawns, "512")), Spawns, "{spawns}");
        }
        for size in ["0", "-64", "63", "513", "16384", "\"\"", "null", "9223372036854775808"] {
            assert_eq!(error(&params(version, "2", size)), Size, "{size}");
        }
        for version in ["\"\"", "\"1.0-beta\"", "1.5", "null", "\"../x\"", &format!("\"{}\"", "1".repeat(33))]
        {
            assert_eq!(error(&params(version, "2", "512")), Version, "{version}");
        }
        for other in ["{}", "[]", "null", "7", "\"neroxis\"", r#"{"type":"other"}"#, r#"{"type":null}"#] {
            assert_eq!(error(other), Type, "{other}");
        }
        for broken in ["", r#"{"type": "neroxis""#] {
            assert!(matches!(error(broken), InvalidParams::Json(_)), "{broken}");
        }
    }

    proptest! {
        #[test]
        fn nothing_panics_and_every_folder_is_a_generated_map(
            version in r#"("[0-9.]{1,34}"|[0-9]{1,3}|null)"#, spawns: i16, size in -2_i32..400, more: u8, seed: u64
        ) {
            let size = size * 64 + i32::from(more % 8 == 0);
            if let Ok(map) = GeneratedMap::parse(&params(&version, &spawns.to_string(), &size.to_string())) {
                let folder = map.folder(seed);
                prop_assert!(is_generated_map(&folder), "{}", folder);
                prop_assert!(folder.len() <= MAP_FOLDER_MAX);
                prop_assert!(spawns % 2 == 0 && (0..256).contains(&spawns) && size > 0 && size % 64 == 0);
            }
        }

        #[test]
        fn different_seeds_give_different_folders(one: u64, other: u64) {
            let map = GeneratedMap { version: "1.0.0".to_owned(), spawns: 2, size: 8 };
            prop_assert_eq!(map.folder(one) == map.folder(other), one == other);
        }
    }
}
