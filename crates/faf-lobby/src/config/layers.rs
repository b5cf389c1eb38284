//! The sources of settings, and which of several values takes effect.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use toml::{Table, Value};

use super::catalogue::{DEFAULTS, Entry, Kind, VARIABLE_PREFIX, entry};
use super::faf::FafConfiguration;
use super::{CATALOGUE, Effective, Settings, units};

/// A variable with the prefix that is not a setting: it names the file.
const FILE_VARIABLE: &str = "FAF_LOBBY_CONFIG";

/// Sources of settings, apart from the defaults.
#[derive(Debug, Clone, Default)]
pub(crate) struct Sources {
    /// Values of flags, by name of the setting.
    pub(crate) flags: BTreeMap<String, String>,
    /// Variables of the environment, with their full names.
    pub(crate) environment: BTreeMap<String, String>,
    /// The file, if one was named.
    pub(crate) file: Option<PathBuf>,
}

/// Something wrong with the configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Problem {
    /// Where it was set.
    pub(crate) origin: Origin,
    /// The setting.
    pub(crate) setting: String,
    /// Description of the problem, and of valid values.
    pub(crate) problem: String,
}

/// Source of a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Origin {
    /// No source: it is the default.
    Default,
    /// A file, with the line if it could be read.
    File(PathBuf, Option<usize>),
    /// An environment variable with this name.
    Variable(String),
    /// A flag with this name.
    Flag(String),
    /// Keys of FAF's configuration, each with its place.
    Faf(Vec<(&'static str, Self)>),
}

/// All problems of a configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Problems(pub(crate) Vec<Problem>);

impl std::error::Error for Problems {}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the configuration is invalid:")?;
        for Problem { origin, setting, problem } in &self.0 {
            write!(f, "\n  {origin}: {setting}: {problem}")?;
        }
        Ok(())
    }
}

impl Problem {
    /// A problem with a setting. If its value is that of one key of FAF's configuration, the
    /// problem is one with the key.
    fn new(origin: Origin, setting: &str, problem: String) -> Self {
        match &origin {
            Origin::Faf(keys)
                if let [(key, place)] = keys.as_slice()
                    && *place != Origin::Default =>
            {
                Self { origin: place.clone(), setting: (*key).to_owned(), problem }
            }
            _ => Self { origin, setting: setting.to_owned(), problem },
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File(path, Some(line)) => write!(f, "{}, line {line}", path.display()),
            Self::File(path, None) => write!(f, "{}", path.display()),
            Self::Variable(name) => write!(f, "environment variable {name}"),
            Self::Flag(name) => write!(f, "flag --{name}"),
            Self::Faf(keys) => {
                for (number, (key, place)) in keys.iter().enumerate() {
                    f.write_str(if number == 0 { "" } else { "; " })?;
                    match place {
                        Self::Default => write!(f, "FAF's default of {key}")?,
                        Self::Variable(_) => place.fmt(f)?,
                        place => write!(f, "{place}: {key}")?,
                    }
                }
                Ok(())
            }
        }
    }
}

impl Effective {
    /// Reads the configuration from all its sources.
    ///
    /// # Errors
    /// [`Problems`], all at once, each with its origin.
    pub(crate) fn load(sources: &Sources) -> Result<Self, Problems> {
        let defaults = Self { values: DEFAULTS.clone(), origins: BTreeMap::new(), unused: Vec::new() };
        let mut layers = Layers { effective: defaults, problems: Vec::new() };
        layers.add_faf(FafConfiguration::read(&sources.environment));
        if let Some(path) =
            sources.file.clone().or_else(|| sources.environment.get(FILE_VARIABLE).map(PathBuf::from))
        {
            layers.add_file(&path);
        }
        for (variable, text) in &sources.environment {
            if let Some(name) = variable.strip_prefix(VARIABLE_PREFIX).filter(|name| is_setting(name, text)) {
                layers.add_text(&name.to_lowercase(), text, Origin::Variable(variable.clone()));
            }
        }
        for (setting, text) in &sources.flags {
            layers.add_text(setting, text, Origin::Flag(setting.replace('_', "-")));
        }
        layers.into_effective()
    }
}

