//! The documents in this repository are those that the code makes.

use std::path::Path;

use faf_contract::{Contract, Document};

/// Environment variable that makes the test write the documents instead of comparing them.
const WRITE: &str = "FAF_WRITE_DOCUMENTS";

/// The command that writes all of them. It leaves out the tests that check messages: these still
/// have the documents from before.
const COMMAND: &str = "`FAF_WRITE_DOCUMENTS=1 cargo test -p faf-contract --test contract documents`";

#[test]
fn the_documents_of_the_repository_are_up_to_date() {
    let contract = Contract::new();
    for document in Document::ALL {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs").join(document.file());
        let made = document.generate(&contract);
        if std::env::var_os(WRITE).is_some() {
            std::fs::write(&file, &made).unwrap();
            continue;
        }
        let is_same = document.text() == made;
        assert!(is_same, "{} is not what the code makes: {COMMAND} writes it", file.display());
    }
}

#[test]
fn the_reference_has_every_message_and_every_member() {
    let contract = Contract::new();
    let page = Document::Reference.generate(&contract);
    for entry in &contract.entries {
        assert!(page.contains(&format!("### `{}`", entry.command)), "{}", entry.key);
        let members = entry.schema.get("properties").and_then(|members| members.as_object());
        for name in members.into_iter().flatten().map(|(name, _)| name) {
            assert!(page.contains(&format!("`{name}`")), "{}: {name}", entry.key);
        }
    }
    for name in contract.values.keys() {
        assert!(page.contains(&format!("\n### {name}\n")), "{name}");
    }
}

#[test]
fn every_link_of_the_reference_has_its_heading() {
    let page = Document::Reference.generate(&Contract::new());
    let anchor = |heading: &str| -> String {
        let kept = heading.chars().filter(|sign| sign.is_alphanumeric() || matches!(sign, ' ' | '-' | '_'));
        kept.map(|sign| if sign == ' ' { '-' } else { sign.to_ascii_lowercase() }).collect()
    };
    let headings: Vec<String> =
        page.lines().filter_map(|line| line.strip_prefix("### ")).map(anchor).collect();
    for (index, heading) in headings.iter().enumerate() {
        assert!(!headings[..index].contains(heading), "two headings have the anchor {heading}");
    }
    for link in page.split("](#").skip(1) {
        let target = link.split(')').next().unwrap_or_default();
        assert!(headings.iter().any(|heading| heading == target), "#{target}");
    }
}
