//! Compares the public API of each published crate with the file `api.txt` beside its manifest.
//!
//! `cargo run -p api` fails on a difference, and names its lines; `cargo run -p api -- --refresh` writes the files anew.
//! A changed line is a change for users: it wants a line in the crate's `CHANGELOG.md`, and a removed one a new version.
//!
//! The API is read from rustdoc's JSON, which stable rustdoc writes only with `RUSTC_BOOTSTRAP`. That variable is set for
//! rustdoc alone, by this program in its place: cargo would compile half of the dependencies anew with it.

use std::collections::BTreeSet;
use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::{env, fs};

use serde::Deserialize;

/// Names the rustdoc in whose place this program is started.
const RUSTDOC: &str = "API_RUSTDOC";
/// The file beside a manifest.
const FILE: &str = "api.txt";

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
    target_directory: PathBuf,
}

#[derive(Deserialize)]
struct Package {
    name: String,
    manifest_path: PathBuf,
    /// The registries that it may be published to; `None` for all.
    publish: Option<Vec<String>>,
    targets: Vec<Target>,
}

#[derive(Deserialize)]
struct Target {
    name: String,
    kind: Vec<String>,
}

impl Package {
    /// Returns the name of its library as code writes it.
    fn library(&self) -> Option<String> {
        let library = self.targets.iter().find(|target| target.kind.iter().any(|kind| kind == "lib"))?;
        Some(library.name.replace('-', "_"))
    }
}

fn main() -> ExitCode {
    let args: Vec<_> = env::args_os().skip(1).collect();
    if let Some(rustdoc) = env::var_os(RUSTDOC) {
        let status = Command::new(rustdoc).args(args).env("RUSTC_BOOTSTRAP", "1").status();
        return if status.is_ok_and(|status| status.success()) {
            ExitCode::SUCCESS
        } else {
            ExitCode::FAILURE
        };
    }
    let refresh = match args.as_slice() {
        [] => false,
        [word] if word == "--refresh" => true,
        _ => {
            eprintln!("usage: cargo run -p api [-- --refresh]");
            return ExitCode::from(2);
        }
    };
    match run(refresh) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => {
            eprintln!(
                "the public API has changed: if that is meant, `cargo run -p api -- --refresh` writes it"
            );
            ExitCode::FAILURE
        }
        Err(error) => {
            eprintln!("failed to read the public API: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Compares or writes the file of each published crate; tells whether all are as they were.
fn run(refresh: bool) -> Result<bool, Box<dyn Error>> {
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output =
        Command::new(&cargo).args(["metadata", "--no-deps", "--locked", "--format-version=1"]).output()?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into());
    }
    let Metadata { packages, target_directory } = serde_json::from_slice(&output.stdout)?;
    let published: Vec<_> = packages.iter().filter(|package| package.publish.is_none()).collect();
    document(Command::new(cargo), &published)?;
    let mut same = true;
    for package in published {
        let library = package.library().ok_or_else(|| format!("`{}` has no library", package.name))?;
        let json = target_directory.join("doc").join(library).with_extension("json");
        let api = public_api::Builder::from_rustdoc_json(json).omit_blanket_impls(true).build()?.to_string();
        let file = package.manifest_path.with_file_name(FILE);
        if refresh {
            fs::write(file, api)?;
        } else {
            same &= is_same(&package.name, &file, &api);
        }
    }
    Ok(same)
}

/// Writes rustdoc's JSON of `packages` into the target folder.
fn document(mut cargo: Command, packages: &[&Package]) -> Result<(), Box<dyn Error>> {
    let rustdoc = env::var_os("RUSTDOC").unwrap_or_else(|| "rustdoc".into());
    cargo.args(["doc", "--quiet", "--locked", "--no-deps", "--lib"]);
    cargo.args(packages.iter().flat_map(|package| ["--package", &package.name]));
    cargo.env(RUSTDOC, rustdoc).env("RUSTDOC", env::current_exe()?);
    cargo.env("RUSTDOCFLAGS", "-Z unstable-options --output-format json --cap-lints allow");
    if cargo.status()?.success() { Ok(()) } else { Err("rustdoc failed".into()) }
}

/// Compares an API with its file, line by line, and prints what differs.
fn is_same(name: &str, file: &Path, api: &str) -> bool {
    let kept = fs::read_to_string(file).unwrap_or_default();
    if kept == api {
        return true;
    }
    let (old, new): (BTreeSet<_>, BTreeSet<_>) = (kept.lines().collect(), api.lines().collect());
    println!("{name} ({}):", file.display());
    old.difference(&new).for_each(|line| println!("- {line}"));
    new.difference(&old).for_each(|line| println!("+ {line}"));
    false
}
