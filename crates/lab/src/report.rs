//! `lab report`: renders a run again from its document.

use std::path::Path;

use measure::results::Results;
use report::export::{self, hlog, otlp, samples, timeline};
use report::terminal::tables;
use suite::document::Document;
use suite::exit::Exit;
use testbed::{catalog, files};

use crate::args::{Export, ExportFormat, Report};
use crate::compare;
use crate::progress::{depth, print, screen};

/// Prints the tables of each document and writes its page and its other files.
pub(crate) fn report(args: &Report) -> Result<Exit, String> {
    for (number, file) in (1..).zip(&args.files) {
        let results = measured(file)?;
        print(tables::print(&results, screen(), depth(args.details)));
        let beside = || file.parent().unwrap_or(Path::new("")).to_path_buf();
        let mut folder = args.out.clone().unwrap_or_else(beside);
        if args.files.len() > 1 {
            // Several documents, which may even have the same name, must not overwrite each other's pages.
            let stem = file.file_stem().unwrap_or_default().to_string_lossy();
            folder.push(format!("{number}-{stem}"));
        }
        for path in export::write(&results, &folder)? {
            print(format_args!("{}\n", path.display()));
        }
    }
    Ok(Exit::Good)
}

/// Writes a run in a format of another program's.
pub(crate) fn export(args: &Export) -> Result<Exit, String> {
    let results = asked(args.file.as_deref())?;
    let text = match args.format {
        ExportFormat::Otlp => otlp::render(&results),
        ExportFormat::Perfetto => timeline::render(&results),
        ExportFormat::Csv => samples::render(&results),
        ExportFormat::Hlog => hlog::render(&results),
    };
    match &args.out {
        Some(path) => files::write(path, text)?,
        None => print(text),
    }
    Ok(Exit::Good)
}

/// Reads the run that was asked for, or the last.
pub(crate) fn asked(file: Option<&Path>) -> Result<Results, String> {
    let last = || Ok::<_, String>(catalog::root()?.join(compare::FOLDER).join("results.json"));
    measured(&file.map(Path::to_path_buf).map_or_else(last, Ok)?)
}

/// Reads a document of a run.
///
/// # Errors
/// A sentence that names the file, and the field where it is not what it should be.
pub(crate) fn read(path: &Path) -> Result<Document, String> {
    Document::parse(&files::read(path)?)
        .map_err(|error| format!("failed to read `{}`: {error}", path.display()))
}

/// Reads a document of a run, and its measurements.
pub(crate) fn measured(path: &Path) -> Result<Results, String> {
    Results::of(read(path)?).map_err(|error| format!("failed to read `{}`: {error}", path.display()))
}
