//! The intermediaries that the lab knows: a folder each under `peers/proxies/`, with a manifest and configurations.
//!
//! A configuration is a template. In it, and in the command that runs it, these words stand for what a run picks:
//!
//! | word | what it stands for |
//! | --- | --- |
//! | `{listen}` | `ADDRESS:PORT` that the intermediary has to listen on |
//! | `{upstream}` | `ADDRESS:PORT` of the lab's upstream |
//! | `{second}` | `ADDRESS:PORT` of its second address, which stands for another server |
//! | `{listen_port}`, `{upstream_port}`, `{second_port}` | the ports alone; the address is `127.0.0.1` |
//! | `{config}` | the path of the first configuration, filled in |
//! | `{folder}` | a folder that is removed when the intermediary has ended |
//! | `{install}` | where [`install`] puts what no package of the system brings |
//!
//! # Layout
//! - [`Proxy`]: one intermediary as its manifest says; [`start`]: its process and the upstream behind it.
//! - [`install`]: what it needs, and how to get that.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::process::Signal;
use serde::Deserialize;

use crate::behind::Form;
use crate::capability::{Capability, Supports};

pub mod install;
pub mod start;

/// Where the folders are, under the root of the repository.
pub const FOLDER: &str = "peers/proxies";

/// The manifest's name in each folder.
const MANIFEST: &str = "proxy.toml";

/// The capabilities of an intermediary whose manifest names none.
const LEAST: &[Capability] = &[Capability::Through, Capability::ThroughRaw];

