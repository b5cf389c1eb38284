//! Messages of game processes that no game needs: chat, slow players, desyncs, a wish to play
//! again.

use std::time::Duration;

use faf_protocol::gpgnet::GameToServer;
use rand::RngExt;
use rand::seq::IndexedRandom;

use crate::chance::within;
use crate::{Rng, Settings};

const IN_LOBBY: [&str; 4] = ["hi", "hello", "teams ok?", "ready"];
const AT_BEGINNING: [&str; 3] = ["gl hf", "have fun", "no rush please"];
const AT_END: [&str; 4] = ["gg", "ggwp", "well played", "thanks"];

/// Returns a greeting in a lobby, if the player writes one.
pub(crate) fn greeting(rng: &mut Rng, settings: &Settings) -> Option<GameToServer> {
    chat(rng, settings, &IN_LOBBY)
}

/// Returns what a player's process sends during a battle beyond its reports, in any order. All of
/// it is sent until the process ends.
pub(crate) fn of_battle(
    rng: &mut Rng,
    settings: &Settings,
    is_host: bool,
    now: Duration,
    ended: Duration,
) -> Vec<(Duration, GameToServer)> {
    let moment = |rng: &mut Rng, share| now + ended.saturating_sub(now).mul_f64(within(rng, &share));
    let mut all = Vec::new();
    if let Some(text) = chat(rng, settings, &AT_BEGINNING) {
        all.push((moment(rng, 0.0..0.1), text));
    }
    if rng.random_bool(settings.incidents) {
        all.push((moment(rng, 0.1..0.5), GameToServer::Bottleneck));
        all.push((moment(rng, 0.5..0.9), GameToServer::BottleneckCleared));
    }
    if rng.random_bool(settings.incidents) {
        all.push((moment(rng, 0.2..0.9), GameToServer::Desync));
    }
    if rng.random_bool(settings.incidents) {
        all.push((ended, GameToServer::Disconnected));
    }
    all.extend(chat(rng, settings, &AT_END).map(|text| (ended, text)));
    if is_host && rng.random_bool(settings.incidents) {
        all.push((ended, GameToServer::Rehost));
    }
    all
}

fn chat(rng: &mut Rng, settings: &Settings, texts: &[&str]) -> Option<GameToServer> {
    let writes = rng.random_bool(settings.chats);
    let text = texts.choose(rng).filter(|_| writes)?;
    Some(GameToServer::Chat { text: (*text).to_owned() })
}
