//! The Rust files of the workspace.

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};

use proc_macro2::TokenStream;

/// The folders that hold the workspace's own sources.
const FOLDERS: [&str; 3] = ["benches", "crates", "peers"];

/// The names of folders that hold other people's code or build products.
const FOREIGN: [&str; 2] = ["target", "node_modules"];

/// A Rust file.
pub(crate) struct File {
    /// Its path below the root, with `/` between the parts.
    pub(crate) path: String,
    pub(crate) text: String,
    pub(crate) tokens: TokenStream,
}

impl File {
    /// Reads the tokens of `text`.
    pub(crate) fn parse(path: &str, text: String) -> Result<Self, Box<dyn Error>> {
        let tokens = text.parse().map_err(|error| format!("failed to parse {path}: {error}"))?;
        Ok(Self { path: path.into(), text, tokens })
    }

    /// Reports whether the file holds tests and nothing else.
    pub(crate) fn is_test(&self) -> bool {
        self.path.contains("/tests/") || self.path.ends_with("/tests.rs")
    }
}

/// Returns the Rust files below `root`, in the order of their paths.
pub(crate) fn files(root: &Path) -> Result<Vec<File>, Box<dyn Error>> {
    let mut paths = Vec::new();
    for folder in FOLDERS {
        collect(&root.join(folder), &mut paths)?;
    }
    paths.sort();
    let mut files = Vec::new();
    for path in paths {
        let name = path.strip_prefix(root).unwrap_or(&path).to_string_lossy().into_owned();
        let text = fs::read_to_string(&path).map_err(|error| format!("failed to read {name}: {error}"))?;
        files.push(File::parse(&name, text)?);
    }
    Ok(files)
}

/// Adds the Rust files below `folder` to `paths`.
fn collect(folder: &Path, paths: &mut Vec<PathBuf>) -> Result<(), Box<dyn Error>> {
    let list = |error| format!("failed to list {}: {error}", folder.display());
    for entry in fs::read_dir(folder).map_err(list)? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if path.is_dir() && !name.starts_with('.') && !FOREIGN.contains(&&*name) {
            collect(&path, paths)?;
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            paths.push(path);
        }
    }
    Ok(())
}
