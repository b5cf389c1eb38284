//! Checks the documentation of the whole repository: citations of the specification, links between
//! Markdown files, and the table of contents of the book.
//!
//! A citation names a page of `docs/src/spec/` and a section or a rule on it, `games.md section
//! 8.2` or `games.md Q16`. On a page of the specification, and after a page was named in a source
//! file, `section 8.2` and `Q16` alone refer to that page.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

/// Folders with generated files, or with facts that are kept as they were received.
const SKIPPED_FOLDERS: [&str; 7] =
    ["target", "corpus", "artifacts", "coverage", "book", "node_modules", "faf-schema"];

/// This file, whose examples are not citations.
const THIS_FILE: &str = "documentation.rs";

#[test]
fn citations_name_sections_and_rules_that_exist() {
    let repository = Repository::read();
    let mut problems = String::new();
    for file in repository.files.iter().filter(|file| !file.path.ends_with(THIS_FILE)) {
        for (line, problem) in repository.wrong_citations(file) {
            writeln!(problems, "{}:{line}: {problem}", file.path.display()).unwrap();
        }
    }
    assert!(problems.is_empty(), "\n{problems}");
}

#[test]
fn links_lead_to_files_and_headings_that_exist() {
    let repository = Repository::read();
    let mut problems = String::new();
    for file in repository.markdown() {
        let folder = file.path.parent().unwrap();
        for (line, target) in links(&file.text) {
            let (path, anchor) = target.split_once('#').unwrap_or((target, ""));
            let path = if path.is_empty() { file.path.clone() } else { normal(&folder.join(path)) };
            let headings = repository.anchors.get(&path);
            let exists = repository.root.join(&path).exists()
                && (anchor.is_empty() || headings.is_some_and(|anchors| anchors.contains(anchor)));
            if !exists {
                writeln!(problems, "{}:{line}: {target} does not exist", file.path.display()).unwrap();
            }
        }
    }
    assert!(problems.is_empty(), "\n{problems}");
}

#[test]
fn the_summary_lists_every_page_once() {
    let repository = Repository::read();
    let book = Path::new("docs/src");
    let summary = repository.markdown().find(|file| file.path == book.join("SUMMARY.md")).unwrap();
    let mut listed: Vec<PathBuf> =
        links(&summary.text).into_iter().map(|(_, target)| normal(&book.join(target))).collect();
    listed.sort();
    let mut pages: Vec<PathBuf> = repository.markdown().map(|file| file.path.clone()).collect();
    pages.retain(|path| path.starts_with(book) && *path != summary.path);
    pages.sort();
    assert_eq!(listed, pages);
}

#[test]
fn wrong_citations_are_found() {
    let repository = Repository::read();
    let problems = |name: &str, text: &str| {
        let file = TextFile { path: name.into(), text: text.to_owned() };
        repository.wrong_citations(&file).len()
    };
    for right in [
        "//! Ends a game (games.md sections 7 and 8.2, game-results.md\n//! section 4, R1).",
        "/// See [games.md](games.md) section 3.2, or RFC 6455 section 99.1.",
        "//! As games.md says.\n\n/// Sent in this order (section 7.3, Q5).",
        "/// Of `ratings.md` R10, and README.md.",
    ] {
        assert_eq!(problems("a.rs", right), 0, "{right}");
    }
    for wrong in [
        "//! Section by section (games.md section 99).",
        "//! Both (games.md sections 7 and 99).",
        "//! Without the word (games.md 7).",
        "//! No number (games.md section of that name).",
        "//! No such rule (games.md Q99).",
        "//! No such page (no-such-page.md).",
        "//! The wrong page (README.md section 1).",
        "//! As games.md says.\n\n/// Not there (section 99).",
        "//! As games.md says.\n\n/// Not there (Q99).",
        "//! Of no page (section 1).",
    ] {
        assert_eq!(problems("a.rs", wrong), 1, "{wrong}");
    }
}

