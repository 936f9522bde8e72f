//! The sources that are built, and what their documentation says.

use std::collections::HashMap;
use std::path::PathBuf;
use std::process::Command;
use std::{env, fs, io};

use serde_json::Value;

use crate::case::{Case, Claim};

/// A package as it is built here.
#[derive(Clone, Debug)]
pub struct Package {
    /// Its version.
    pub version: String,
    /// The folder of its sources.
    pub root: PathBuf,
}

/// Asks cargo for the packages that this crate is built with on this platform, by name.
///
/// # Errors
///
/// When cargo or rustc cannot be run or says what cannot be read.
pub fn packages() -> io::Result<HashMap<String, Package>> {
    // The packages of other platforms need not be there, and are not asked for.
    let version = output("RUSTC", "rustc", &["-vV"])?;
    let host = version.lines().find_map(|line| line.strip_prefix("host: "));
    let host = host.ok_or_else(|| io::Error::other("rustc does not name its host"))?;
    let arguments = ["metadata", "--format-version", "1", "--locked", "--offline", "--filter-platform", host];
    let metadata: Value = serde_json::from_str(&output("CARGO", "cargo", &arguments)?)?;
    Ok(direct(&metadata))
}

/// Runs the program that `variable` names, or else `program`, and returns what it prints.
fn output(variable: &str, program: &str, arguments: &[&str]) -> io::Result<String> {
    let program = env::var_os(variable).unwrap_or_else(|| program.into());
    let output = Command::new(program).args(arguments).current_dir(env!("CARGO_MANIFEST_DIR")).output()?;
    if !output.status.success() {
        return Err(io::Error::other(String::from_utf8_lossy(&output.stderr).into_owned()));
    }
    String::from_utf8(output.stdout).map_err(io::Error::other)
}

/// Picks the packages that this crate itself depends on: of some there is an older version elsewhere in the workspace.
fn direct(metadata: &Value) -> HashMap<String, Package> {
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let nodes = list(&metadata["resolve"]["nodes"]);
    let own = nodes.iter().find(|node| text(&node["id"]).contains("/cancel-safety#"));
    let wanted: Vec<String> =
        own.map(|own| list(&own["dependencies"]).iter().map(text).collect()).unwrap_or_default();
    // What is documented in a part is re-exported by the whole.
    let parts: Vec<String> = nodes
        .iter()
        .filter(|node| wanted.contains(&text(&node["id"])) && text(&node["id"]).contains("#futures@"))
        .flat_map(|node| list(&node["dependencies"]).iter().map(text).collect::<Vec<_>>())
        .collect();
    list(&metadata["packages"])
        .iter()
        .filter(|package| wanted.contains(&text(&package["id"])) || parts.contains(&text(&package["id"])))
        .map(|package| {
            let manifest = PathBuf::from(text(&package["manifest_path"]));
            let root = manifest.parent().map(PathBuf::from).unwrap_or_default();
            (text(&package["name"]), Package { version: text(&package["version"]), root })
        })
        .collect()
}

/// The ways in which documentation says that something is safe, in lower case.
const SAFE: [&str; 7] = [
    "is cancel safe",
    "are cancel safe",
    "is cancellation safe",
    "only cancel safe if",
    "cancel-safe as long as",
    "called again",
    "been [advanced]",
];

impl Case {
    /// Holds the recorded claim to the documentation in the source.
    ///
    /// # Errors
    ///
    /// Says what the source says instead, or that the item is not there.
    pub fn verify_claim(&self, packages: &HashMap<String, Package>) -> Result<(), String> {
        let documentation = self.documentation(packages)?;
        let says = |texts: &[&str]| texts.iter().any(|text| documentation.contains(text));
        let mentions = says(&["cancel safe", "cancellation safe", "cancel-safe"]);
        let denies = says(&["not cancel safe", "not cancellation safe", "select!` are not correct"]);
        let right = match self.claim {
            Claim::Safe => !denies && says(&SAFE),
            Claim::NotSafe => denies,
            Claim::DropsItsArgument => says(&["will be lost", "itself is lost"]),
            Claim::LosesItsPlace => says(&["lose your place"]),
            Claim::Nothing => !mentions,
        };
        if right {
            Ok(())
        } else {
            Err(format!("recorded as `{}`, but it says: {documentation}", self.claim.text()))
        }
    }

    /// Returns the documentation of the item, on one line and in lower case.
    fn documentation(&self, packages: &HashMap<String, Package>) -> Result<String, String> {
        let (package, file) = self.source.file.split_once('/').unwrap_or_default();
        let package = packages.get(package).ok_or_else(|| format!("no package `{package}`"))?;
        let path = package.root.join(file);
        let source = fs::read_to_string(&path)
            .map_err(|error| format!("failed to read `{}`: {error}", path.display()))?;
        let lines: Vec<&str> = source.lines().map(str::trim).collect();
        let comments: Vec<&str> = if self.source.before.is_empty() {
            lines.iter().filter_map(|line| line.strip_prefix("//!")).collect()
        } else {
            let item = lines.iter().position(|line| line.starts_with(self.source.before));
            let item =
                item.ok_or_else(|| format!("no line of `{file}` starts with `{}`", self.source.before))?;
            let above = lines[..item].iter().rev();
            let mut comments: Vec<&str> = above
                .take_while(|line| {
                    !line.is_empty() && !line.ends_with([';', '}', '{']) || line.starts_with("//")
                })
                .filter_map(|line| line.strip_prefix("///"))
                .collect();
            comments.reverse();
            comments
        };
        Ok(comments.join(" ").split_whitespace().collect::<Vec<_>>().join(" ").to_lowercase())
    }
}
