//! Builds a server by its command in the list, as a child that cannot outlive us.

use std::collections::VecDeque;
use std::ffi::OsString;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::time::Duration;

use crate::catalog::{self, Stanza};
use crate::guard::{Child, Launch};
use crate::server::with_tail;

/// Lines of output kept for the report of a failure.
const TAIL: usize = 30;
/// Longer than any build.
const LIMIT: Duration = Duration::from_secs(3600);

/// Builds `stanza` at `root`; `say` hears each line of its stderr as it comes.
///
/// # Errors
/// The command and the end of what it said.
pub fn build(stanza: &Stanza, root: &Path, say: impl Fn(&str)) -> Result<(), String> {
    let Some(command) = &stanza.build else { return Ok(()) };
    run(command, catalog::words(command, root)?, root, say)
        .map_err(|error| format!("failed to build: {error}"))
}

/// Runs `words` at `root` to their end, and calls them `command`; `say` hears each line of their stderr as it comes.
///
/// # Errors
/// The command and the end of what it said.
pub fn run(command: &str, words: Vec<OsString>, root: &Path, say: impl Fn(&str)) -> Result<(), String> {
    run_with(command, words, root, Vec::new(), say)
}

/// Runs `words` as [`run`] does, with these variables on top of the environment.
///
/// # Errors
/// The command and the end of what it said.
pub fn run_with(
    command: &str,
    words: Vec<OsString>,
    folder: &Path,
    env: Vec<(OsString, OsString)>,
    say: impl Fn(&str),
) -> Result<(), String> {
    let launch = Launch { words, folder: Some(folder.to_path_buf()), env, ..Launch::default() };
    let failed = |error: std::io::Error| format!("failed to run `{command}`: {error}");
    let mut child = Child::start(launch).map_err(failed)?;
    let (stdout, stderr) = child.pipes().expect("a child's pipes are taken once");
    // Read to its end on a thread, so that the child never blocks on a full pipe.
    std::thread::Builder::new()
        .name("build".into())
        .spawn(move || std::io::copy(&mut BufReader::new(stdout), &mut std::io::sink()))
        .map_err(failed)?;
    let mut tail = VecDeque::new();
    for line in BufReader::new(stderr.expect("a build's stderr is read")).lines().map_while(Result::ok) {
        say(&line);
        tail.push_back(line);
        if tail.len() > TAIL {
            tail.pop_front();
        }
    }
    match child.wait(LIMIT) {
        Some(status) if status.success() => Ok(()),
        Some(status) => {
            let tail = Vec::from(tail).join("\n");
            Err(with_tail(format!("`{command}` ended ({status})"), &tail))
        }
        None => Err(format!("`{command}` did not end")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_without_a_build_command_is_built() {
        let text = "[[server]]\nname='x'\nabout='y'\nrun='sh'\nsupports='all'";
        let catalog = catalog::Catalog::parse(text).unwrap();
        assert_eq!(build(&catalog.servers[0], Path::new("/"), |_| {}), Ok(()));
    }
}