/// Returns whether a variable is meant as a setting. Kubernetes puts the addresses of services into
/// the environment, under names that begin with the service's name; for a service named like this
/// program they have our prefix.
fn is_setting(name: &str, value: &str) -> bool {
    name != "CONFIG" && !is_address_of_service(&format!("_{name}"), value)
}

/// Returns whether a variable is one that Kubernetes makes for a service.
pub(super) fn is_address_of_service(name: &str, value: &str) -> bool {
    let of_port =
        name.split("_PORT_").nth(1).is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()));
    let of_service = name.ends_with("_SERVICE_HOST") || name.contains("_SERVICE_PORT");
    let is_address = name.ends_with("_PORT") && value.contains("://");
    of_port || of_service || is_address
}

struct Layers {
    /// All settings known so far.
    effective: Effective,
    problems: Vec<Problem>,
}

impl Layers {
    fn add_faf(&mut self, mut configuration: FafConfiguration) {
        for derived in configuration.settings() {
            self.add(derived.setting, derived.value, derived.origin);
        }
        self.problems.extend(configuration.problems);
        self.effective.unused = configuration.unused;
    }

    fn add_file(&mut self, path: &Path) {
        let text = match std::fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) => {
                let origin = Origin::File(path.to_owned(), None);
                return self.add_problem(origin, "file", format!("it cannot be read: {error}"));
            }
        };
        match text.parse::<Table>() {
            Ok(table) => {
                for (setting, value) in table {
                    let line = line_of(&text, &setting);
                    self.add(&setting, value, Origin::File(path.to_owned(), Some(line)));
                }
            }
            Err(error) => {
                let before = error.span().map_or("", |span| text.get(..span.start).unwrap_or_default());
                let origin = Origin::File(path.to_owned(), Some(before.matches('\n').count() + 1));
                self.add_problem(origin, "syntax", error.message().to_owned());
            }
        }
    }

    /// Parses the text of a flag or variable as the setting needs it: a string, as it is or in
    /// quotes; several strings or numbers, separated by commas or as in files; any other value as
    /// in files.
    fn add_text(&mut self, setting: &str, text: &str, origin: Origin) {
        let value = match entry(setting) {
            Some(entry) => match entry.kind {
                Kind::List => list(text),
                Kind::Numbers if !text.trim_start().starts_with('[') => as_in_files(&format!("[{text}]")),
                // A single address may also contain brackets: `[::1]:8001`.
                Kind::Addresses if text.contains([',', '[']) && fits(entry, &list(text)).is_ok() => {
                    list(text)
                }
                Kind::Secret => Value::String(text.to_owned()),
                Kind::Addresses | Kind::Text if !text.starts_with('"') => Value::String(text.to_owned()),
                _ => as_in_files(text),
            },
            None => Value::String(text.to_owned()),
        };
        self.add(setting, value, origin);
    }

    fn add(&mut self, setting: &str, value: Value, origin: Origin) {
        let Some(entry) = entry(setting) else {
            return self.add_problem(origin, setting, unknown(setting));
        };
        let value = units::without_unit(entry.kind, value);
        match fits(entry, &value) {
            Ok(()) => {
                self.effective.values.insert(setting.to_owned(), value);
                self.effective.origins.insert(setting.to_owned(), origin);
            }
            Err(problem) => self.add_problem(origin, setting, problem),
        }
    }

    fn add_problem(&mut self, origin: Origin, setting: &str, problem: String) {
        self.problems.push(Problem::new(origin, setting, problem));
    }

    fn into_effective(self) -> Result<Effective, Problems> {
        let Self { effective, mut problems } = self;
        let problem = |entry: &Entry| Some((entry.name, entry.problem(&effective.values)?));
        let out_of_range = CATALOGUE.iter().filter_map(problem);
        for (setting, problem) in out_of_range.chain(effective.settings().problems()) {
            let origin = effective.origin(setting);
            problems.push(Problem::new(origin, setting, problem));
        }
        if problems.is_empty() { Ok(effective) } else { Err(Problems(problems)) }
    }
}

