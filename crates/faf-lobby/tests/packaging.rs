//! The files of `packaging/` agree with the server: its settings, its time limits, its ports.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use faf_lobby::config::Settings;

fn path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../packaging").join(name)
}

fn file(name: &str) -> String {
    fs::read_to_string(path(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// Returns what follows this text on each line of a file that begins with it.
fn values(name: &str, key: &str) -> Vec<String> {
    let text = file(name);
    let found = text.lines().filter_map(|line| line.trim().strip_prefix(key));
    let found: Vec<_> = found.map(|value| value.trim().trim_end_matches(';').to_owned()).collect();
    assert!(!found.is_empty(), "{name} has no {key}");
    found
}

/// Returns the seconds of a time such as `35m`, `35min` or `3600`.
fn seconds(time: &str) -> f64 {
    let (number, unit) = time.split_at(time.find(|c: char| !c.is_ascii_digit()).unwrap_or(time.len()));
    let factor = match unit {
        "" | "s" => 1.0,
        "m" | "min" => 60.0,
        _ => panic!("{time} has an unknown unit"),
    };
    number.parse::<f64>().unwrap() * factor
}

#[test]
fn nobody_kills_a_server_that_waits_for_games() {
    let grace_period = Settings::default().shutdown_grace_period;
    // In compose.yaml, the lobby comes first; in that of a cluster, cores do, which have
    // no connections.
    for (name, key, place) in [
        ("compose.yaml", "stop_grace_period:", 0),
        ("cluster/compose.yaml", "stop_grace_period:", 1),
        ("cluster/faf-lobby-gateway.service", "TimeoutStopSec=", 0),
        ("debian/faf-lobby.service", "TimeoutStopSec=", 0),
        ("faf-chart-values.yaml", "terminationGracePeriodSeconds:", 0),
    ] {
        let time = seconds(&values(name, key)[place]);
        // The connections are closed after the games have ended.
        assert!(time > grace_period + 60.0, "{name}: {time} s");
    }
}

#[test]
fn proxies_keep_silent_players() {
    let ping_interval = Settings::default().ping_interval;
    for key in ["proxy_read_timeout", "proxy_send_timeout"] {
        for time in values("proxy/nginx.conf", key) {
            assert!(seconds(&time) > 2.0 * ping_interval, "{key} {time}");
        }
    }
}

#[test]
fn proxies_offer_public_pages_only() {
    for (name, pages) in [
        ("proxy/nginx.conf", &["location = / ", "location = /overview ", "location = /events "][..]),
        ("proxy/Caddyfile", &["path / /overview /events\n"]),
        ("proxy/traefik.yaml", &["(Path(`/`) || Path(`/overview`) || Path(`/events`))"]),
    ] {
        let text = file(name);
        assert!(pages.iter().all(|page| text.contains(page)), "{name}");
        // A comment may name the others.
        let code = text.lines().filter(|line| !line.trim_start().starts_with('#'));
        let private = ["/metrics", "/players", "/games", "/status\"", "/health"];
        assert!(code.clone().all(|line| private.iter().all(|page| !line.contains(page))), "{name}");
    }
}

#[test]
fn ports_are_the_same_everywhere() {
    let [exposed] = &values("Dockerfile", "EXPOSE ")[..] else { panic!("one line") };
    for port in ["8003", "8011", "2000", "4000"] {
        assert!(exposed.split(' ').any(|exposed| exposed == port), "{port}");
        assert!(file("faf-chart-values.yaml").contains(&format!("containerPort: {port} }}")), "{port}");
    }
    assert!(file("compose.yaml").contains("127.0.0.1:8003:8003"));
}

/// Runs `faf-lobby config --effective` with these variables; returns its output.
fn effective(arguments: &[&str], variables: &[(String, String)]) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_faf-lobby"));
    for (variable, _) in std::env::vars().filter(|(name, _)| name.starts_with("FAF_LOBBY_")) {
        command.env_remove(variable);
    }
    command.args(["config", "--effective"]).args(arguments).envs(variables.iter().cloned());
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn the_default_file_of_the_package_is_valid() {
    let file = path("debian/faf-lobby.toml");
    let text = effective(&["--config", file.to_str().unwrap()], &[]);
    for part in ["/var/lib/faf-lobby/lobby.sqlite", "127.0.0.1:8003", "X-Real-IP"] {
        assert!(text.contains(part), "{part} is missing in\n{text}");
    }
}

/// Returns the environment variables in a part of a compose file, between these lines.
fn variables(name: &str, begin: &str, end: &str) -> Vec<(String, String)> {
    let text = file(name);
    let (_, part) = text.split_once(begin).unwrap();
    let (part, _) = part.split_once(end).unwrap();
    part.lines()
        .filter_map(|line| line.trim().split_once(": "))
        .filter(|(name, _)| name.chars().all(|c| c.is_ascii_uppercase() || c == '_'))
        .map(|(name, value)| {
            // A variable of compose is a secret.
            let value = if value.starts_with("${") { "s3cret" } else { value.trim_matches(['"', '\'']) };
            (name.to_owned(), value.to_owned())
        })
        .collect()
}

#[test]
fn the_variables_of_the_compose_file_are_settings() {
    let variables = variables("compose.yaml", "  lobby:\n", "\n  mariadb:\n");
    assert!(variables.len() > 15, "{variables:?}");
    let text = effective(&[], &variables);
    for value in ["mysql://faf-lobby@mariadb:3306/faf_lobby", "rabbitmq", "/faf-core", "0.0.0.0:8003"] {
        assert!(text.contains(value), "{value} is missing in\n{text}");
    }
    assert!(!text.contains("s3cret"), "{text}");
}

#[test]
fn the_variables_of_the_cluster_are_settings() {
    let variables = variables("cluster/compose.yaml", "\nx-nats-environment:", "\nservices:\n");
    assert!(variables.len() > 12, "{variables:?}");
    let text = effective(&[], &variables);
    for value in ["nats://lobby@nats-3:4222", "mysql://faf-lobby@mariadb:3306/faf_lobby", "0.0.0.0:8003"] {
        assert!(text.contains(value), "{value} is missing in\n{text}");
    }
    assert!(!text.contains("s3cret"), "{text}");
}
