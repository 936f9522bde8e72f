//! Where an adapter is installed and run: a copy of its folder in `target/gallery`, with its packages in it and nowhere else.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::{Adapter, Variant};
use crate::subject::{Home, Subject};
use crate::{build, catalog, files, toolchains};

/// The folder in cargo's target folder.
const FOLDER: &str = "gallery";
/// The file that holds the locks of what is installed.
const INSTALLED: &str = ".installed";
/// The time in which a server must accept: an interpreter that loads a framework is slow on a busy machine.
const START: Duration = Duration::from_secs(30);

/// The packages that may be fetched.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Fetch {
    /// Packages of pip, npm and cargo, into `target/gallery`.
    pub packages: bool,
    /// Debian's packages, into the system.
    pub apt: bool,
}

impl Adapter {
    /// The folder in which it is installed and run.
    pub fn home(&self, root: &Path) -> PathBuf {
        let language = self.folder.parent().and_then(Path::file_name).unwrap_or(OsStr::new("other"));
        catalog::target(root).join(FOLDER).join(language).join(&self.name)
    }

    /// Copies the adapter to its home and fetches what it needs there; `say` is told of each step before it is taken.
    ///
    /// What was fetched before with the same locks is not fetched again.
    ///
    /// # Errors
    /// Why it cannot be had: a program that is missing, a package that may not be fetched, or a step that failed.
    pub fn install(&self, root: &Path, fetch: Fetch, say: &dyn Fn(&str)) -> Result<(), String> {
        if let Some(why) = self.lacking(root, fetch, say) {
            return Err(why);
        }
        self.copy(root)?;
        self.debian(fetch, say)?;
        let locks = self.locks()?;
        let marker = self.home(root).join(INSTALLED);
        if !locks.is_empty() && std::fs::read_to_string(&marker).is_ok_and(|text| text == locks) {
            return self.build(root, say);
        }
        for (what, words) in self.packages() {
            if !fetch.packages {
                return Err(format!("its packages are not installed; `--install` does `{what}`"));
            }
            say(&format!("{}: `{what}` in `{}`", self.name, self.home(root).display()));
            self.run(&what, words, root)?;
        }
        self.build(root, say)?;
        files::write(&marker, locks)
    }

    /// One of its servers, started in its home.
    ///
    /// # Errors
    /// When the run command cannot be read.
    pub fn subject(&self, variant: &Variant, root: &Path) -> Result<Subject, String> {
        let home = Home { folder: Some(self.home(root)), env: self.environment(root) };
        let name = format!("{}/{}", self.name, variant.name);
        Subject::in_home(&name, &variant.run, root, home, START)
    }

    /// Why a program that it needs is missing; Go is installed where that may be done.
    fn lacking(&self, root: &Path, fetch: Fetch, say: &dyn Fn(&str)) -> Option<String> {
        let lacking = toolchains::lacking(&self.needs, root)?;
        let may = fetch.packages && self.needs.iter().any(|need| need.starts_with("go"));
        match may.then(|| toolchains::install_go(root, say)) {
            None => Some(lacking),
            Some(Err(error)) => Some(format!("{lacking}; {error}")),
            Some(Ok(())) => toolchains::lacking(&self.needs, root),
        }
    }

    /// The variables of every build and run.
    fn environment(&self, root: &Path) -> Vec<(String, String)> {
        let home = self.home(root);
        let before = [home.join(".venv/bin"), home.join("node_modules/.bin")];
        let path = std::env::var_os("PATH").unwrap_or_default();
        let path = std::env::join_paths(before.into_iter().chain(std::env::split_paths(&path)));
        let path = path.unwrap_or_default().to_string_lossy().into_owned();
        self.env.clone().into_iter().chain([("PATH".to_owned(), path)]).collect()
    }

