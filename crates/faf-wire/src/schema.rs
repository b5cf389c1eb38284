//! `faf-wire schema`: the contract of the protocol as documents.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::Args;
use clap::builder::PossibleValuesParser;
use faf_contract::Document;

use crate::exit::Failure;

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// The document
    #[arg(long, value_name = "FORMAT", required_unless_present = "output",
        value_parser = PossibleValuesParser::new(Document::ALL.map(Document::name)))]
    format: Option<String>,
    /// Write into this file instead of standard output; without --format all documents into this
    /// folder, under the names that they have in the folder `docs` of the repository
    #[arg(long, value_name = "PATH")]
    output: Option<PathBuf>,
}

pub(crate) fn run(arguments: &Arguments, output: &mut impl Write) -> Result<(), Failure> {
    let name = arguments.format.as_deref();
    let document = name.and_then(|name| Document::ALL.into_iter().find(|document| document.name() == name));
    match (document, &arguments.output) {
        (Some(document), None) => output.write_all(document.text().as_bytes())?,
        (Some(document), Some(file)) => write(file, document.text())?,
        (None, Some(folder)) => {
            for document in Document::ALL {
                write(&folder.join(document.file()), document.text())?;
            }
        }
        (None, None) => unreachable!("clap has asked for one of them"),
    }
    Ok(())
}

fn write(file: &Path, text: &str) -> anyhow::Result<()> {
    if let Some(folder) = file.parent() {
        fs::create_dir_all(folder).with_context(|| folder.display().to_string())?;
    }
    fs::write(file, text).with_context(|| file.display().to_string())
}
