//! Writes the table of verdicts: `cargo run -p cancel-safety`, or `-- --check` to compare only.

use std::path::Path;
use std::process::ExitCode;
use std::{env, fs};

fn main() -> ExitCode {
    match run() {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("cancel-safety: {error}");
            ExitCode::from(2)
        }
    }
}

/// Writes or compares the document, and returns whether it is fresh now.
fn run() -> Result<bool, Box<dyn std::error::Error>> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/findings/cancel-safety.md");
    let document = cancel_safety::document(&cancel_safety::packages()?)?;
    if env::args().any(|argument| argument == "--check") {
        let fresh = fs::read_to_string(&path)? == document;
        if !fresh {
            eprintln!("docs/findings/cancel-safety.md is stale: run `cargo run -p cancel-safety`");
        }
        return Ok(fresh);
    }
    fs::write(&path, document)?;
    Ok(true)
}
