//! The random parts of the names of generated maps (`golden/sessions/README.md`, volatile values).

use serde_json::Value;

/// Begin of the names of generated maps; a version, the random part and the parameters follow.
const PREFIX: &str = "neroxis_map_generator_";

/// Length of the random part, which is base32.
const LENGTH: usize = 13;

/// The random parts of one side of a comparison, in the order in which they came up.
#[derive(Debug, Default)]
pub struct GeneratedMaps(Vec<String>);

impl GeneratedMaps {
    /// Replaces the random part of each map in a message by its number, so that two messages about
    /// the same map stay equal.
    pub fn hide(&mut self, message: &mut Value) {
        match message {
            Value::String(text) => {
                if let Some(hidden) = self.hidden(text) {
                    *text = hidden;
                }
            }
            Value::Array(values) => values.iter_mut().for_each(|value| self.hide(value)),
            Value::Object(members) => members.values_mut().for_each(|value| self.hide(value)),
            _ => {}
        }
    }

    fn hidden(&mut self, text: &str) -> Option<String> {
        let (before, name) = text.split_once(PREFIX)?;
        let (version, rest) = name.split_once('_')?;
        let (seed, after) = rest.split_once('_')?;
        let is_base32 = |character: char| matches!(character, 'a'..='z' | '2'..='7');
        if seed.len() != LENGTH || !seed.chars().all(is_base32) {
            return None;
        }
        let known = self.0.iter().position(|known| known == seed);
        let number = known.unwrap_or_else(|| {
            self.0.push(seed.to_owned());
            self.0.len() - 1
        });
        Some(format!("{before}{PREFIX}{version}_seed {number}_{after}"))
    }
}

#[test]
fn equal_seeds_stay_equal() {
    let mut seeds = GeneratedMaps::default();
    let mut hidden = |text: &str| {
        let mut message = serde_json::json!({"args": [text]});
        seeds.hide(&mut message);
        message["args"][0].as_str().unwrap().to_owned()
    };
    assert_eq!(
        hidden("neroxis_map_generator_0.0.0_aerukz4jvpg66_aiea"),
        "neroxis_map_generator_0.0.0_seed 0_aiea"
    );
    assert_eq!(
        hidden("maps/neroxis_map_generator_0.0.0_aaaaaaaaaaaaa_aica.zip"),
        "maps/neroxis_map_generator_0.0.0_seed 1_aica.zip"
    );
    assert_eq!(
        hidden("neroxis_map_generator_1.2.3_aerukz4jvpg66_baia"),
        "neroxis_map_generator_1.2.3_seed 0_baia"
    );
    // Anything else is compared as it is.
    for text in [
        "neroxis_map_generator_0.0.0_aerukz4jvpg6_aiea",
        "neroxis_map_generator_0.0.0_AERUKZ4JVPG66_aiea",
        "scmp_009",
    ] {
        assert_eq!(hidden(text), text);
    }
}