/// The text files of the repository.
struct Repository {
    root: PathBuf,
    files: Vec<TextFile>,
    /// Anchors of the headings, by Markdown file.
    anchors: BTreeMap<PathBuf, BTreeSet<String>>,
    /// Pages of the specification, by file name.
    pages: BTreeMap<String, Page>,
}

/// A Rust, TOML or Markdown file; its path is relative to the root.
struct TextFile {
    path: PathBuf,
    text: String,
}

/// Sections and rules of a page that can be cited.
struct Page {
    sections: BTreeSet<String>,
    rules: BTreeSet<String>,
}

impl Repository {
    fn read() -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap();
        let mut files = Vec::new();
        collect(&root, Path::new(""), &mut files);
        assert!(files.len() > 100, "{} has only {} files", root.display(), files.len());
        let is_markdown = |file: &&TextFile| file.extension() == "md";
        let anchors =
            files.iter().filter(is_markdown).map(|file| (file.path.clone(), anchors(&file.text))).collect();
        let spec = files.iter().filter(|file| file.is_spec_page());
        let pages = spec.map(|file| (file.name().to_owned(), Page::read(&file.text))).collect();
        Self { root, files, anchors, pages }
    }

    fn markdown(&self) -> impl Iterator<Item = &TextFile> {
        self.files.iter().filter(|file| file.extension() == "md")
    }

    /// Returns whether a Markdown file with this name, or at the end of this path, exists.
    fn has_document(&self, name: &str) -> bool {
        let name = name.trim_start_matches("./").trim_start_matches("../");
        self.markdown().any(|file| file.path.ends_with(name))
    }

    /// Returns line and text of each problem.
    fn wrong_citations(&self, file: &TextFile) -> Vec<(usize, String)> {
        let own_page = file.is_spec_page().then(|| file.name().to_owned());
        let words = words(file);
        let mut problems = Vec::new();
        let mut context = own_page.clone();
        let mut at = 0;
        while let Some((line, word)) = words.get(at) {
            at += 1;
            let next = |offset: usize| words.get(at + offset).map_or("", |(_, word)| word.as_str());
            let mut problem = |text: String| problems.push((*line, text));
            let is_number_next = next(0).starts_with(|c: char| c.is_ascii_digit());
            let mut page = None;
            if word.ends_with(".md") {
                // The words after the name of a page refer to that page.
                let name = word.rsplit('/').next().unwrap();
                if !self.has_document(word) {
                    problem(format!("there is no {word}"));
                    continue;
                }
                // A link names the page twice: `[games.md](games.md) section 4`.
                if next(0) == "(" && next(1) == word {
                    continue;
                }
                let closed = usize::from(next(0) == ")" && next(1).starts_with("section"));
                at += closed;
                let next = |offset: usize| words.get(at + offset).map_or("", |(_, word)| word.as_str());
                match self.pages.get(name) {
                    Some(_) if next(0).starts_with(|c: char| c.is_ascii_digit()) => {
                        problem(format!("`{word} {}` must be `{word} section {0}`", next(0)));
                        continue;
                    }
                    Some(_) => {
                        if own_page.is_none() && context.is_none() {
                            context = Some(name.to_owned());
                        }
                        page = Some(name.to_owned());
                    }
                    None if ["section", "sections"].contains(&next(0)) => {
                        problem(format!("{word} is not a page of the specification"));
                        at += 1;
                        continue;
                    }
                    None => continue,
                }
                match next(0) {
                    "section" | "sections" => at += 1,
                    rule if is_rule(rule) => {}
                    _ => continue,
                }
            } else if ["section", "sections"].contains(&word.as_str()) && is_number_next {
                // Sections of other documents, such as RFCs, are not checked.
                let before = |back: usize| at.checked_sub(back).map_or("", |place| words[place].1.as_str());
                if before(3) == "RFC" || [before(2), before(3)].contains(&"specification") {
                    continue;
                }
                page = context.clone();
                if page.is_none() {
                    problem(format!("`{word} {}` of which page?", next(0)));
                    continue;
                }
            } else if is_rule(word) {
                let known = context.as_ref().map(|name| &self.pages[name]);
                if known.is_some_and(|page| page.has_rules_like(word) && !page.rules.contains(word)) {
                    problem(format!("there is no rule {word}"));
                }
                continue;
            }
            let Some(name) = page else { continue };
            at += check_list(&self.pages[&name], &name, &words[at..], &mut problem);
        }
        problems
    }
}

