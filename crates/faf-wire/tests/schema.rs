//! `faf-wire schema`, from outside.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use faf_contract::Document;
use support::tool::Tool;

#[tokio::test]
async fn each_document_is_printed_or_written() {
    let folder = tempfile::tempdir().unwrap();
    for document in Document::ALL {
        let text = document.text();
        let printed = Tool::run(&["schema", "--format", document.name()], b"").await;
        printed.assert_clean();
        assert!(printed.output == text.as_bytes(), "{}", document.name());
        let file = folder.path().join("new").join(document.name());
        let path = file.to_str().unwrap();
        Tool::run(&["schema", "--format", document.name(), "--output", path], b"").await.assert_clean();
        assert!(std::fs::read_to_string(&file).unwrap() == text, "{}", document.name());
    }
}

#[tokio::test]
async fn a_folder_gets_all_documents() {
    let folder = tempfile::tempdir().unwrap();
    Tool::run(&["schema", "--output", folder.path().to_str().unwrap()], b"").await.assert_clean();
    for document in Document::ALL {
        let there = std::fs::read_to_string(folder.path().join(document.file())).unwrap();
        assert!(there == document.text(), "{}", document.file());
    }
}

#[tokio::test]
async fn wrong_usage_and_files_that_cannot_be_written_have_their_exit_codes() {
    assert_eq!(Tool::run(&["schema"], b"").await.code, Some(2));
    assert_eq!(Tool::run(&["schema", "--format", "wsdl"], b"").await.code, Some(2));
    let file = tempfile::NamedTempFile::new().unwrap();
    let inside = file.path().join("inside");
    let failed =
        Tool::run(&["schema", "--format", "asyncapi", "--output", inside.to_str().unwrap()], b"").await;
    failed.assert_failed(1, file.path().to_str().unwrap());
}
