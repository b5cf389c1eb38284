//! The alert rules and the board of `packaging/monitoring/`: every figure and every label that they
//! name is in the `/metrics` of a running server.

mod promql;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use faf_lobby::store::OtherProgram;
use faf_protocol::WireFormat;
use serde_json::Value;

use self::promql::{Query, samples};
use super::games::{open_lobby, report};
use super::support::{TestServer, frame, soon};

/// Labels by the name of their figure.
type Figures = BTreeMap<String, BTreeSet<String>>;

/// The figure that Prometheus makes itself for every job.
const UP: &str = "up";

/// The label that Prometheus adds to every figure that it scrapes.
const JOB: &str = "job";

fn file(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../packaging/monitoring").join(name);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// An alert rule or a query of the board.
#[derive(Debug, Default)]
struct Asked {
    expression: String,
    /// Texts that show labels: `{{ $labels.queue }}` or `{{queue}}`.
    texts: Vec<String>,
}

/// Returns the rules of `alerts.yaml`, which are written one key on a line.
fn rules() -> Vec<Asked> {
    let text = file("alerts.yaml");
    let mut rules: Vec<Asked> = Vec::new();
    let mut is_in_block = false;
    for line in text.lines().filter(|line| !line.trim_start().starts_with('#')) {
        if line.trim_start().starts_with("- alert:") {
            rules.push(Asked::default());
        }
        let Some(rule) = rules.last_mut() else { continue };
        match line.trim().split_once(": ") {
            Some(("expr", "|-")) => is_in_block = true,
            Some(("expr", expression)) => rule.expression = expression.to_owned(),
            // The lines of a block are indented more than the keys of the rule.
            _ if is_in_block && line.starts_with("          ") => {
                rule.expression += line.trim();
                rule.expression.push(' ');
            }
            Some(("summary" | "action", text)) => rule.texts.push(text.to_owned()),
            _ => is_in_block = false,
        }
    }
    rules
}

/// Returns the queries of a board, its annotations and its variables included.
fn queries(board: &Value) -> Vec<Asked> {
    let mut found = Vec::new();
    match board {
        Value::Object(members) => {
            if let Some(Value::String(expression)) = members.get("expr") {
                let texts = members.get("legendFormat").and_then(Value::as_str).map(str::to_owned);
                found.push(Asked { expression: expression.clone(), texts: texts.into_iter().collect() });
            }
            if let Some(Value::String(values)) = members.get("definition") {
                let inner = values.strip_prefix("label_values(").and_then(|rest| rest.strip_suffix(')'));
                let (figure, label) = inner.unwrap().split_once(", ").unwrap();
                found.push(Asked { expression: format!("sum by ({label}) ({figure})"), texts: Vec::new() });
            }
            found.extend(members.values().flat_map(queries));
        }
        Value::Array(values) => found.extend(values.iter().flat_map(queries)),
        _ => {}
    }
    found
}

/// Returns what is wrong with a query, given the figures that there are.
fn problems(asked: &Asked, figures: &Figures) -> Vec<String> {
    let query = Query::parse(&asked.expression);
    let mut problems = Vec::new();
    if query.figures.is_empty() {
        problems.push("it names no figure".to_owned());
    }
    let mut known = BTreeSet::from([JOB.to_owned()]);
    for (name, labels) in &query.figures {
        let Some(found) = figures.get(name).cloned().or((name == UP).then(BTreeSet::new)) else {
            problems.push(format!("there is no figure {name}"));
            continue;
        };
        for label in labels.iter().filter(|label| !found.contains(*label) && *label != JOB) {
            problems.push(format!("{name} has no label {label}"));
        }
        known.extend(found);
    }
    // Aggregation leaves only the labels that it is by.
    let left = if query.groups.is_empty() { &known } else { &query.groups };
    let shown: Vec<_> = asked.texts.iter().flat_map(|text| promql::shown_labels(text)).collect();
    problems.extend(query.groups.difference(&known).map(|label| format!("there is no label {label}")));
    problems.extend(
        shown
            .iter()
            .filter(|label| !left.contains(*label))
            .map(|label| format!("{label} is shown, but gone")),
    );
    problems
}

/// Runs a server in which everything happens that is counted; returns its figures.
async fn figures() -> Figures {
    // A broker, at an address where nothing listens.
    let server = TestServer::start_with_queues_and(|settings| {
        (settings.broker_host, settings.broker_port) = ("127.0.0.1".to_owned(), 1);
    })
    .await;
    let mut ada = server.log_in(WireFormat::WebSocket, "Ada").await;
    let mut bob = server.log_in(WireFormat::SimpleJson, "Bob").await;
    let mut cem = server.log_in(WireFormat::QDataStream, "Cem").await;

    // A login that fails, a connection that is refused, and one that ends.
    let mut intruder = server.connect(WireFormat::SimpleJson).await;
    intruder.send(r#"{"command":"hello","login":"Ada","password":"x","unique_id":"m"}"#).await;
    intruder.receive_command("authentication_failed").await;
    server.send_raw(WireFormat::WebSocket, b"GET /other HTTP/1.1\r\nHost: x\r\n\r\n").await;
    server
        .send_raw(WireFormat::SimpleJson, &frame(WireFormat::SimpleJson, r#"{"command":"nonsense"}"#))
        .await;

    // A rated game, in which a message is too long to be passed on.
    open_lobby(&mut ada, &mut bob).await;
    ada.send_as_game("IceMsg", &format!(r#"[2,"{}"]"#, "x".repeat(20_000))).await;
    ada.play("GameState", r#""Launching""#).await;
    ada.play("EnforceRating", "").await;
    report(&mut [&mut ada, &mut bob]).await;
    for player in [&mut ada, &mut bob] {
        player.play("GameEnded", "").await;
        player.play("GameState", r#""Ended""#).await;
    }
    ada.receive_containing(r#""number_of_games":1"#).await;

    // A match that is not launched.
    ada.search("ladder1v1").await;
    cem.search("ladder1v1").await;
    let host = tokio::select! {
        _ = ada.receive_command("game_launch") => &ada,
        _ = cem.receive_command("game_launch") => &cem,
    };
    host.send_as_game("GameState", r#"["Ended"]"#).await;

    // A database that another process keeps locked.
    let other = OtherProgram::open(&server.database()).unwrap();
    other.lock().unwrap();
    let expected =
        ["server_matchmaker_queue_matches_total{", "server_game_rated_games_total{", "db_exceptions_total{"];
    soon("matches, rated games and failures are counted", async {
        loop {
            let (_, text) = server.get("/metrics").await;
            if expected.iter().all(|figure| text.contains(figure)) {
                let mut figures = Figures::new();
                for (name, labels) in samples(&text) {
                    figures.entry(name).or_default().extend(labels);
                }
                return figures;
            }
            tokio::task::yield_now().await;
        }
    })
    .await
}

#[tokio::test]
async fn every_figure_of_the_rules_and_the_board_exists() {
    let rules = rules();
    assert_eq!(rules.len(), file("alerts.yaml").matches("- alert:").count());
    let queries = queries(&serde_json::from_str(&file("grafana.json")).unwrap());
    assert!(rules.len() > 10 && queries.len() > 30, "{} and {}", rules.len(), queries.len());
    let figures = figures().await;
    let mut wrong = Vec::new();
    for asked in rules.iter().chain(&queries) {
        wrong.extend(
            problems(asked, &figures).iter().map(|problem| format!("{}: {problem}", asked.expression)),
        );
    }
    assert!(wrong.is_empty(), "{}\nFigures: {figures:#?}", wrong.join("\n"));
}

#[test]
fn what_is_not_there_is_found() {
    let figures = Figures::from([("a_total".to_owned(), BTreeSet::from(["queue".to_owned()]))]);
    let problems = |expression: &str, text: &str| {
        problems(&Asked { expression: expression.to_owned(), texts: vec![text.to_owned()] }, &figures)
    };
    assert_eq!(problems(r#"sum by (queue) (rate(a_total{queue="x"}[5m]))"#, "{{queue}}"), [""; 0]);
    assert_eq!(problems("rate(b_total[5m]) > 0.5", ""), ["there is no figure b_total"]);
    assert_eq!(problems(r#"a_total{status!="x"}"#, ""), ["a_total has no label status"]);
    assert_eq!(problems("sum by (status) (a_total)", ""), ["there is no label status"]);
    assert_eq!(problems("a_total", "{{ $labels.status }}"), ["status is shown, but gone"]);
    assert_eq!(problems("sum by (job) (a_total)", "{{queue}}"), ["queue is shown, but gone"]);
    assert_eq!(problems("1 + 1", ""), ["it names no figure"]);
}