/// Checks whether a setting accepts this value, with defaults for all others, so that an error
/// belongs to it.
pub(super) fn fits(entry: &Entry, value: &Value) -> Result<(), String> {
    let mut alone = DEFAULTS.clone();
    alone.insert(entry.name.to_owned(), value.clone());
    match Settings::deserialize(alone) {
        Ok(_) => Ok(()),
        Err(error) => Err(units::in_words(entry, value, error.message())),
    }
}

/// Parses a value as in files; other text becomes a string.
fn as_in_files(text: &str) -> Value {
    let parsed = format!("value = {text}").parse::<Table>().ok();
    parsed.and_then(|mut table| table.remove("value")).unwrap_or_else(|| Value::String(text.to_owned()))
}

/// Parses a list of strings: `a,b`, or in brackets as in files, with quotes or without those that a
/// shell has removed.
fn list(text: &str) -> Value {
    if let array @ Value::Array(_) = as_in_files(text) {
        return array;
    }
    let inside = text.trim().strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(text);
    let items = inside.split(',').map(str::trim).filter(|item| !item.is_empty());
    Value::Array(items.map(|item| Value::String(item.to_owned())).collect())
}

/// Settings of earlier versions, and what replaces them.
const REMOVED: [(&str, &str); 2] = [
    (
        "large_message_timeout",
        "it is no longer a setting: messages may take as long as they keep coming; see `large_message_rate`",
    ),
    (
        "websocket_byte_stream",
        "it is no longer a setting: clients may always cut their lines anywhere; remove it",
    ),
];

fn unknown(setting: &str) -> String {
    if let Some((_, advice)) = REMOVED.iter().find(|(gone, _)| *gone == setting) {
        return (*advice).to_owned();
    }
    let closest = CATALOGUE
        .iter()
        .map(|entry| (strsim::damerau_levenshtein(entry.name, setting), entry.name))
        .min()
        .filter(|(distance, name)| *distance <= name.len() / 2);
    match closest {
        Some((_, name)) => format!("there is no such setting; did you mean `{name}`?"),
        None => "there is no such setting; `faf-lobby config` shows all".to_owned(),
    }
}

