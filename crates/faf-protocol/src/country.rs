//! The country that is shown beside a player's name.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// ISO 3166 code of a country, such as `DE`, or an unknown country, which is an empty text on the
/// wire (session.md section 7).
///
/// Two ASCII letters or digits; anything else is an error.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Country(Option<[u8; 2]>);

/// A text is not the code of a country.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the code of a country is two letters, or nothing if it is unknown")]
pub struct InvalidCountry;

impl Country {
    /// An unknown country.
    pub const UNKNOWN: Self = Self(None);

    /// Returns the code; empty if the country is unknown.
    #[must_use]
    pub fn as_str(&self) -> &str {
        let code = self.0.as_ref().map(|code| str::from_utf8(code).expect("it is ASCII"));
        code.unwrap_or_default()
    }
}

impl FromStr for Country {
    type Err = InvalidCountry;

    fn from_str(text: &str) -> Result<Self, InvalidCountry> {
        match *text.as_bytes() {
            [] => Ok(Self::UNKNOWN),
            [first, second] if first.is_ascii_alphanumeric() && second.is_ascii_alphanumeric() => {
                Ok(Self(Some([first, second])))
            }
            _ => Err(InvalidCountry),
        }
    }
}

impl fmt::Debug for Country {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_str().fmt(f)
    }
}

impl fmt::Display for Country {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl Serialize for Country {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for Country {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;

        impl de::Visitor<'_> for Visitor {
            type Value = Country;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("the code of a country")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Country, E> {
                text.parse().map_err(E::custom)
            }
        }

        deserializer.deserialize_str(Visitor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_country_is_a_code_or_unknown() {
        for text in ["", "DE", "us", "A1"] {
            let country: Country = text.parse().unwrap();
            assert_eq!(country.to_string(), text);
            let json = serde_json::to_string(&country).unwrap();
            assert_eq!(json, format!("\"{text}\""));
            assert_eq!(serde_json::from_str::<Country>(&json).unwrap(), country);
        }
        for text in ["D", "DEU", "ü", "D ", "\0\0"] {
            assert_eq!(text.parse::<Country>(), Err(InvalidCountry), "{text:?}");
        }
        assert!(serde_json::from_str::<Country>("null").is_err());
    }

    #[test]
    fn a_country_takes_no_memory_of_its_own() {
        assert_eq!(size_of::<Country>(), 3);
    }
}
