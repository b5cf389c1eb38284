//! Turns the documentation of a row into text for readers who do not use Rust, and takes the
//! examples out of it.

use crate::message::Message;

/// The documentation of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Documentation {
    /// Paragraphs of Markdown, each on one line, without examples.
    pub(super) text: String,
    /// The examples, in order.
    pub(super) examples: Vec<Message>,
}

impl Documentation {
    /// Reads documentation as it stands in the source.
    pub(super) fn of(source: &str) -> Self {
        let mut paragraphs: Vec<String> = vec![String::new()];
        let mut examples = Vec::new();
        let mut example: Option<String> = None;
        for line in source.lines() {
            match (line.trim(), &mut example) {
                ("```json", _) => example = Some(String::new()),
                ("```", inside) => examples.extend(inside.take().map(|text| parse(&text))),
                (line, Some(text)) => text.push_str(line),
                ("", None) => paragraphs.push(String::new()),
                (line, None) => {
                    if is_list_item(line) && paragraphs.last().is_some_and(|last| !last.is_empty()) {
                        paragraphs.push(String::new());
                    }
                    if let Some(paragraph) = paragraphs.last_mut() {
                        if !paragraph.is_empty() {
                            paragraph.push(' ');
                        }
                        paragraph.push_str(line);
                    }
                }
            }
        }
        paragraphs.retain(|paragraph| !paragraph.is_empty());
        let mut text = without_links(&paragraphs.join("\n\n"));
        // In the tables, sections without a page are those of session.md.
        for word in ["(section ", "(sections "] {
            text = text.replace(word, &format!("(session.md {}", &word[1..]));
        }
        Self { text, examples }
    }
}

fn parse(text: &str) -> Message {
    text.parse().expect("a test reads all examples")
}

fn is_list_item(line: &str) -> bool {
    let number = line.bytes().take_while(u8::is_ascii_digit).count();
    line.starts_with("- ") || line.starts_with("* ") || (number > 0 && line[number..].starts_with(". "))
}

/// Replaces links to items of Rust by their text.
pub(super) fn without_links(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("[`") {
        // The name of a constant in brackets says nothing more than the number before it.
        let in_brackets = before.strip_suffix(" (").zip(after.split_once("`])"));
        if let Some((before, (_, after))) = in_brackets {
            out.push_str(before);
            rest = after;
            continue;
        }
        out.push_str(before);
        let Some((name, after)) = after.split_once("`]") else {
            out.push_str("[`");
            rest = after;
            continue;
        };
        let last = name.rsplit("::").next().unwrap_or(name);
        out.extend(["`", last, "`"]);
        rest = match after.strip_prefix('(').and_then(|target| target.split_once(')')) {
            Some((_, after)) => after,
            None => after,
        };
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documentation_becomes_paragraphs_and_examples() {
        let read = Documentation::of(
            "One\ntwo (section 3), with [`state`](Player::state).\n\n1. First\n   of two\n2. [`ServerMessage::Pong`]\n\n```json\n{\"command\":\n\"x\"}\n```",
        );
        assert_eq!(
            read.text,
            "One two (session.md section 3), with `state`.\n\n1. First of two\n\n2. `Pong`"
        );
        assert_eq!(without_links("at most 10,000 ([`LIST_LIMIT`])."), "at most 10,000.");
        assert_eq!(read.examples, ["{\"command\":\"x\"}".parse().unwrap()]);
    }
}
