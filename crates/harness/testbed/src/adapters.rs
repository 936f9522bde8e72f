//! The adapters, `peers/<language>/<name>/adapter.toml`: servers on other people's frameworks, how each is installed and run,
//! and why it fails what it fails.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use strum::IntoStaticStr;

use crate::files;

mod home;

pub use home::Fetch;

/// The manifest's name in the folder of an adapter.
pub const FILE: &str = "adapter.toml";

/// One adapter: a framework, and one server on it for each way to write it.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Adapter {
    /// Its name in commands and tables: the folder's.
    pub name: String,
    /// The language it is written in, for readers.
    pub language: String,
    /// The framework, and the server beneath it where the two are apart.
    pub framework: String,
    /// The versions that matter, each as the lock pins it.
    pub versions: BTreeMap<String, String>,
    /// Where its packages come from.
    #[serde(default)]
    pub install: Install,
    /// Programs that must be there, as in the server list: `go`, or `go>=1.25`.
    #[serde(default)]
    pub needs: Vec<String>,
    /// Variables of the environment for every build and run; `{port}` and `{witness}` are replaced in them.
    #[serde(default)]
    pub env: BTreeMap<String, String>,
    /// The servers.
    #[serde(rename = "variant")]
    pub variants: Vec<Variant>,
    /// The folder of the manifest.
    #[serde(skip)]
    pub folder: PathBuf,
}

impl Adapter {
    /// Parses a manifest that stands in `folder`.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(text: &str, folder: PathBuf) -> Result<Self, String> {
        let adapter: Self = toml::from_str(text).map_err(|error| error.to_string())?;
        Ok(Self { folder, ..adapter })
    }
}

/// The sources of an adapter's packages, in the order in which they are installed.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Install {
    /// Debian's packages, `name=version` as seen.
    #[serde(default)]
    pub apt: Vec<String>,
    /// A requirements file with hashes, for `pip install --require-hashes` into `.venv`.
    pub pip: Option<String>,
    /// A `package-lock.json`, for `npm ci`.
    pub npm: Option<String>,
    /// A `Cargo.lock`, for `cargo build --release --locked --target-dir ../target`.
    pub cargo: Option<String>,
    /// Commands that build it afterwards, without a shell.
    #[serde(default)]
    pub build: Vec<String>,
}

/// One way to write a server on a framework.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Variant {
    /// Its name within the adapter.
    pub name: String,
    /// The difference from the others, in one line.
    pub about: String,
    /// The command that runs it, in the adapter's folder; `{port}` and `{witness}` are replaced.
    pub run: String,
    /// The page of the documentation that it follows.
    pub source: String,
    /// The scenarios that it fails, with reasons.
    #[serde(default, rename = "red")]
    pub reds: Vec<Red>,
}

/// One question that a server fails.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Red {
    /// The question.
    pub question: Question,
    /// The cause, in one sentence.
    pub cause: String,
    /// The page that says so.
    pub source: String,
    /// The variant, or `adapter/variant`, that does not fail it.
    pub mend: Option<String>,
    /// The attempts that failed.
    pub tried: Option<String>,
    /// True when it comes and goes, so that a run in which it passes is no surprise.
    #[serde(default)]
    pub flaky: bool,
}

/// The questions that every server is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, IntoStaticStr, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[strum(serialize_all = "lowercase")]
pub enum Question {
    /// Is the client answered in time?
    Answers,
    /// Does the work stop at its deadline?
    Deadline,
    /// Does the work stop when its client leaves?
    Disconnect,
    /// Is no work canceled by mistake, while its client waits?
    Spared,
}

impl Question {
    /// Every question, in the order of a table.
    pub const ALL: &[Self] = &[Self::Answers, Self::Deadline, Self::Disconnect, Self::Spared];

    /// The question that the scenarios of an area answer.
    pub fn of_area(area: &str) -> Option<Self> {
        match area {
            "deadline" => Some(Self::Answers),
            "work" => Some(Self::Deadline),
            "disconnect" => Some(Self::Disconnect),
            "spared" => Some(Self::Spared),
            _ => None,
        }
    }

    /// The word in a manifest.
    pub fn word(self) -> &'static str {
        self.into()
    }

    /// The question over a column.
    pub fn heading(self) -> &'static str {
        match self {
            Self::Answers => "answered in time?",
            Self::Deadline => "stops at its deadline?",
            Self::Disconnect => "stops when its client leaves?",
            Self::Spared => "never canceled by mistake?",
        }
    }

    /// Returns the verb of the servers that pass, to follow their number.
    pub fn verb(self) -> &'static str {
        match self {
            Self::Answers => "answer in time",
            Self::Deadline => "stop at the deadline",
            Self::Disconnect => "stop whenever their client leaves",
            Self::Spared => "never cancel work whose client still waits",
        }
    }
}

/// Reads every adapter below `peers` at the repository's root, by language and name.
///
/// # Errors
/// A sentence that names the manifest and what is wrong with it.
pub fn read(root: &Path) -> Result<Vec<Adapter>, String> {
    let mut adapters = Vec::new();
    for language in folders(&root.join("peers"))? {
        for folder in folders(&language)? {
            if folder.join(FILE).is_file() {
                adapters.push(read_one(&folder)?);
            }
        }
    }
    Ok(adapters)
}

fn read_one(folder: &Path) -> Result<Adapter, String> {
    let path = folder.join(FILE);
    Adapter::parse(&files::read(&path)?, folder.to_path_buf())
        .map_err(|error| format!("`{}`: {error}", path.display()))
}

/// The folders in `folder`, sorted.
fn folders(folder: &Path) -> Result<Vec<PathBuf>, String> {
    let failed = |error| format!("failed to read `{}`: {error}", folder.display());
    let entries = std::fs::read_dir(folder).map_err(failed)?;
    let mut found: Vec<PathBuf> = entries.filter_map(Result::ok).map(|entry| entry.path()).collect();
    found.retain(|path| path.is_dir());
    found.sort();
    Ok(found)
}

#[cfg(test)]
mod tests;