/// An intermediary, or a variant of one: the same program with another configuration.
#[derive(Debug, Clone)]
pub struct Proxy {
    /// Its name in commands and tables; a variant's is `<name>-<variant>`.
    pub name: String,
    /// A description, in one line.
    pub about: String,
    /// The setting that makes the variant, in the words of its configuration; none for the first configuration.
    pub knob: Option<String>,
    /// The name of the intermediary that it is a variant of; its own otherwise.
    pub family: String,
    /// The way to install it.
    pub install: install::Install,
    /// The command that prints its version.
    pub version: Option<String>,
    /// The command that runs it, with words to be filled in.
    pub run: String,
    /// Variables of its environment, with words to be filled in.
    pub env: BTreeMap<String, String>,
    /// Its configurations, which are filled in and written to `{folder}`; the first is `{config}`.
    pub files: Vec<PathBuf>,
    /// Its capabilities, beside `through`.
    pub supports: Supports,
    /// The form of its requests.
    pub form: Form,
    /// The signal on which it goes, after what is under way has been answered.
    pub stop: Signal,
    /// The time in which it must start.
    pub patience: Duration,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Manifest {
    name: String,
    about: String,
    install: install::Install,
    version: Option<String>,
    run: String,
    #[serde(default)]
    env: BTreeMap<String, String>,
    #[serde(default)]
    files: Vec<PathBuf>,
    #[serde(default)]
    supports: BTreeSet<Capability>,
    #[serde(default)]
    form: Form,
    #[serde(default)]
    stop: Stop,
    #[serde(default = "patience")]
    patience_s: u64,
    #[serde(default, rename = "variant")]
    variants: Vec<Variant>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Variant {
    name: String,
    about: String,
    knob: String,
    run: Option<String>,
    files: Option<Vec<PathBuf>>,
    supports: Option<BTreeSet<Capability>>,
}

/// Signals on which one intermediary or another drains.
#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
enum Stop {
    #[default]
    Term,
    Int,
    Quit,
    Usr1,
    Winch,
}

const fn patience() -> u64 {
    15
}

impl From<Stop> for Signal {
    fn from(stop: Stop) -> Self {
        match stop {
            Stop::Term => Self::TERM,
            Stop::Int => Self::INT,
            Stop::Quit => Self::QUIT,
            Stop::Usr1 => Self::USR1,
            Stop::Winch => Self::WINCH,
        }
    }
}

impl Manifest {
    /// The intermediary and its variants.
    fn proxies(self, folder: &Path) -> Vec<Proxy> {
        let files = |files: &[PathBuf]| files.iter().map(|file| folder.join(file)).collect();
        let first = Proxy {
            name: self.name.clone(),
            about: self.about,
            knob: None,
            family: self.name,
            install: self.install,
            version: self.version,
            run: self.run,
            env: self.env,
            files: files(&self.files),
            supports: supports(self.supports, self.form),
            form: self.form,
            stop: self.stop.into(),
            patience: Duration::from_secs(self.patience_s),
        };
        let variants = self.variants.into_iter().map(|variant| Proxy {
            name: format!("{}-{}", first.family, variant.name),
            about: variant.about,
            knob: Some(variant.knob),
            run: variant.run.unwrap_or_else(|| first.run.clone()),
            files: variant.files.map_or_else(|| first.files.clone(), |named| files(&named)),
            supports: variant
                .supports
                .map_or_else(|| first.supports.clone(), |all| supports(all, first.form)),
            ..first.clone()
        });
        let variants: Vec<_> = variants.collect();
        std::iter::once(first).chain(variants).collect()
    }
}

/// Returns the capabilities that a manifest names, and those that its form has anyway.
fn supports(mut words: BTreeSet<Capability>, form: Form) -> Supports {
    words.extend(LEAST.iter().filter(|word| form == Form::Plain || **word != Capability::ThroughRaw));
    Supports::Only(words)
}

impl Proxy {
    /// An intermediary that a command starts: the words of a template may stand in it. `config` is a template too.
    pub fn command(command: &str, config: Option<&Path>, words: &[Capability]) -> Self {
        Self {
            name: "run".to_owned(),
            about: "an intermediary of your own".to_owned(),
            knob: None,
            family: "run".to_owned(),
            install: install::Install::Nothing,
            version: None,
            run: command.to_owned(),
            env: BTreeMap::new(),
            files: config.map(Path::to_path_buf).into_iter().collect(),
            supports: supports(words.iter().copied().collect(), Form::Plain),
            form: Form::Plain,
            stop: Signal::TERM,
            patience: Duration::from_secs(patience()),
        }
    }
}

/// Every intermediary under `root`, each followed by its variants, in the order of the folders' names.
///
/// # Errors
/// A sentence that names the manifest and what is wrong with it.
pub fn all(root: &Path) -> Result<Vec<Proxy>, String> {
    let failed = |path: &Path, error: &dyn std::fmt::Display| format!("`{}`: {error}", path.display());
    let folder = root.join(FOLDER);
    let entries = std::fs::read_dir(&folder).map_err(|error| failed(&folder, &error))?;
    let mut manifests: Vec<PathBuf> = entries.flatten().map(|entry| entry.path().join(MANIFEST)).collect();
    manifests.retain(|manifest| manifest.is_file());
    manifests.sort();
    let mut proxies = Vec::new();
    for path in manifests {
        let text = std::fs::read_to_string(&path).map_err(|error| failed(&path, &error))?;
        let manifest: Manifest = toml::from_str(&text).map_err(|error| failed(&path, &error))?;
        proxies.extend(manifest.proxies(path.parent().unwrap_or(root)));
    }
    Ok(proxies)
}

/// The intermediaries of these names.
///
/// # Errors
/// A sentence that lists the names there are.
pub fn find(all: &[Proxy], names: &[String]) -> Result<Vec<Proxy>, String> {
    let find = |name: &String| {
        all.iter().find(|proxy| proxy.name == *name).cloned().ok_or_else(|| {
            let known: Vec<_> = all.iter().map(|proxy| proxy.name.as_str()).collect();
            format!("unknown intermediary `{name}`; the lab has: {}", known.join(", "))
        })
    };
    names.iter().map(find).collect()
}

/// Splits a command into words and puts values in the place of template words.
///
/// # Errors
/// When the quotes do not close or nothing is there.
fn words(command: &str, values: &[(&str, String)], root: &Path) -> Result<Vec<OsString>, String> {
    crate::catalog::words(&fill(command, values), root)
}

/// Puts values in the place of template words; any other braces stay as they are.
fn fill(text: &str, values: &[(&str, String)]) -> String {
    values.iter().fold(text.to_owned(), |text, (word, value)| text.replace(&format!("{{{word}}}"), value))
}

#[cfg(test)]
mod tests {
    use super::*;

    const MANIFEST: &str = r#"
        name = "one"
        about = "a proxy"
        run = "one -f {config}"
        files = ["one.conf"]
        supports = ["through:brief"]
        stop = "QUIT"
        [install]
        apt = ["one"]
        [[variant]]
        name = "heeds"
        about = "the same, told"
        knob = "`heed on`"
        files = ["heeds.conf"]
    "#;

    #[test]
    fn a_variant_is_the_same_program_with_another_configuration() {
        let manifest: Manifest = toml::from_str(MANIFEST).unwrap();
        let proxies = manifest.proxies(Path::new("/p"));
        let names: Vec<_> = proxies.iter().map(|proxy| proxy.name.as_str()).collect();
        assert_eq!(names, ["one", "one-heeds"]);
        assert_eq!(proxies[1].files, [PathBuf::from("/p/heeds.conf")]);
        assert_eq!((proxies[1].stop, proxies[1].run.as_str()), (Signal::QUIT, "one -f {config}"));
        assert!(
            proxies[1].supports.has(Capability::ThroughBrief) && proxies[1].supports.has(Capability::Through)
        );
    }

    #[test]
    fn a_misspelt_field_is_refused_and_an_unknown_name_lists_the_known_ones() {
        assert!(toml::from_str::<Manifest>(&MANIFEST.replace("knob", "nob")).is_err());
        let all = toml::from_str::<Manifest>(MANIFEST).unwrap().proxies(Path::new("/"));
        let error = find(&all, &["two".to_owned()]).unwrap_err();
        assert_eq!(error, "unknown intermediary `two`; the lab has: one, one-heeds");
    }

    #[test]
    fn only_template_words_are_filled_in() {
        let values = [("listen", "127.0.0.1:80".to_owned())];
        assert_eq!(
            fill("server { bind {listen}; {other} }", &values),
            "server { bind 127.0.0.1:80; {other} }"
        );
    }

    #[test]
    fn every_manifest_of_the_repository_is_read_and_every_configuration_is_there() {
        let proxies = all(&crate::catalog::root().unwrap()).unwrap();
        assert!(!proxies.is_empty());
        for file in proxies.iter().flat_map(|proxy| &proxy.files) {
            assert!(file.is_file(), "`{}` is named and not there", file.display());
        }
    }
}
