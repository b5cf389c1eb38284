//! The report as one page that needs nothing else: no script, no other file.

use std::fmt::Write as _;

use super::report::{Example, Kind, Messages, Report};

/// Head of the page.
const HEAD: &str = include_str!("report.html");

/// Returns the page. `recording` names what was judged.
#[must_use]
pub fn page(report: &Report, recording: &str) -> String {
    let mut page = HEAD.to_owned();
    // Writing into a string never fails.
    let _ = write_page(report, recording, &mut page);
    page
}

fn write_page(report: &Report, recording: &str, page: &mut String) -> std::fmt::Result {
    let (unexplained, listed) = (report.unexplained(), report.listed());
    writeln!(page, "<h1>{}</h1>", text(recording))?;
    let (class, verdict) = match (&report.stopped, unexplained) {
        (Some(stopped), _) => ("bad", format!("Stopped: {stopped}")),
        (None, 0) => ("good", format!("Nothing is unexplained; {listed} differences are listed")),
        (None, _) => ("bad", format!("{unexplained} differences are unexplained, {listed} are listed")),
    };
    writeln!(page, "<p class=\"verdict {class}\">{}</p>", text(&verdict))?;
    writeln!(
        page,
        "<p>{:.0} s of recorded time, {} connections, {} messages of clients, {} messages to them.</p>",
        report.seconds,
        report.connections,
        report.from_clients,
        report.recorded()
    )?;
    page.push_str("<table><tr><th>command<th>recorded<th>ours<th>listed<th>unexplained</tr>\n");
    for (command, Messages { recorded, ours, listed, unexplained }) in &report.commands {
        let class =
            |count: u64, class: &str| if count > 0 { format!(" class={class}") } else { String::new() };
        writeln!(
            page,
            "<tr><td>{}<td>{recorded}<td>{ours}<td{}>{listed}<td{}>{unexplained}</tr>",
            text(command),
            class(*listed, "listed"),
            class(*unexplained, "bad")
        )?;
    }
    page.push_str("</table>\n");
    if report.rounds.played > 0 {
        let rounds = report.rounds;
        writeln!(
            page,
            "<p>Rounds of queues: {}. Matches: {}, of which this lobby would have made {} in the same round, and \
             cannot make {}.</p>",
            rounds.played, rounds.matches, rounds.same, rounds.impossible
        )?;
    }
    for (title, is_unexplained) in [("Unexplained differences", true), ("Listed differences", false)] {
        let kinds = report.kinds.iter().filter(|kind| kind.reason.is_none() == is_unexplained);
        let mut kinds: Vec<&Kind> = kinds.collect();
        kinds.sort_by_key(|kind| std::cmp::Reverse(kind.count));
        if !kinds.is_empty() {
            writeln!(page, "<h2>{title}</h2>")?;
        }
        for kind in kinds {
            write_kind(kind, page)?;
        }
    }
    if !report.remarks.is_empty() {
        page.push_str("<h2>Remarks</h2><table>\n");
        for (remark, count) in &report.remarks {
            writeln!(page, "<tr><td>{}<td>{count}</tr>", text(remark))?;
        }
        page.push_str("</table>\n");
    }
    if !report.unused.is_empty() {
        writeln!(
            page,
            "<h2>Listed differences that did not occur</h2><details><summary>{} lines</summary><pre>",
            report.unused.len()
        )?;
        for line in &report.unused {
            writeln!(page, "{}", text(line))?;
        }
        page.push_str("</pre></details>\n");
    }
    Ok(())
}

fn write_kind(Kind { what, reason, count, example }: &Kind, page: &mut String) -> std::fmt::Result {
    let Example { number, connection, player, at, what: first, before, recorded, ours } = example;
    writeln!(page, "<details><summary><b>{count}</b> <code>{}</code></summary>", text(what))?;
    if let Some(reason) = reason {
        writeln!(page, "<p>{}</p>", text(reason))?;
    }
    let player = player.as_ref().map(|player| format!(" ({player})")).unwrap_or_default();
    writeln!(
        page,
        "<p>Example {number}, at {at:.3} s on connection {connection}{}: <code>{}</code></p>",
        text(&player),
        text(first)
    )?;
    let list = |page: &mut String, title: &str, lines: &[String]| {
        writeln!(page, "<div>{title}<pre>{}</pre></div>", text(&lines.join("\n")))
    };
    list(page, "Until then on this connection", before)?;
    if !recorded.is_empty() || !ours.is_empty() {
        page.push_str("<div class=sides>");
        list(page, "The client was sent", recorded)?;
        list(page, "This lobby sends", ours)?;
        page.push_str("</div>");
    }
    page.push_str("</details>\n");
    Ok(())
}

/// Escapes a text.
fn text(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[test]
fn nothing_of_a_recording_is_markup() {
    let mut report = Report::default();
    let evil = "missing <script>alert(1)</script>";
    let example = || Example {
        number: 0,
        connection: 1,
        player: Some("<b>".to_owned()),
        at: 1.0,
        what: evil.to_owned(),
        before: vec!["<i>".to_owned()],
        recorded: vec!["<u>".to_owned()],
        ours: Vec::new(),
    };
    report.add(evil, None, example);
    report.remark("<s>");
    let page = page(&report, "<em>");
    for markup in ["<script", "<b>A", "<i>", "<u>", "<s>", "<em>", "(<b>"] {
        assert!(!page.contains(markup), "{markup}");
    }
    assert!(page.contains("1 differences are unexplained"));
}
