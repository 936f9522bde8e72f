//! The server list, `servers.toml`: how each server is built and run, and what it supports.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::capability::{Capability, Supports};
pub use crate::command::{target, words};
use crate::{command, files};

/// The file's name, at the root of the repository.
pub const FILE: &str = "servers.toml";

/// Every server of the list, in its order.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Catalog {
    /// The servers.
    #[serde(rename = "server")]
    pub servers: Vec<Stanza>,
}

/// One server of the list.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stanza {
    /// Its name in commands and tables.
    pub name: String,
    /// A description, in one line.
    pub about: String,
    /// The command that builds it; none for a script.
    pub build: Option<String>,
    /// The command that runs it.
    pub run: String,
    /// The command that prints its version.
    pub version: Option<String>,
    /// Programs that must be on the PATH (`go`), and the least version of them (`go>=1.25`); without them the server
    /// is absent.
    #[serde(default)]
    pub needs: Vec<String>,
    /// The server's capabilities.
    pub supports: Supports,
    /// The capabilities that it has where more is installed.
    pub with: Option<Extra>,
    /// The reason why it lacks those here; set by [`Catalog::read`].
    #[serde(skip)]
    pub without: Option<String>,
    /// True for a server that stands beside the lab's own for comparison.
    #[serde(default)]
    pub peer: bool,
}

/// Capabilities of a server that need more than the server does, such as a driver for a database.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Extra {
    /// Files that must be there.
    pub needs: Vec<String>,
    /// The command that installs them.
    pub install: String,
    /// The command that builds it with them; the server's own where there is none.
    pub build: Option<String>,
    /// The command that runs it with them; the server's own where there is none.
    pub run: Option<String>,
    /// The capabilities.
    pub supports: BTreeSet<Capability>,
}

impl Stanza {
    /// True when the server has the capability here, or would have it with all that it can use installed.
    pub fn can(&self, need: Capability) -> bool {
        self.supports.has(need) || self.with.as_ref().is_some_and(|with| with.supports.contains(&need))
    }

    /// Adds what the server has where more is installed, or notes why it lacks that.
    fn extend(&mut self, root: &Path) {
        let Some(with) = &self.with else { return };
        self.without = with.needs.iter().find_map(|need| command::absent(need, root)).map(|why| {
            let words: Vec<_> = with.supports.iter().map(|one| one.word()).collect();
            format!("no {}: {why}; `{}` installs it", words.join(", "), with.install)
        });
        if self.without.is_some() {
            return;
        }
        self.supports.add(&with.supports);
        self.build = with.build.clone().or_else(|| self.build.take());
        self.run = with.run.clone().unwrap_or_else(|| std::mem::take(&mut self.run));
    }
}

impl Catalog {
    /// Reads the list at `root`; each server has what it has with all that is installed here.
    ///
    /// # Errors
    /// A sentence that names the file and what is wrong with it.
    pub fn read(root: &Path) -> Result<Self, String> {
        let path = root.join(FILE);
        let mut catalog =
            Self::parse(&files::read(&path)?).map_err(|error| format!("`{}`: {error}", path.display()))?;
        catalog.servers.iter_mut().for_each(|server| server.extend(root));
        Ok(catalog)
    }

    /// Parses the list.
    ///
    /// # Errors
    /// When it is no such list.
    pub fn parse(text: &str) -> Result<Self, String> {
        toml::from_str(text).map_err(|error| error.to_string())
    }

    /// The server of that name.
    ///
    /// # Errors
    /// A sentence that lists the names there are.
    pub fn find(&self, name: &str) -> Result<&Stanza, String> {
        self.servers.iter().find(|server| server.name == name).ok_or_else(|| {
            let names: Vec<_> = self.servers.iter().map(|server| server.name.as_str()).collect();
            format!("unknown server `{name}`; the list has: {}", names.join(", "))
        })
    }
}

/// The root of the repository, or the current folder: a server of the user's own needs no repository.
pub fn root_or_here() -> PathBuf {
    root().unwrap_or_else(|_| PathBuf::from("."))
}