    /// Copies the language's shared files and the adapter's folder to where it runs.
    fn copy(&self, root: &Path) -> Result<(), String> {
        let home = self.home(root);
        let shared = self.folder.parent().zip(home.parent());
        for (from, to) in shared.into_iter().chain([(self.folder.as_path(), home.as_path())]) {
            copy_files(from, to).map_err(|error| format!("failed to copy `{}`: {error}", from.display()))?;
        }
        Ok(())
    }

    /// Sees to Debian's packages.
    fn debian(&self, fetch: Fetch, say: &dyn Fn(&str)) -> Result<(), String> {
        let names = self.install.apt.iter().map(|package| package.split('=').next().unwrap_or(package));
        let missing: Vec<&str> = names.filter(|name| !is_installed(name)).collect();
        if missing.is_empty() {
            return Ok(());
        }
        let what = format!("apt-get install {}", missing.join(" "));
        if !fetch.apt {
            return Err(format!("Debian's packages are missing; `--apt` does `{what}`"));
        }
        say(&format!("{}: `{what}`, into the system", self.name));
        let words = ["apt-get", "install", "--yes", "--no-install-recommends"].into_iter().chain(missing);
        build::run(&what, words.map(OsString::from).collect(), Path::new("/"), |_| {})
    }

    /// The text of its locks, which says what is installed.
    fn locks(&self) -> Result<String, String> {
        let locks = [&self.install.pip, &self.install.npm, &self.install.cargo];
        let read = |file: &String| files::read(&self.folder.join(file));
        locks.into_iter().flatten().map(read).collect()
    }

    /// The commands that fetch its packages, each as shown and as run.
    fn packages(&self) -> Vec<(String, Vec<OsString>)> {
        let mut commands = Vec::new();
        let mut add = |command: String| {
            let words = command.split(' ').map(OsString::from).collect();
            commands.push((command, words));
        };
        if let Some(file) = &self.install.pip {
            add("python3 -m venv .venv".to_owned());
            let flags = "--quiet --disable-pip-version-check --require-hashes --only-binary=:all:";
            add(format!(".venv/bin/pip install {flags} --requirement {file}"));
        }
        if self.install.npm.is_some() {
            add("npm ci --ignore-scripts --no-audit --no-fund".to_owned());
        }
        if self.install.cargo.is_some() {
            add("cargo fetch --locked".to_owned());
        }
        commands
    }

    /// Builds it from what is there.
    fn build(&self, root: &Path, say: &dyn Fn(&str)) -> Result<(), String> {
        let cargo = self.install.cargo.as_ref().map(|_| {
            // The lock was fetched before: a build fetches nothing.
            "cargo build --release --locked --offline --quiet --target-dir ../target".to_owned()
        });
        for command in cargo.into_iter().chain(self.install.build.iter().cloned()) {
            say(&format!("{}: `{command}`", self.name));
            self.run(&command, catalog::words(&command, root)?, root)?;
        }
        Ok(())
    }

    fn run(&self, what: &str, words: Vec<OsString>, root: &Path) -> Result<(), String> {
        let env = self.environment(root).into_iter().map(|(name, value)| (name.into(), value.into()));
        build::run_with(what, words, &self.home(root), env.collect(), |_| {})
    }
}

/// True for a package of Debian's that is installed.
fn is_installed(package: &str) -> bool {
    let show = format!("dpkg-query --show --showformat=${{db:Status-Abbrev}} {package}");
    toolchains::first_line(&show, Path::new("/")).is_some_and(|status| status.starts_with("ii"))
}

/// Copies the files of a folder, and no folder in it, to another; what has not changed keeps its time, for builds.
fn copy_files(from: &Path, to: &Path) -> std::io::Result<()> {
    std::fs::create_dir_all(to)?;
    for entry in std::fs::read_dir(from)? {
        let path = entry?.path();
        let Some(name) = path.file_name().filter(|_| path.is_file()) else { continue };
        let (fresh, target) = (std::fs::read(&path)?, to.join(name));
        if std::fs::read(&target).map_or(true, |old| old != fresh) {
            std::fs::copy(&path, &target)?;
        }
    }
    Ok(())
}
