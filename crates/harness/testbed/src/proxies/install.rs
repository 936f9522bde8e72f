//! Installation of an intermediary: its parts, a check that they are there, and the ways to get them.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::{Proxy, fill};
use crate::{build, catalog, toolchains};

/// The ways to install an intermediary. A program of the system's package manager is not installed by the lab.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Install {
    /// Debian's packages; the program is on the PATH then.
    Apt(Vec<String>),
    /// PyPI's packages with their versions, into a folder of their own.
    Pip(Vec<String>),
    /// npm's packages with their versions, into a folder of their own; their install scripts do not run.
    Npm(Vec<String>),
    /// A module in Go beside the manifest, built into a folder of its own as `proxy`.
    Go(String),
    /// It is there already.
    Nothing,
}

/// Where what is not a package of the system is installed to.
pub fn folder(proxy: &Proxy, root: &Path) -> PathBuf {
    catalog::target(root).join("proxies").join(&proxy.family)
}

/// Why an intermediary cannot be had here, with the command that mends it; `None` when it is there.
pub fn missing(proxy: &Proxy, root: &Path) -> Option<String> {
    let program = fill(proxy.run.split(' ').next().unwrap_or_default(), &values(proxy, root));
    let found = toolchains::find(&program, root).is_some() && is_whole(proxy, root);
    let name = &proxy.family;
    (!found).then(|| match &proxy.install {
        Install::Apt(packages) => {
            let packages = packages.join(" ");
            format!(
                "no `{program}` on the PATH; `apt-get install --no-install-recommends {packages}` brings it"
            )
        }
        Install::Nothing => format!("no `{program}`"),
        _ => format!("not installed; `lab through {name} --install` does that"),
    })
}

/// Reports whether its own folder, if it has one, was filled to the end.
fn is_whole(proxy: &Proxy, root: &Path) -> bool {
    match proxy.install {
        Install::Apt(_) | Install::Nothing => true,
        _ => folder(proxy, root).is_dir(),
    }
}

/// Installs what the lab can install, into cargo's target folder and nowhere else; `say` hears what is done.
///
/// # Errors
/// The command that failed and the end of what it said.
pub fn install(proxy: &Proxy, root: &Path, say: impl Fn(&str)) -> Result<(), String> {
    let whole = folder(proxy, root);
    // Whatever interrupts an install leaves nothing that looks whole.
    let made = whole.with_extension("partial");
    let _ = std::fs::remove_dir_all(&made);
    let words = |words: &[&str]| words.iter().map(OsString::from).collect::<Vec<_>>();
    let failed = |error: std::io::Error| format!("failed to install `{}`: {error}", proxy.family);
    match &proxy.install {
        Install::Apt(_) | Install::Nothing => return Ok(()),
        Install::Pip(packages) => {
            say(&format!("installing {} into `{}`", packages.join(" "), whole.display()));
            let mut pip = toolchains::pip().ok_or("there is no pip to install it with")?;
            pip.extend(words(&["install", "--quiet", "--disable-pip-version-check", "--target"]));
            pip.push(made.clone().into());
            pip.extend(packages.iter().map(OsString::from));
            build::run("pip install", pip, root, &say)?;
        }
        Install::Npm(packages) => {
            say(&format!("installing {} into `{}`", packages.join(" "), whole.display()));
            std::fs::create_dir_all(&made).map_err(failed)?;
            let mut npm = words(&["npm", "install", "--silent", "--no-save", "--ignore-scripts", "--prefix"]);
            npm.push(made.clone().into());
            npm.extend(packages.iter().map(OsString::from));
            build::run("npm install", npm, root, &say)?;
        }
        Install::Go(least) => {
            let go = toolchains::go(least, root, &say)?;
            say(&format!("building {} into `{}`", proxy.family, whole.display()));
            std::fs::create_dir_all(&made).map_err(failed)?;
            let mut build: Vec<OsString> = vec![go.into()];
            build.extend(words(&["build", "-C"]));
            build.push(root.join(super::FOLDER).join(&proxy.family).into());
            build.extend(words(&["-o"]));
            build.extend([made.join("proxy").into(), OsString::from(".")]);
            build::run("go build", build, root, &say)?;
        }
    }
    let _ = std::fs::remove_dir_all(&whole);
    std::fs::rename(&made, &whole).map_err(failed)
}

/// The template words that are known before a run.
pub(super) fn values(proxy: &Proxy, root: &Path) -> Vec<(&'static str, String)> {
    vec![("install", folder(proxy, root).display().to_string())]
}

/// The first line that its version command prints.
pub fn version(proxy: &Proxy, root: &Path) -> Option<String> {
    let command = fill(proxy.version.as_deref()?, &values(proxy, root));
    let words = catalog::words(&command, root).ok()?;
    let env = proxy.env.iter().map(|(name, value)| (name, fill(value, &values(proxy, root))));
    let mut command = std::process::Command::new(&words[0]);
    let output = command.args(&words[1..]).envs(env).current_dir(root).output().ok()?;
    // Some print it to stderr.
    let text = if output.stdout.is_empty() { output.stderr } else { output.stdout };
    let text = String::from_utf8_lossy(&text).into_owned();
    let line = text.lines().map(str::trim).find(|line| !line.is_empty())?;
    // Some begin with the path that they were started by, which says nothing of the version.
    let program = words[0].to_string_lossy();
    Some(line.strip_prefix(&*program).unwrap_or(line).trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_says_what_brings_it() {
        let mut proxy = Proxy::command("no-such-program {listen}", None, &[]);
        assert_eq!(missing(&proxy, Path::new("/")).unwrap(), "no `no-such-program`");
        proxy.install = Install::Apt(vec!["some".to_owned()]);
        let why = missing(&proxy, Path::new("/")).unwrap();
        assert!(why.ends_with("`apt-get install --no-install-recommends some` brings it"), "{why}");
        proxy.run = "sh -c x".to_owned();
        assert_eq!(missing(&proxy, Path::new("/")), None);
    }
}
