//! The command line of the demo.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Parser, value_parser};
use faf_bots::GAME_PASSWORD;
use faf_demo::{Demo, Options, free_accounts};
use faf_lobby::cli::embedding::{
    self, Files, Flags, ProgramNames, Selection, addresses, last_steps, log_listening, ready_line,
};
use faf_lobby::config::{Banner, Settings};
use faf_lobby::exit_code::{self, Failure};
use faf_lobby::server::{Listening, Service};

/// Settings that the demo decides itself; in the environment, they are meant for a real server.
const DEMO_SETTINGS: [&str; 8] = [
    "database",
    "wait_for_database",
    "open_registration",
    "login_pages",
    "jwks",
    "token_issuer",
    "token_audience",
    "policy_server",
];

/// All other settings.
#[derive(Debug, Clone)]
struct OtherSettings;

impl Selection for OtherSettings {
    fn includes(setting: &str) -> bool {
        !DEMO_SETTINGS.contains(&setting)
    }
}

/// Run a lobby with bots in it, to try a client with; leaves no files behind
#[derive(Debug, Parser)]
#[command(name = "faf-demo", version, args_override_self = true, after_help = exit_code::HELP)]
struct Arguments {
    /// Number of bots
    #[arg(long, value_name = "NUMBER", default_value = "40", value_parser = value_parser!(u64).range(0..=Options::MOST_BOTS as u64))]
    bots: u64,
    /// Factor by which bots live faster; at 1, a game takes one to three minutes
    #[arg(long, value_name = "FACTOR", default_value = "1", value_parser = speed)]
    speed: f64,
    /// Seed of the bots' random decisions [default: a new one every time]
    #[arg(long, value_name = "NUMBER")]
    seed: Option<u64>,
    /// File with settings; see `faf-lobby config` [env: FAF_LOBBY_CONFIG]
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(flatten)]
    flags: Flags<OtherSettings>,
}

fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            // A closed standard output is not an error.
            let _ = error.print();
            return ExitCode::from(if error.use_stderr() { exit_code::USAGE } else { exit_code::SUCCESS });
        }
    };
    match run(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            let _ = writeln!(io::stderr(), "faf-demo: {failure}");
            failure.into()
        }
    }
}

/// Parses a speed within the bounds.
fn speed(text: &str) -> Result<f64, String> {
    let (min, max) = (Options::SPEEDS.start(), Options::SPEEDS.end());
    let speed = text.parse().ok().filter(|speed| Options::SPEEDS.contains(speed));
    speed.ok_or_else(|| format!("it must be a number from {min} to {max}"))
}

fn run(arguments: &Arguments) -> Result<(), Failure> {
    let mut settings = arguments.flags.settings(&Files { own: arguments.config.clone(), faf: None })?;
    let seed = match arguments.seed {
        Some(seed) => seed,
        None => getrandom::u64().map_err(|error| anyhow::anyhow!("no random numbers: {error}"))?,
    };
    let options = Options { bots: arguments.bots as usize, speed: arguments.speed, seed };
    // With every login logged, the banner would scroll away at once.
    if !arguments.flags.is_given("log") && settings.log == Settings::default().log {
        "warn,faf_lobby::shutdown=off".clone_into(&mut settings.log);
    }
    // The environment names the folder of a real server.
    if !arguments.flags.is_given("recording") {
        settings.recording = Settings::default().recording;
    }
    embedding::run(&settings.clone(), demonstrate(settings, options))
}

async fn demonstrate(settings: Settings, options: Options) -> Result<(), Failure> {
    let signal = embedding::signalled()?;
    let (path, format) = (settings.websocket_path.clone(), settings.banner);
    let demo = Demo::start(settings, &options).await?;
    let listening = demo.server().listening();
    log_listening(listening);
    let tokens = demo.tokens().await?;
    let guide = Guide { options: &options, database: &demo.database(), tokens: &tokens };
    let text = banner(listening, &path, &guide, &ProgramNames::find());
    let text = if format == Banner::Json { ready_line(listening, &path, &text) } else { text };
    // A closed standard output is not an error.
    let _ = writeln!(io::stdout(), "{}", text.trim_end());
    demo.run_until(signal).await?;
    tracing::info!("stopped");
    Ok(())
}

/// Facts about a demo for its banner.
struct Guide<'a> {
    options: &'a Options,
    database: &'a Path,
    /// Logins and tokens of the accounts that are free.
    tokens: &'a [(String, String)],
}

/// Returns the text with the addresses of the listeners, the logins, and a description of the demo.
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
    text += "  or with any new name and a password of your choice, which creates an account\n";
    // A token takes several lines, so one must do.
    if let Some((login, token)) = guide.tokens.first() {
        text += "\nClients without password logins use tokens. This one is valid for a day:\n";
        text += &format!("  {login:<12} {token}\n");
        let database = guide.database.display();
        text += &format!("  and for others: {} user token NAME --database {database}\n", calls.lobby);
    }
    text += &unmodified_clients(listening);
    text += "\nWhat you can see: players come and go; bots host games for two to eight players, free-for-alls and co-op\n\
             missions. Some are for friends or for some ratings only, some have mods or a password, which is\n";
    text += &format!("`{GAME_PASSWORD}`. They are open for up to a minute");
    text += ", are played for one to three, and change the ratings of\n\
             those who play. Join one: the host gives you a seat and waits for you. Host one: bots will come. End with Ctrl-C.\n";
    text += "\nTry next:\n";
    text + &last_steps(listening, websocket_path, "--user demo --password demo", calls)
}

/// Returns how a client of FAF is pointed at this server: by the addresses in its settings.
fn unmodified_clients(listening: &[Listening]) -> String {
    let http = listening.iter().find(|listening| listening.service == Service::Http);
    let Some(Listening { address, .. }) = http else { return String::new() };
    let mut text =
        "\nUnmodified clients log in here if their settings have these in place of FAF's addresses:\n"
            .to_owned();
    for (of_faf, purpose) in [
        ("hydra.faforever.com", "OAuth: the login page and tokens"),
        ("user.faforever.com", "user API: the address of the lobby"),
        ("api.faforever.com", "API: the account, which the Java client asks for"),
    ] {
        text += &format!("  https://{of_faf:<20} http://{address}  {purpose}\n");
    }
    text + "  For each client: docs/src/guide/client-developers.md\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_definition_is_consistent() {
        <Arguments as clap::CommandFactory>::command().debug_assert();
    }

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
        let http = Listening { service: Service::Http, address: "127.0.0.1:8011".parse().unwrap() };
        let text = banner(&[http], "/", &guide, &ProgramNames::find());
        for part in [
            "demo         demo",
            "guest1",
            "letmein",
            "--seed 7",
            "any new name",
            "see all settings",
            "guest1       a.b.c",
            "--database demo.sqlite",
            "https://hydra.faforever.com  http://127.0.0.1:8011",
            "https://user.faforever.com   http://127.0.0.1:8011",
        ] {
            assert!(text.contains(part), "{part} is missing in\n{text}");
        }
    }
}