/// The root of the repository: the nearest folder upwards with a server list.
///
/// # Errors
/// When there is none, with what to do about it.
pub fn root() -> Result<PathBuf, String> {
    let here =
        std::env::current_dir().map_err(|error| format!("failed to find the current folder: {error}"))?;
    let upwards = here.ancestors().find(|folder| folder.join(FILE).is_file()).map(Path::to_path_buf);
    // A test binary or an installed command may run anywhere; the sources it was built from are the next guess.
    let built = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(3).map(Path::to_path_buf);
    upwards
        .or_else(|| built.filter(|folder| folder.join(FILE).is_file()))
        .ok_or_else(|| format!("no `{FILE}` here or above; run this inside the repository"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::capability::Capability;

    const LIST: &str = r#"
        [[server]]
        name = "one"
        about = "the whole contract"
        build = "cargo build"
        run = "target/release/one --flag 'a b'"
        supports = "all"

        [[server]]
        name = "two"
        about = "less"
        run = "python3 two.py"
        needs = ["sh", "no-such-program-anywhere"]
        supports = ["admin", "style:context"]
    "#;

    #[test]
    fn a_server_supports_all_or_what_it_lists() {
        let catalog = Catalog::parse(LIST).unwrap();
        assert!(catalog.find("one").unwrap().supports.has(Capability::Witness));
        let two = &catalog.find("two").unwrap().supports;
        assert!(two.has(Capability::StyleContext) && !two.has(Capability::Witness));
    }

    #[test]
    fn an_unknown_capability_is_refused_with_its_line_and_the_nearest_word() {
        let error = Catalog::parse(&LIST.replace("style:context", "style:contxt")).unwrap_err();
        assert!(error.contains("line 14"), "{error}");
        assert!(
            error.contains("unknown capability `style:contxt`; the nearest is `style:context`"),
            "{error}"
        );
        let error = Catalog::parse(&LIST.replace("\"all\"", "\"al\"")).unwrap_err();
        assert!(error.contains("unknown capability `al`"), "{error}");
    }

    #[test]
    fn what_a_server_has_with_more_installed_is_added_or_said_to_be_missing() {
        let with = "\n[server.with]\ninstall = \"sh get.sh\"\nrun = \"two --driver\"\nsupports = [\"style:query\"]\n";
        let two = |needs: &str| {
            let list = format!("{LIST}{with}needs = [\"{needs}\"]\n");
            let mut two = Catalog::parse(&list).unwrap().find("two").unwrap().clone();
            two.extend(Path::new("/"));
            two
        };
        let there = two("/proc/self");
        assert!(there.supports.has(Capability::StyleQuery) && there.run == "two --driver");
        assert_eq!(there.without, None);
        let lacking = two("/no/such/driver");
        assert!(!lacking.supports.has(Capability::StyleQuery) && lacking.can(Capability::StyleQuery));
        assert_eq!(lacking.run, "python3 two.py");
        assert_eq!(
            lacking.without.unwrap(),
            "no style:query: `/no/such/driver` is not there; `sh get.sh` installs it"
        );
    }

    /// Returns an executable that two servers build by different commands: who is built last is what both run.
    fn built_twice(catalog: &Catalog) -> Option<String> {
        let mut built = std::collections::BTreeMap::new();
        let all = catalog.servers.iter().flat_map(|server| {
            let extra = server.with.as_ref().map(|with| {
                (with.build.as_ref().or(server.build.as_ref()), with.run.as_ref().unwrap_or(&server.run))
            });
            [Some((server.build.as_ref(), &server.run)), extra].into_iter().flatten()
        });
        all.filter_map(|(build, run)| Some((build?, run.split(' ').next()?)))
            .find(|(build, executable)| *built.entry(*executable).or_insert(*build) != *build)
            .map(|(_, executable)| executable.to_owned())
    }

    #[test]
    fn no_two_commands_build_the_same_executable() {
        let catalog = Catalog::read(&root().unwrap()).unwrap();
        let plain = Catalog::parse(&std::fs::read_to_string(root().unwrap().join(FILE)).unwrap()).unwrap();
        assert_eq!((built_twice(&catalog), built_twice(&plain)), (None, None));
        let twice = LIST.replace(
            "run = \"python3 two.py\"",
            "build = \"cargo build --features x\"\nrun = \"target/release/one\"",
        );
        assert_eq!(built_twice(&Catalog::parse(&twice).unwrap()).unwrap(), "target/release/one");
    }

    #[test]
    fn an_unknown_name_lists_the_known_ones() {
        let error = Catalog::parse(LIST).unwrap().find("three").unwrap_err();
        assert_eq!(error, "unknown server `three`; the list has: one, two");
    }

    #[test]
    fn a_misspelt_field_is_refused() {
        assert!(Catalog::parse("[[server]]\nname = 'x'\nabuot = 'y'\nrun = 'z'\nsupports = 'all'").is_err());
    }

    #[test]
    fn words_keep_quotes_together() {
        let words = words("sh -c 'a b'", Path::new("/root")).unwrap();
        assert_eq!(words, ["sh", "-c", "a b"]);
        assert!(super::words("'", Path::new("/")).is_err());
    }
}
