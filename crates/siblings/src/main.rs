//! Checks that the servers are siblings: the same files, and in each file the same items in the same order, under the same
//! documentation, with the same code. Only what a runtime forces may differ, and a comment that begins with the server's name
//! says why:
//!
//! | comment                                 | explains                                                              |
//! | --------------------------------------- | --------------------------------------------------------------------- |
//! | `// x: …`                               | the statement, field or arm below it; above an item, its documentation |
//! | `// x: … a `name` …`                    | the lines of its item that have this name; before all items, of its file |
//! | `// x: another body, because …`         | the whole body of the item below it                                   |
//! | `// x: only here, because …`            | an item, or a file, that another server does not have                 |
//! | `// x: no `name`, because …`            | an item that this server does not have, in its place                  |
//!
//! A line explains itself when it, or the head of its statement, names what only its own file imports. Signatures may
//! differ, and so may `async`, `.await` and lifetimes.

mod compare;
mod source;

use std::collections::BTreeSet;
use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use crate::compare::compare;
use crate::source::Source;

/// The beginning of a comment, behind the server's name, that explains a file which another server does not have.
const ONLY: &str = ": only here, because ";

fn main() -> ExitCode {
    let root = std::env::args_os().nth(1).map_or_else(|| PathBuf::from("."), PathBuf::from);
    match check(&root) {
        Ok((servers, complaints)) if complaints.is_empty() => {
            println!("siblings: {servers} servers, alike but for what a comment explains");
            ExitCode::SUCCESS
        }
        Ok((_, complaints)) => {
            for complaint in &complaints {
                eprintln!("siblings: {complaint}");
            }
            eprintln!("siblings: {} differences that no comment explains", complaints.len());
            ExitCode::FAILURE
        }
        Err(error) => {
            eprintln!("siblings: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Compares every server below `root` with every other; returns how many there are, and what is wrong.
fn check(root: &Path) -> Result<(usize, Vec<String>), Box<dyn Error>> {
    let mut servers = Vec::new();
    for name in names(&root.join("crates"))? {
        servers.extend(name.strip_prefix("server-").map(str::to_owned));
    }
    let mut complaints = Vec::new();
    for (at, two) in servers.iter().enumerate() {
        for one in &servers[..at] {
            pair(root, one, two, &mut complaints)?;
        }
    }
    Ok((servers.len(), complaints))
}

/// Compares two servers.
fn pair(root: &Path, one: &str, two: &str, complaints: &mut Vec<String>) -> Result<(), Box<dyn Error>> {
    let path = |server: &str, file: &str| root.join(format!("crates/server-{server}")).join(file);
    let read = |server: &str, file: &str| {
        let path = path(server, file);
        fs::read_to_string(&path).map_err(|error| format!("failed to read {}: {error}", path.display()))
    };
    let (files, others) = (files(&path(one, ""))?, files(&path(two, ""))?);
    for file in files.union(&others) {
        if !files.contains(file) || !others.contains(file) {
            let (server, other) = if files.contains(file) { (one, two) } else { (two, one) };
            if !read(server, file)?.lines().any(|line| line.starts_with(&format!("// {server}{ONLY}"))) {
                complaints.push(format!(
                    "server-{other} has no {file}, and that of server-{server} does not say why"
                ));
            }
            continue;
        }
        let parse = |server: &str| {
            let parsed = Source::parse(server, &read(server, file)?);
            parsed.map_err(|error| format!("failed to parse {}: {error}", path(server, file).display()))
        };
        let differences = compare(&parse(one)?, &parse(two)?);
        complaints.extend(differences.iter().map(|found| format!("{one} and {two}, {file}: {found}")));
    }
    let ideas = |server: &str| read(server, "src/main.rs").map(|text| ideas(&text));
    if ideas(one)? != ideas(two)? {
        complaints.push(format!("{one} and {two}, src/main.rs: the tables list other ideas"));
    }
    Ok(())
}

/// The first column of the table that the documentation of a server begins with.
fn ideas(text: &str) -> Vec<String> {
    let rows = text.lines().filter_map(|line| line.strip_prefix("//! |"));
    rows.filter_map(|row| Some(row.split('|').next()?.trim().to_owned())).collect()
}

/// The names of a server's files, sources and tests.
fn files(server: &Path) -> Result<BTreeSet<String>, Box<dyn Error>> {
    let mut files = BTreeSet::new();
    for folder in ["src", "tests"] {
        files.extend(names(&server.join(folder))?.into_iter().map(|name| format!("{folder}/{name}")));
    }
    Ok(files)
}

fn names(folder: &Path) -> Result<BTreeSet<String>, Box<dyn Error>> {
    let list = |error| format!("failed to list {}: {error}", folder.display());
    let mut names = BTreeSet::new();
    for entry in fs::read_dir(folder).map_err(list)? {
        names.insert(entry?.file_name().to_string_lossy().into_owned());
    }
    Ok(names)
}
