//! Checks the sources of the workspace, and counts them:
//!
//! | command | checks                                                                                | prints         |
//! | ------- | ------------------------------------------------------------------------------------- | -------------- |
//! | `words` | no documentation opens with a question word (see [`words::AVOIDED`])                  | each that does |
//! | `sizes` | no file is longer than 400 lines, and no function longer than 60                      | the counts     |
//! | `rooms` | no circle between crates, nor between the modules of the crates in [`rooms::LAYERED`] | who uses whom  |
//!
//! Without a command it runs all three.

mod rooms;
mod rust;
mod sizes;
mod tree;
mod words;

use std::error::Error;
use std::path::Path;
use std::process::ExitCode;

use crate::tree::File;

/// The commands, each with its check.
const CHECKS: [(&str, Check); 3] =
    [("words", words::check), ("sizes", sizes::check), ("rooms", rooms::check)];

/// Prints what a check counted, and returns its complaints.
type Check = fn(&Path, &[File]) -> Result<Vec<String>, Box<dyn Error>>;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match run(&arguments) {
        Ok(0) => ExitCode::SUCCESS,
        Ok(count) => {
            eprintln!("tidy: {count} complaints");
            ExitCode::FAILURE
        }
        Err(error) => {
            eprintln!("tidy: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Runs the named checks, or all, and returns the number of their complaints.
fn run(names: &[String]) -> Result<usize, Box<dyn Error>> {
    if let Some(name) = names.iter().find(|name| CHECKS.iter().all(|(known, _)| known != name)) {
        return Err(format!("there is no check `{name}`; take `words`, `sizes` or `rooms`").into());
    }
    let root = Path::new(".");
    let files = tree::files(root)?;
    let mut count = 0;
    for (name, check) in CHECKS {
        if names.is_empty() || names.iter().any(|wanted| wanted == name) {
            let complaints = check(root, &files)?;
            complaints.iter().for_each(|complaint| eprintln!("tidy: {name}: {complaint}"));
            count += complaints.len();
        }
    }
    Ok(count)
}