/// Returns the line of a setting; files are flat, so a setting begins its line.
fn line_of(text: &str, setting: &str) -> usize {
    let is_it = |line: &str| {
        let line = line.trim_start().trim_start_matches(['[', '"', '\'']);
        line.strip_prefix(setting)
            .is_some_and(|rest| !rest.starts_with(|c: char| c.is_alphanumeric() || c == '_'))
    };
    text.lines().position(is_it).map_or(1, |index| index + 1)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::super::default_file;
    use super::*;

    fn load(
        flags: &[(&str, &str)],
        environment: &[(&str, &str)],
        file: Option<&str>,
    ) -> Result<Settings, String> {
        let pairs = |pairs: &[(&str, &str)]| {
            pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
        };
        let mut named = tempfile::Builder::new().prefix("test").suffix(".toml").tempfile().unwrap();
        named.write_all(file.unwrap_or_default().as_bytes()).unwrap();
        let path = file.map(|_| named.path().to_owned());
        let sources = Sources { flags: pairs(flags), environment: pairs(environment), file: path };
        Effective::load(&sources).map(|effective| effective.settings()).map_err(|problems| {
            let text = problems.to_string().replace(&named.path().display().to_string(), "FILE");
            text.strip_prefix("the configuration is invalid:\n  ").unwrap().to_owned()
        })
    }

    #[test]
    fn flags_win_over_the_environment_and_that_over_the_file() {
        let file = Some("ping_interval = 1\nreport_interval = 2\nlogin_timeout = 3\n");
        let environment =
            [("FAF_LOBBY_REPORT_INTERVAL", "20"), ("FAF_LOBBY_LOGIN_TIMEOUT", "30"), ("PATH", "x")];
        let settings = load(&[("login_timeout", "300.5")], &environment, file).unwrap();
        assert_eq!(
            (settings.ping_interval, settings.report_interval, settings.login_timeout),
            (1.0, 20.0, 300.5)
        );
        assert_eq!(
            Settings { ping_interval: 45.0, report_interval: 1.0, login_timeout: 30.0, ..settings },
            Settings::default()
        );
    }

    #[test]
    fn addresses_of_services_are_no_settings() {
        let variables = [
            ("FAF_LOBBY_SERVICE_HOST", "10.0.0.1"),
            ("FAF_LOBBY_SERVICE_PORT", "8003"),
            ("FAF_LOBBY_SERVICE_PORT_WEBSOCKET", "8003"),
            ("FAF_LOBBY_PORT", "tcp://10.0.0.1:8003"),
            ("FAF_LOBBY_PORT_8003_TCP", "tcp://10.0.0.1:8003"),
            ("FAF_LOBBY_PORT_8003_TCP_ADDR", "10.0.0.1"),
            ("FAF_LOBBY_PORT_8003_SCTP_PROTO", "sctp"),
            ("FAF_LOBBY_SERVER_SERVICE_HOST", "10.0.0.1"),
        ];
        assert_eq!(load(&[], &variables, None), Ok(Settings::default()));
        assert!(load(&[], &[("FAF_LOBBY_HTTP_PORT", "9000")], None).unwrap_err().contains("no such setting"));
    }

    #[test]
    fn registration_for_everybody_is_only_for_this_machine() {
        let load =
            |flags: &[(&str, &str)]| load(&[&[("open_registration", "true")], flags].concat(), &[], None);
        assert!(load(&[]).is_ok());
        assert!(load(&[("http", "0.0.0.0:8011")]).unwrap_err().contains("0.0.0.0:8011"));
        assert!(load(&[("trusted_proxies", "127.0.0.1")]).unwrap_err().contains("without trusted_proxies"));
    }

    #[test]
    fn the_built_in_file_says_the_same_as_no_file() {
        assert_eq!(load(&[], &[], Some(&default_file())), Ok(Settings::default()));
        assert_eq!(load(&[], &[], None), Ok(Settings::default()));
    }

    #[test]
    fn texts_become_what_the_setting_needs() {
        let settings = load(
            &[
                ("open_registration", "anywhere"),
                ("trusted_proxies", "10.0.0.0/8, ::1"),
                ("websocket", "127.0.0.1:1,127.0.0.1:2 proxy"),
                ("message_limit", "100_000"),
                ("qdatastream", "off"),
                ("log", "info,faf_lobby=debug"),
            ],
            &[("FAF_LOBBY_ALLOW_PASSWORD_LOGIN", "false")],
            None,
        );
        let settings = settings.unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(settings.open_registration, super::super::Exposure::Anywhere);
        assert_eq!(settings.trusted_proxies.len(), 2);
        assert_eq!(settings.websocket.addresses().len(), 2);
        assert_eq!(settings.message_limit, 100_000);
        assert!(settings.qdatastream.addresses().is_empty());
        assert!(!settings.allow_password_login);
    }

    #[test]
    fn lists_are_taken_as_help_shows_them() {
        let count = |setting: &str, text: &str| {
            let variable = format!("FAF_LOBBY_{}", setting.to_uppercase());
            let flag = load(&[(setting, text)], &[], None);
            assert_eq!(flag, load(&[], &[(&variable, text)], None), "{text}");
            let settings = flag.unwrap_or_else(|error| panic!("{text}: {error}"));
            match setting {
                "trusted_proxies" => settings.trusted_proxies.len(),
                _ => settings.simple_json.addresses().len(),
            }
        };
        for two in [r#"["10.0.0.0/8", "::1"]"#, "['10.0.0.0/8','::1']", "[10.0.0.0/8, ::1]", "10.0.0.0/8,::1"]
        {
            assert_eq!(count("trusted_proxies", two), 2, "{two}");
        }
        assert_eq!(count("trusted_proxies", "[]"), 0);
        assert_eq!(count("trusted_proxies", "[::1]"), 1);
        for two in [r#"["127.0.0.1:1", "[::1]:2"]"#, "[127.0.0.1:1, 127.0.0.1:2]", "[::1]:1,[::1]:2"] {
            assert_eq!(count("simple_json", two), 2, "{two}");
        }
        assert_eq!(count("simple_json", "[::1]:8001"), 1);
        assert_eq!(count("simple_json", r#""off""#), 0);
        assert_eq!(load(&[("forwarded_header", r#""""#)], &[], None), Ok(Settings::default()));
    }

    #[test]
    fn problems_name_the_place_and_the_fix() {
        let problem = |flags: &[(&str, &str)], environment: &[(&str, &str)], file: &str| {
            load(flags, environment, Some(file)).unwrap_err()
        };
        assert_eq!(
            problem(&[], &[], "# a comment\n\nping_intervall = 5\n"),
            "FILE, line 3: ping_intervall: there is no such setting; did you mean `ping_interval`?"
        );
        assert_eq!(
            problem(&[], &[], "database = \"x\"\nping_interval = \"often\"\n"),
            "FILE, line 2: ping_interval: `often` is not a time: seconds such as 45, or with a unit such as 500ms, 30s, 5m or 2h"
        );
        assert_eq!(
            problem(&[], &[], "[listeners]\nwebsocket = 5\n"),
            "FILE, line 1: listeners: there is no such setting; `faf-lobby config` shows all"
        );
        assert!(
            problem(&[], &[], "database = \"x\"\nping_interval 5\n").starts_with("FILE, line 2: syntax: ")
        );
        assert_eq!(
            problem(&[("ping_interval", "0")], &[], ""),
            "flag --ping-interval: ping_interval: 0 is not between 0.01 and 3600"
        );
        assert_eq!(
            problem(&[("log_addresses", "some")], &[], ""),
            r#"flag --log-addresses: log_addresses: `some` is not one of "none", "network", "full""#
        );
        assert_eq!(
            problem(&[("login_rate", "0")], &[], ""),
            "flag --login-rate: login_rate: 0 is not between 1 and 1000000"
        );
        assert_eq!(
            problem(&[("idle_timeout", "60")], &[], ""),
            "flag --idle-timeout: idle_timeout: clients that answer every ping need at least 90"
        );
        assert_eq!(
            problem(&[], &[("FAF_LOBBY_WEBSOKET", "off")], ""),
            "environment variable FAF_LOBBY_WEBSOKET: websoket: there is no such setting; did you mean `websocket`?"
        );
        assert_eq!(
            problem(&[], &[("FAF_LOBBY_HTTP", "here")], ""),
            "environment variable FAF_LOBBY_HTTP: http: `here` is not an address such as 127.0.0.1:8001, and not \"off\""
        );
        assert_eq!(
            problem(
                &[],
                &[],
                "qdatastream = \"off\"\nsimple_json = \"off\"\nwebsocket = \"off\"\nlog = \"loud=?\""
            )
            .lines()
            .count(),
            2
        );
        let missing = Sources { file: Some("no/such/file.toml".into()), ..Sources::default() };
        assert!(
            Effective::load(&missing)
                .unwrap_err()
                .to_string()
                .contains("no/such/file.toml: file: it cannot be read")
        );
    }
}
