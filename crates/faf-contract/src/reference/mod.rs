//! The reference page: every message for people, in Markdown.

mod types;

use std::fmt::Write;

use faf_protocol::contract::{Contract, Entry, Rules, Sender};
use serde_json::{Map, Value};

use crate::documents::examples;
use crate::flows::FLOWS;

use types::{Members, type_text};

/// Widest line of an example in characters.
const WIDTH: usize = 110;

/// Longest text inside of an example, in characters; the page shows the form, not the data.
const TEXT: usize = 90;

const HEAD: &str = "\
# Reference

<!-- Made from the tables in crates/faf-protocol: docs/src/guide/contract.md says how. Do not edit. -->

Every message between clients and the lobby server, made from the code that reads and writes them. The same is there for programs:
[JSON Schema](../protocol/faf-lobby.schema.json) and [AsyncAPI](../protocol/asyncapi.json);
[The contract](guide/contract.md) has what to do with them. [Write a client](guide/write-a-client.md) is the introduction.

- A message is a JSON object. `command` names it. Members that are not listed are ignored, by clients and by the server.
- Messages of the game process have `\"target\": \"game\"` and their members in the list `args`, in the order of the table.
- *required*: always there. *optional*: may be missing, and is not null unless the type says so.
- Any command may be refused with [`notice`](#notice-server). One that cannot be read is answered with [`invalid`](#invalid-server), and
  the connection ends.
- Messages of clients are described as it is right to send them. The text says what else the server takes.
- Examples are from recorded sessions of FAF's server, or else made up, which is said. Long texts in them are cut: `...`.
";

/// Returns the page.
pub(crate) fn page(contract: &Contract) -> String {
    let mut page = String::from(HEAD);
    contents(&mut page, contract);
    flows(&mut page);
    for sender in Sender::ALL {
        let _ = write!(page, "\n## {}\n", heading(sender));
        for entry in contract.entries.iter().filter(|entry| entry.sender == sender) {
            message(&mut page, contract, entry);
        }
    }
    values(&mut page, contract);
    page
}

fn heading(sender: Sender) -> &'static str {
    match sender {
        Sender::Client => "From the client",
        Sender::Server => "From the server",
        Sender::Game => "From the game",
        Sender::ServerForGame => "For the game",
    }
}

fn contents(page: &mut String, contract: &Contract) {
    page.push_str("\n## All messages\n");
    for sender in Sender::ALL {
        let _ = write!(page, "\n{}:\n\n| message | |\n| --- | --- |\n", heading(sender));
        for entry in contract.entries.iter().filter(|entry| entry.sender == sender) {
            let (first, _) = entry.text.split_once("\n\n").unwrap_or((&entry.text, ""));
            let first = first.split_once(". ").map_or(first, |(sentence, _)| sentence);
            let first = match first.rsplit_once(" (") {
                Some((text, end)) if end.contains("section") => text,
                _ => first.trim_end_matches('.'),
            };
            let _ = writeln!(page, "| {} | {} |", link(entry), cell(first));
        }
    }
}

fn flows(page: &mut String) {
    page.push_str("\n## The order of messages\n");
    for flow in FLOWS {
        let _ = write!(page, "\n### {}\n\n```text\n{}```\n", flow.title, flow.draw());
    }
}

fn message(page: &mut String, contract: &Contract, entry: &Entry) {
    let _ = write!(page, "\n### {}\n\n{}\n\n", title(entry), spec(&entry.text));
    rules(page, contract, entry);
    members(page, entry);
    let recorded = examples::of(entry);
    let kind = if recorded.is_empty() { " (made up)" } else { "" };
    for example in if recorded.is_empty() { entry.examples.clone() } else { recorded } {
        let _ = write!(page, "\nExample{kind}:\n\n```json\n{}```\n", wrapped(example.as_str()));
    }
}