/// Checks a list such as `7 and 8.2, R1`, or a single rule. Returns its number of words.
fn check_list(page: &Page, name: &str, words: &[(usize, String)], problem: &mut impl FnMut(String)) -> usize {
    let mut taken = 0;
    for (_, word) in words {
        if word.starts_with(|c: char| c.is_ascii_digit()) {
            if !page.sections.contains(word.as_str()) {
                problem(format!("{name} has no section {word}"));
            }
        } else if is_rule(word) {
            if !page.rules.contains(word.as_str()) {
                problem(format!("{name} has no rule {word}"));
            }
        } else if !["and", "to", "or", ","].contains(&word.as_str()) {
            break;
        }
        taken += 1;
    }
    if taken == 0 {
        problem(format!("`{name} section` is not followed by a number"));
    }
    taken
}

impl TextFile {
    fn extension(&self) -> &str {
        self.path.extension().and_then(|extension| extension.to_str()).unwrap_or_default()
    }

    fn name(&self) -> &str {
        self.path.file_name().and_then(|name| name.to_str()).unwrap_or_default()
    }

    /// `about.md` describes the specification and has no sections to cite.
    fn is_spec_page(&self) -> bool {
        self.path.starts_with("docs/src/spec") && self.name() != "about.md"
    }
}

impl Page {
    fn read(text: &str) -> Self {
        let (mut sections, mut rules) = (BTreeSet::new(), BTreeSet::new());
        for line in text.lines() {
            let heading = line.trim_start_matches('#').trim_start();
            let number = heading.split(' ').next().unwrap_or_default().trim_end_matches('.');
            if line.starts_with("##") && number.starts_with(|c: char| c.is_ascii_digit()) {
                assert!(sections.insert(number.to_owned()), "section {number} is there twice");
            }
            // A rule is defined in the first cell of a row.
            let cell = line.strip_prefix('|').and_then(|row| row.split('|').next()).map(str::trim);
            if let Some(cell) = cell.filter(|cell| is_rule(cell)) {
                assert!(rules.insert(cell.to_owned()), "rule {cell} is there twice");
            }
        }
        Self { sections, rules }
    }

    /// Returns whether the page defines rules that begin with the same letter.
    fn has_rules_like(&self, rule: &str) -> bool {
        self.rules.iter().any(|known| known[..1] == rule[..1])
    }
}

/// Returns whether a word has the form of a rule: a capital letter and a number, `Q16` or `W-4`.
fn is_rule(word: &str) -> bool {
    let number = word.strip_prefix(|c: char| c.is_ascii_uppercase()).unwrap_or_default();
    let digits = number.strip_prefix('-').unwrap_or(number);
    (1..=2).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit())
}

/// Collects all Rust, TOML and Markdown files, sorted by path.
fn collect(root: &Path, folder: &Path, files: &mut Vec<TextFile>) {
    let mut entries: Vec<_> = fs::read_dir(root.join(folder)).unwrap().map(Result::unwrap).collect();
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let name = entry.file_name().into_string().unwrap();
        let (path, kind) = (folder.join(&name), entry.file_type().unwrap());
        if kind.is_dir() && !name.starts_with('.') && !SKIPPED_FOLDERS.contains(&name.as_str()) {
            collect(root, &path, files);
        } else if kind.is_file() && [".rs", ".toml", ".md"].iter().any(|end| name.ends_with(end)) {
            files.push(TextFile { text: fs::read_to_string(root.join(&path)).unwrap(), path });
        }
    }
}

