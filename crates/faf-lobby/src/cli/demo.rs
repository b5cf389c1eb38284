//! `faf-lobby demo`.

use std::path::Path;

use clap::Args;

use super::serve::{ProgramNames, addresses, last_steps, log_listening, run_to_the_end};
use super::signals::Signals;
use super::{Flags, Selection, say, whole};
use crate::config::Settings;
use crate::demo::{Demo, GAME_PASSWORD, Options, free_accounts};
use crate::exit_code::Failure;
use crate::ops::log::Log;
use crate::server::Listening;

/// Settings that are not up to whoever starts a demo; what the environment says of them is for a real server.
const OWN: [&str; 7] = [
    "database",
    "wait_for_database",
    "open_registration",
    "jwks",
    "token_issuer",
    "token_audience",
    "policy_server",
];

/// All settings but those.
#[derive(Debug, Clone)]
pub(super) struct OfDemos;

impl Selection for OfDemos {
    fn includes(setting: &str) -> bool {
        !OWN.contains(&setting)
    }
}

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// How many bots play
    #[arg(long, value_name = "NUMBER", default_value = "40", value_parser = whole::<u64>(0..=Options::MOST_BOTS as u64))]
    bots: u64,
    /// How many times faster bots live; at 1, a game takes one to three minutes
    #[arg(long, value_name = "FACTOR", default_value = "1", value_parser = speed)]
    speed: f64,
    /// Where the bots' decisions come from [default: another one every time]
    #[arg(long, value_name = "NUMBER", value_parser = whole::<u64>(0..=u64::MAX))]
    seed: Option<u64>,
    #[command(flatten)]
    pub(super) flags: Flags<OfDemos>,
}

/// A factor within the bounds.
fn speed(text: &str) -> Result<f64, String> {
    let (min, max) = (Options::SPEEDS.start(), Options::SPEEDS.end());
    let speed = text.parse().ok().filter(|speed| Options::SPEEDS.contains(speed));
    speed.ok_or_else(|| format!("it must be a number from {min} to {max}"))
}

pub(super) fn run(arguments: &Arguments, mut settings: Settings) -> Result<(), Failure> {
    let seed = match arguments.seed {
        Some(seed) => seed,
        None => getrandom::u64().map_err(|error| anyhow::anyhow!("no randomness: {error}"))?,
    };
    let options = Options { bots: arguments.bots as usize, speed: arguments.speed, seed };
    // Somebody always comes or goes: the guide below would be gone in a moment.
    if !arguments.flags.given.contains_key("log") && settings.log == Settings::default().log {
        "warn,faf_lobby::shutdown=off".clone_into(&mut settings.log);
    }
    // The folder that the environment names is that of a real server.
    if !arguments.flags.given.contains_key("recording") {
        settings.recording = Settings::default().recording;
    }
    let _log = Log::start(&settings)?;
    run_to_the_end(demonstrate(settings, options))
}

async fn demonstrate(settings: Settings, options: Options) -> Result<(), Failure> {
    let mut signals = Signals::new()?;
    let path = settings.websocket_path.clone();
    let demo = Demo::start(settings, &options).await?;
    let listening = demo.server().listening();
    log_listening(listening);
    let tokens = demo.tokens().await?;
    let guide = Guide { options: &options, database: &demo.database(), tokens: &tokens };
    say(banner(listening, &path, &guide, &ProgramNames::find()).trim_end());
    // Whoever closes the terminal of a demo wants it to end.
    let signal = async {
        signals.next().await;
    };
    demo.run_until(signal).await?;
    tracing::info!("stopped");
    Ok(())
}

/// What people are told of a demo.
struct Guide<'a> {
    options: &'a Options,
    database: &'a Path,
    /// Of the accounts that are free.
    tokens: &'a [(String, String)],
}

/// What listens where, who may come in, and what is to be seen.
fn banner(listening: &[Listening], websocket_path: &str, guide: &Guide<'_>, calls: &ProgramNames) -> String {
    let Options { bots, speed, seed } = guide.options;
    let mut text = addresses(listening, websocket_path);
    let mut line = |name: &str, value: &str| text.push_str(&format!("  {name:<12} {value}\n"));
    line("database", &format!("{}, removed at the end", guide.database.display()));
    line("bots", &format!("{bots}, with --speed {speed} --seed {seed}"));
    text += "\nLog in with one of these names and passwords:\n";
    for (login, password) in free_accounts() {
        text += &format!("  {login:<12} {password}\n");
    }
    text += "  or with any new name and a password of your choice, which makes an account\n";
    if !guide.tokens.is_empty() {
        text += "\nClients that know no passwords log in with one of these tokens, which hold for a day:\n";
        for (login, token) in guide.tokens {
            text += &format!("  {login:<12} {token}\n");
        }
        let database = guide.database.display();
        text += &format!("  and for others: {} user token NAME --database {database}\n", calls.lobby);
    }
    text += "\nWhat is to be seen: players come and go; bots host games for two to eight players, free-for-alls and co-op\n\
             missions. Some are for friends or for some ratings only, some have mods or a password, which is\n";
    text += &format!("`{GAME_PASSWORD}`. They are open for up to a minute");
    text += ", are played for one to three, and change the ratings of\n\
             those who play. Join one: the host gives you a seat and waits for you. Host one: bots will come. End with Ctrl-C.\n";
    text += "\nTry next:\n";
    text + &last_steps(listening, websocket_path, "--user demo --password demo", calls)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn speeds_have_bounds() {
        assert_eq!((speed("1"), speed("0.5"), speed("60")), (Ok(1.0), Ok(0.5), Ok(60.0)));
        for wrong in ["0", "-1", "61", "NaN", "inf", "fast", ""] {
            assert!(speed(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn the_banner_names_the_accounts_and_the_password() {
        let options = Options { bots: 3, speed: 2.0, seed: 7 };
        let tokens = [("guest1".to_owned(), "a.b.c".to_owned())];
        let guide = Guide { options: &options, database: Path::new("demo.sqlite"), tokens: &tokens };
        let text = banner(&[], "/", &guide, &ProgramNames::find());
        for part in [
            "demo         demo",
            "guest1",
            "letmein",
            "--seed 7",
            "any new name",
            "see all settings",
            "guest1       a.b.c",
            "--database demo.sqlite",
        ] {
            assert!(text.contains(part), "{part} is missing in\n{text}");
        }
    }
}
