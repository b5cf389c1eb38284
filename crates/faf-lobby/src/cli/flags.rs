//! Flags of settings, derived from the table of settings.

use std::collections::BTreeMap;
use std::marker::PhantomData;
use std::path::PathBuf;

use clap::{Arg, ArgAction, ArgMatches, Args, Command, FromArgMatches};

use super::effective;
use crate::config::{CATALOGUE, Entry, Kind, Settings, Sources, entry, faf};
use crate::exit_code::Failure;

/// The given flags of a selection of settings.
#[derive(Debug, Clone)]
pub struct Flags<S> {
    given: BTreeMap<String, String>,
    which: PhantomData<S>,
}

/// Files that flags name.
#[derive(Debug, Clone, Default)]
pub struct Files {
    /// The file with settings.
    pub own: Option<PathBuf>,
    /// The file with keys of FAF's server.
    pub faf: Option<PathBuf>,
}

/// A selection of settings that a command takes as flags.
pub trait Selection {
    /// Returns whether the setting with this name is one of them.
    fn includes(setting: &str) -> bool;

    /// Whether the flags may also come after a subcommand.
    const GLOBAL: bool = false;
}

/// All settings.
#[derive(Debug, Clone)]
pub(super) struct All;

/// The settings about the database.
#[derive(Debug, Clone)]
pub(super) struct OfDatabase;

/// The settings of a gateway.
#[derive(Debug, Clone)]
pub(super) struct OfGateway;

/// The settings of a core: all but those about connections of clients, and recordings, which the
/// stream replaces.
#[derive(Debug, Clone)]
pub(super) struct OfCore;

/// The settings about the way to a cluster.
#[derive(Debug, Clone)]
pub(super) struct OfCluster;

impl Selection for OfCore {
    fn includes(setting: &str) -> bool {
        const OTHERS: [&str; 7] = [
            "simple_json",
            "qdatastream",
            "websocket",
            "websocket_path",
            "websocket_origins",
            "handshake_timeout",
            "recording",
        ];
        !OTHERS.contains(&setting) && !setting.starts_with("geoip")
    }
}

impl Selection for OfCluster {
    fn includes(setting: &str) -> bool {
        setting.starts_with("nats") || setting == "cluster"
    }

    const GLOBAL: bool = true;
}

impl Selection for OfGateway {
    fn includes(setting: &str) -> bool {
        const SECTIONS: [&str; 4] = ["Where clients connect", "Limits", "The cluster", "The log"];
        const OTHERS: [&str; 2] = ["configuration_refresh_time", "shutdown_grace_period"];
        let section = entry(setting).map(|entry| entry.section);
        OTHERS.contains(&setting)
            || setting.starts_with("geoip")
            || section.is_some_and(|section| SECTIONS.contains(&section))
    }
}

impl Selection for All {
    fn includes(_: &str) -> bool {
        true
    }
}

impl Selection for OfDatabase {
    fn includes(setting: &str) -> bool {
        setting.starts_with("database")
    }

    const GLOBAL: bool = true;
}

impl<S> Flags<S> {
    /// Returns whether the flag of a setting is given.
    #[must_use]
    pub fn is_given(&self, setting: &str) -> bool {
        self.given.contains_key(setting)
    }

    /// Returns the sources of settings.
    pub(super) fn sources(&self, files: &Files) -> Sources {
        let environment = std::env::vars_os().filter_map(|(name, value)| {
            Some((name.into_string().ok()?, value.to_string_lossy().into_owned()))
        });
        let mut environment: BTreeMap<_, _> = environment.collect();
        if let Some(path) = &files.faf {
            // FAF's server turns its flag into the variable as well.
            environment.insert(faf::FILE_VARIABLE.to_owned(), path.to_string_lossy().into_owned());
        }
        Sources { flags: self.given.clone(), environment, file: files.own.clone() }
    }

    /// Returns the settings from the flags, the environment, and the files if there are any.
    ///
    /// # Errors
    /// [`Failure`] that lists all problems.
    pub fn settings(&self, files: &Files) -> Result<Settings, Failure> {
        effective(&self.sources(files)).map(|effective| effective.settings())
    }
}

impl<S: Selection> Args for Flags<S> {
    fn augment_args(command: Command) -> Command {
        let entries = flags::<S>();
        command.args(entries.map(|entry| flag(entry).global(S::GLOBAL)))
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl<S: Selection> FromArgMatches for Flags<S> {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let entries = flags::<S>();
        let given = entries.filter_map(|entry| {
            Some((entry.name.to_owned(), matches.get_one::<String>(entry.name)?.clone()))
        });
        Ok(Self { given: given.collect(), which: PhantomData })
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

/// Returns the settings of a selection that are flags.
fn flags<S: Selection>() -> impl Iterator<Item = &'static Entry> {
    CATALOGUE.iter().filter(|entry| S::includes(entry.name) && entry.kind != Kind::Secret)
}

/// Returns the flag of a setting.
fn flag(entry: &Entry) -> Arg {
    let help = format!("{} [default: {}] [env: {}]", entry.help(), entry.default, entry.variable());
    let flag = Arg::new(entry.name)
        .long(entry.flag())
        .value_name(entry.value_name())
        .help_heading(entry.section)
        .help(help);
    match entry.kind {
        Kind::Switch => flag.num_args(0..=1).require_equals(true).default_missing_value("true"),
        // Clap would take `--flag -1` for two flags.
        _ => flag.action(ArgAction::Set).allow_hyphen_values(true),
    }
}