/// Returns the words and the punctuation that matter for citations, with their line numbers.
/// Comment marks are left out, since a citation may continue in the next line; an empty line
/// ends it.
fn words(file: &TextFile) -> Vec<(usize, String)> {
    let mut words = Vec::new();
    for (line, text) in (1..).zip(file.text.lines()) {
        let is_part = |c: char| c.is_alphanumeric() || "._-/".contains(c);
        let is_mark = |c: char| ",()|;:=".contains(c);
        let before = words.len();
        let mut rest = text;
        while let Some(start) = rest.find(|c| is_part(c) || is_mark(c)) {
            // The anchor of a link is not a citation.
            let is_anchor = start > 0 && text[..text.len() - rest.len() + start].ends_with(".md#");
            rest = &rest[start..];
            let end =
                if rest.starts_with(is_mark) { 1 } else { rest.find(|c| !is_part(c)).unwrap_or(rest.len()) };
            let word = rest[..end].trim_matches(['.', '/', '-']);
            // A URL does not name a document of this repository.
            let is_url = rest.starts_with("//") && text[..text.len() - rest.len()].ends_with(':');
            if !word.is_empty() && !is_url && !is_anchor {
                words.push((line, word.to_owned()));
            }
            rest = &rest[end..];
        }
        if words.len() == before {
            words.push((line, String::new()));
        }
    }
    words
}

/// Returns line and target of each link within the repository, outside of code.
fn links(text: &str) -> Vec<(usize, &str)> {
    let mut links = Vec::new();
    let mut is_code = false;
    for (line, text) in (1..).zip(text.lines()) {
        if text.trim_start().starts_with("```") {
            is_code = !is_code;
        }
        if is_code {
            continue;
        }
        // Every other piece between backticks is code, unless it is the text of a link.
        let mut rest = text;
        while let Some(start) = rest.find("](") {
            let is_inside_code = rest[..start].matches('`').count() % 2 == 1;
            rest = &rest[start + 2..];
            let Some(end) = rest.find(')') else { break };
            let target = rest[..end].split(' ').next().unwrap_or_default();
            let is_elsewhere = target.contains(':');
            if !is_inside_code && !is_elsewhere {
                links.push((line, target));
            }
        }
        if let Some((name, target)) = text.split_once("]: ")
            && name.starts_with('[')
            && !target.contains(':')
        {
            links.push((line, target.trim()));
        }
    }
    links
}

/// Returns the anchors that GitHub and mdBook give to the headings of a page.
fn anchors(text: &str) -> BTreeSet<String> {
    let mut anchors = BTreeSet::new();
    let mut is_code = false;
    for line in text.lines() {
        if line.trim_start().starts_with("```") {
            is_code = !is_code;
        }
        let Some((marks, heading)) = line.split_once(' ').filter(|_| !is_code) else { continue };
        if marks.is_empty() || marks.bytes().any(|mark| mark != b'#') {
            continue;
        }
        let kept = heading.trim().chars().filter(|c| c.is_alphanumeric() || " -_".contains(*c));
        let anchor: String = kept.collect::<String>().to_lowercase().replace(' ', "-");
        let numbered = (1..).map(|number| format!("{anchor}-{number}"));
        let free = std::iter::once(anchor.clone()).chain(numbered).find(|name| !anchors.contains(name));
        anchors.extend(free);
    }
    anchors
}

/// Returns a path without `.` and `..`.
fn normal(path: &Path) -> PathBuf {
    let mut normal = PathBuf::new();
    for part in path.components() {
        match part {
            std::path::Component::ParentDir => drop(normal.pop()),
            std::path::Component::CurDir => {}
            part => normal.push(part),
        }
    }
    normal
}