fn rules(page: &mut String, contract: &Contract, entry: &Entry) {
    let mut line = |name: &str, text: &str| {
        if !text.is_empty() {
            let _ = writeln!(page, "- {name}: {text}");
        }
    };
    let links = |keys: Vec<String>| -> String {
        let links = keys.iter().filter_map(|key| contract.by_key(key)).map(link);
        links.collect::<Vec<_>>().join(", ")
    };
    match &entry.rules {
        Rules::Client(rules) => {
            line("When", rules.when.text());
            let replies = links(rules.replies.iter().map(|reply| reply.key()).collect());
            line("Reply", if replies.is_empty() { "none" } else { &replies });
            line("Others receive", &links(rules.others.iter().map(|other| other.key()).collect()));
            line("Permissions", &quoted_list(rules.permissions));
            line("Note", rules.note);
        }
        Rules::Game(rules) => {
            line("When", rules.phase.text());
            line(
                "From",
                if rules.host_only { "the host's process; ignored from others" } else { "any process" },
            );
            line("Effect", rules.effect);
            line("The server sends", &links(rules.replies.iter().map(|reply| reply.key()).collect()));
        }
        Rules::Server(rules) => line("Sent", rules.sent),
        Rules::ServerForGame(rules) => line("Sent", rules.sent),
    }
}

fn quoted_list(names: &[&str]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

/// Writes the table of the members, or one for each action of the command.
fn members(page: &mut String, entry: &Entry) {
    let of_game = matches!(entry.sender, Sender::Game | Sender::ServerForGame);
    if of_game {
        return arguments(page, &entry.schema["properties"]["args"]);
    }
    let branches = entry.schema.get("oneOf").and_then(Value::as_array).into_iter().flatten();
    let branches: Vec<_> = branches.filter_map(Value::as_object).collect();
    if branches.iter().any(|branch| branch.contains_key("properties")) {
        for branch in branches {
            let text = branch.get("description").and_then(Value::as_str).unwrap_or_default();
            let _ = write!(page, "\n{}\n", spec(text));
            table(page, branch);
        }
    } else {
        table(page, &entry.schema);
        if !branches.is_empty() {
            let names = branches.iter().filter_map(|branch| branch["required"][0].as_str());
            let names: Vec<_> = names.map(|name| format!("`{name}`")).collect();
            let _ = write!(page, "\nExactly one of {}.\n", names.join(" and "));
        }
    }
}

fn table(page: &mut String, schema: &Map<String, Value>) {
    let members = Members::of(schema);
    if members.is_empty() {
        page.push_str("\nNo members.\n");
        return;
    }
    page.push_str("\n| member | type | | meaning |\n| --- | --- | --- | --- |\n");
    for member in members {
        let presence = match (member.is_required, member.is_ignored) {
            (true, _) => "required",
            (false, false) => "optional",
            (false, true) => "ignored",
        };
        let text = cell(&spec(&member.text.replace(" Ignored by the server.", "")));
        let _ = writeln!(page, "| `{}` | {} | {presence} | {text} |", member.name, cell(&member.kind));
    }
}

/// Writes the table of the arguments of a game's command.
fn arguments(page: &mut String, args: &Value) {
    if let Some(branches) = args.get("anyOf").and_then(Value::as_array) {
        for branch in branches {
            let text = branch["description"].as_str().unwrap_or_default();
            let first = branch["prefixItems"].as_array().into_iter().flatten();
            let kinds: Vec<_> = first.map(type_text).collect();
            let _ = write!(page, "\nArguments: {}. {text}\n", kinds.join(", then "));
        }
        return;
    }
    let first: Vec<_> = args["prefixItems"].as_array().into_iter().flatten().collect();
    if first.is_empty() {
        let is_open_ended = args.get("maxItems").is_none();
        page.push_str(if is_open_ended { "\nAny arguments.\n" } else { "\nNo arguments.\n" });
        return;
    }
    page.push_str("\n| argument | type | meaning |\n| --- | --- | --- |\n");
    for argument in first {
        let name = argument["title"].as_str().unwrap_or_default();
        let text = argument["description"].as_str().unwrap_or_default();
        let _ = writeln!(page, "| `{name}` | {} | {} |", cell(&type_text(argument)), cell(&spec(text)));
    }
}

fn values(page: &mut String, contract: &Contract) {
    page.push_str("\n## Values\n\nObjects and texts that several messages have.\n");
    for (name, schema) in &contract.values {
        let text = schema["description"].as_str().unwrap_or_default();
        let _ = write!(page, "\n### {name}\n\n{}\n", spec(text));
        let members = schema.get("properties").is_some();
        match schema.get("oneOf").and_then(Value::as_array) {
            Some(variants) => {
                page.push_str("\n| value | meaning |\n| --- | --- |\n");
                for variant in variants {
                    let meaning = variant["description"].as_str().unwrap_or_default();
                    let _ = writeln!(page, "| {} | {} |", type_text(variant), cell(&spec(meaning)));
                }
            }
            None if members => {
                if let Value::Object(schema) = schema {
                    table(page, schema);
                }
                if let Some(others) = schema.get("additionalProperties").filter(|others| others.is_object()) {
                    let _ = write!(page, "\nFurther members: {}.\n", type_text(others));
                }
            }
            None => {
                let _ = write!(page, "\nType: {}.\n", type_text(schema));
            }
        }
    }
}

fn title(entry: &Entry) -> String {
    let side = match entry.sender {
        Sender::Client => "client",
        Sender::Server => "server",
        Sender::Game => "game",
        Sender::ServerForGame => "for the game",
    };
    match entry.needed {
        Some(member) => format!("`{}` with `{member}` ({side})", entry.command),
        None => format!("`{}` ({side})", entry.command),
    }
}

fn link(entry: &Entry) -> String {
    let name = match entry.needed {
        Some(member) => format!("`{}` with `{member}`", entry.command),
        None => format!("`{}`", entry.command),
    };
    format!("[{name}](#{})", anchor(&title(entry)))
}

/// Returns the anchor of a heading, as forges and mdBook make it.
pub(crate) fn anchor(heading: &str) -> String {
    let kept = heading.chars().filter(|sign| sign.is_alphanumeric() || matches!(sign, ' ' | '-' | '_'));
    kept.map(|sign| if sign == ' ' { '-' } else { sign.to_ascii_lowercase() }).collect()
}

/// Turns the numbers of sections into links to the specification.
fn spec(text: &str) -> String {
    const PAGES: [&str; 5] = ["session", "games", "parties", "matchmaking", "wire"];

    PAGES.iter().fold(text.to_owned(), |text, page| {
        text.replace(&format!("{page}.md section"), &format!("[{page}.md](spec/{page}.md) section"))
    })
}

/// Returns a text for a cell of a table.
fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace("\n\n", " ").replace('\n', " ")
}

/// Breaks compact JSON into lines after commas, as people write it.
fn wrapped(json: &str) -> String {
    let mut lines: Vec<String> = vec![String::new()];
    let (mut in_string, mut escaped, mut length) = (false, false, 0);
    let mut piece = String::new();
    let flush = |piece: &mut String, lines: &mut Vec<String>| {
        if let Some(line) = lines.last_mut() {
            if line.chars().count() + piece.chars().count() > WIDTH && !line.is_empty() {
                lines.push(format!(" {}", piece.trim_start()));
            } else {
                line.push_str(piece);
            }
        }
        piece.clear();
    };
    for sign in json.chars() {
        length = if in_string { length + 1 } else { 0 };
        let is_end = sign == '"' && !escaped;
        if length == TEXT && !is_end {
            piece.push_str("...");
        }
        if length < TEXT || is_end {
            piece.push(sign);
        }
        match sign {
            _ if escaped => escaped = false,
            '\\' if in_string => escaped = true,
            '"' => in_string = !in_string,
            ',' | ':' if !in_string => {
                piece.push(' ');
                if sign == ',' {
                    flush(&mut piece, &mut lines);
                }
            }
            _ => {}
        }
    }
    flush(&mut piece, &mut lines);
    lines.iter().map(|line| format!("{}\n", line.trim_end())).collect()
}
