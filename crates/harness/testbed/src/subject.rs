//! Servers to judge: a server of the list, a command, or an address.

use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use crate::capability::{Capability, Supports};
use crate::catalog::{self, Stanza};
use crate::floor;
use crate::guard::{Launch, Stderr};
use crate::proxies::{Proxy, start};
use crate::server::{self, Ready, Server, Started};
use crate::url::Url;
use crate::witness::Witness;

mod command;

/// The most servers that a chain may have: `hops` counts the calls between them, and goes to 8.
pub const LONGEST: usize = 9;

/// The differences between two servers of one program; by default none.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Setup<'a> {
    /// Flags of the contract.
    pub flags: &'a [(&'a str, &'a str)],
    /// Variables of the environment.
    pub env: &'a [(&'a str, &'a str)],
    /// The most descriptors it may have open; `None` leaves the system's limit.
    pub descriptors: Option<u64>,
    /// The destination of its standard error.
    pub stderr: Stderr,
}

impl Setup<'_> {
    fn launch(&self, words: Vec<OsString>, folder: Option<PathBuf>) -> Launch {
        let env = self.env.iter().map(|(name, value)| (name.into(), value.into())).collect();
        let (descriptors, stderr) = (self.descriptors, self.stderr);
        Launch { words, folder, env, descriptors, stderr, ..Launch::default() }
    }
}

/// A start that need not succeed; by default nothing is asked for.
#[derive(Debug, Clone, Copy, Default)]
pub struct Trial<'a> {
    /// Arguments behind those of the run command.
    pub args: &'a [&'a OsStr],
    /// Variables of the environment.
    pub env: &'a [(&'a str, &'a OsStr)],
    /// The most threads it may have; `None` leaves the system's limit, and any other takes root to set.
    pub threads: Option<u64>,
    /// The destination of its standard error.
    pub stderr: Stderr,
}

/// Where a command runs; by default here, in our environment.
#[derive(Debug, Clone, Default)]
pub struct Home {
    /// The folder.
    pub folder: Option<PathBuf>,
    /// Variables on top of the environment, with the placeholders of a command.
    pub env: Vec<(String, String)>,
}

/// A server that can be judged.
#[derive(Debug, Clone)]
pub struct Subject {
    name: String,
    source: Source,
    supports: Supports,
}

#[derive(Debug, Clone)]
enum Source {
    /// Started with the flags of the contract.
    Listed { words: Vec<OsString>, folder: PathBuf },
    /// Started as it is: no flag can be assumed.
    Command { words: Vec<OsString>, home: Home, within: Duration },
    /// Runs already.
    Fixed(Arc<Server>),
    /// Servers of the list, each of which is to ask the next.
    Chain(Vec<Subject>),
    /// An intermediary in front of the lab's upstream.
    Through { proxy: Box<Proxy>, root: PathBuf },
}

impl Subject {
    /// A server of the list; `executable` stands in for its run command.
    ///
    /// # Errors
    /// When the run command cannot be read.
    pub fn listed(stanza: &Stanza, root: &Path, executable: Option<&Path>) -> Result<Self, String> {
        let words = match executable {
            Some(path) => vec![path.as_os_str().to_owned()],
            None => catalog::words(&stanza.run, root)?,
        };
        let source = Source::Listed { words, folder: root.to_path_buf() };
        Ok(Self { name: stanza.name.clone(), source, supports: stanza.supports.clone() })
    }

    /// An executable that takes the contract's flags.
    pub fn executable(name: &str, path: &Path, supports: Supports) -> Self {
        let folder = PathBuf::from(".");
        let source = Source::Listed { words: vec![path.as_os_str().to_owned()], folder };
        Self { name: name.to_owned(), source, supports }
    }

    /// The floor: our own executable as a server that does nothing but answer.
    ///
    /// # Errors
    /// When our executable cannot be found.
    pub fn floor() -> Result<Self, String> {
        let path =
            std::env::current_exe().map_err(|error| format!("failed to find our executable: {error}"))?;
        let source =
            Source::Listed { words: vec![path.into(), floor::WORD.into()], folder: PathBuf::from(".") };
        Ok(Self { name: floor::NAME.to_owned(), source, supports: Supports::Only([].into()) })
    }

    /// A command that starts a server of any kind; what it supports is to be probed.
    ///
    /// `{port}` in it stands for a free port: the server is ready when that accepts. Without it, the server prints
    /// `listening on http://ADDR`. `{witness}` stands for where heartbeats go; `LAB_WITNESS` always says so too. The name of
    /// a flag of the contract in braces, such as `{database}`, stands for its value; where a scenario gives none, the word
    /// that names it is left out. The start may take as long as `within`.
    ///
    /// # Errors
    /// When the command cannot be split into words.
    pub fn command(command: &str, root: &Path, within: Duration) -> Result<Self, String> {
        Self::in_home("run", command, root, Home::default(), within)
    }

    /// A command as [`Subject::command`] takes it, under a name and in a place of its own.
    ///
    /// # Errors
    /// When the command cannot be split into words.
    pub fn in_home(
        name: &str,
        command: &str,
        root: &Path,
        home: Home,
        within: Duration,
    ) -> Result<Self, String> {
        let source = Source::Command { words: catalog::words(command, root)?, home, within };
        Ok(Self { name: name.to_owned(), source, supports: Supports::Only([].into()) })
    }

    /// An intermediary, which is started in front of an upstream of its own.
    pub fn through(proxy: &Proxy, root: &Path) -> Self {
        let source = Source::Through { proxy: Box::new(proxy.clone()), root: root.to_path_buf() };
        Self { name: proxy.name.clone(), source, supports: proxy.supports.clone() }
    }

    /// A chain of these servers, from the one that is asked to the last. It supports what all of them do.
    ///
    /// # Errors
    /// When they are too few or too many for a chain, or one of them takes no flags.
    pub fn chain(links: Vec<Self>) -> Result<Self, String> {
        let most = LONGEST;
        if !(2..=most).contains(&links.len()) {
            return Err(format!("a chain has 2 to {most} servers, and this has {}", links.len()));
        }
        if let Some(odd) = links.iter().find(|link| link.is_unknown()) {
            return Err(format!(
                "`{}` is no server of the list, so it cannot be told its upstream",
                odd.name
            ));
        }
        let names: Vec<&str> = links.iter().map(Self::name).collect();
        let common =
            |need: &Capability| !need.is_beyond() && links.iter().all(|link| link.supports.has(*need));
        let common = Capability::ALL.iter().copied().filter(common).collect();
        Ok(Self { name: names.join(","), supports: Supports::Only(common), source: Source::Chain(links) })
    }

    /// A server that runs already; what it supports is to be probed.
    ///
    /// # Errors
    /// When an address cannot be read.
    pub fn at(url: &str, admin: Option<&str>) -> Result<Self, String> {
        let url = Url::server(url)?;
        let admin = admin.map(Url::server).transpose()?.map(|admin| admin.reachable());
        let server = Arc::new(Server::at(&url, admin));
        Ok(Self { name: "url".into(), source: Source::Fixed(server), supports: Supports::Only([].into()) })
    }

    /// The same subject, known to support these.
    #[must_use]
    pub fn with_supports(mut self, supports: Supports) -> Self {
        self.supports = supports;
        self
    }

    /// Its name in reports.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns the servers of a chain; none when it is no chain.
    pub fn links(&self) -> &[Self] {
        match &self.source {
            Source::Chain(links) => links,
            _ => &[],
        }
    }

    /// True when it runs already and cannot be started afresh.
    pub fn is_fixed(&self) -> bool {
        matches!(self.source, Source::Fixed(_))
    }

    /// True when what it supports is not written down anywhere.
    pub fn is_unknown(&self) -> bool {
        !matches!(self.source, Source::Listed { .. } | Source::Chain(_))
    }

    /// True when it supports this.
    pub fn supports(&self, need: Capability) -> bool {
        match need {
            Capability::Process => !self.is_fixed(),
            need => self.supports.has(need),
        }
    }

    /// Starts a server set up like this, or gives the one that runs.
    ///
    /// # Errors
    /// A sentence that says what it did instead of starting.
    pub fn start(&self, setup: Setup<'_>) -> Result<Arc<Server>, String> {
        let listen = || Witness::listen().map_err(unopened);
        match &self.source {
            Source::Fixed(server) => Ok(Arc::clone(server)),
            Source::Through { proxy, root } => start::start(proxy, root).map(Arc::new),
            // The chain itself is started by its scenarios.
            Source::Chain(links) => links.first().ok_or("a chain of no servers")?.start(setup),
            Source::Listed { words, folder } => {
                let witness = self.supports(Capability::Witness).then(listen).transpose()?;
                let mut words = with_flags(words, setup.flags);
                if let Some(witness) = &witness {
                    words.extend(["--witness".into(), witness.address().to_string().into()]);
                }
                let launch = setup.launch(words, Some(folder.clone()));
                Server::start(launch, witness, self.prints(server::START)).map(Arc::new)
            }
            Source::Command { words, home, within } => {
                let witness = listen()?;
                let launch = setup.launch(words.clone(), home.folder.clone());
                let (launch, ready) = self.filled(launch, home, setup.flags, &witness, *within)?;
                Server::start(launch, Some(witness), ready).map(Arc::new)
            }
        }
    }
}

impl Subject {
    /// Starts one more server, and waits until it serves or has ended.
    ///
    /// # Errors
    /// A sentence that says what it did instead.
    pub fn try_start(&self, trial: &Trial<'_>, within: Duration) -> Result<Started, String> {
        let env = trial.env.iter().map(|(name, value)| (name.into(), value.into())).collect();
        let launch = Launch { env, threads: trial.threads, stderr: trial.stderr, ..Launch::default() };
        match &self.source {
            Source::Listed { words, folder } => {
                let words = words.iter().cloned().chain(trial.args.iter().map(Into::into)).collect();
                let launch = Launch { words, folder: Some(folder.clone()), ..launch };
                Server::try_start(launch, None, self.prints(within))
            }
            Source::Command { words, home, within } => {
                let witness = Witness::listen().map_err(unopened)?;
                let launch = Launch { words: words.clone(), folder: home.folder.clone(), ..launch };
                let flags = command::pairs(trial.args)?;
                let (launch, ready) = self.filled(launch, home, &flags, &witness, *within)?;
                Server::try_start(launch, Some(witness), ready)
            }
            _ => Err("only a server that the lab starts by itself takes flags".into()),
        }
    }

    /// Returns the flags of the contract that its command names, which are those that it takes; of a server of the list
    /// none, because the list says what that takes.
    pub fn named_flags(&self) -> BTreeSet<Capability> {
        match &self.source {
            Source::Command { words, home, .. } => command::flags(words, &home.env),
            _ => BTreeSet::new(),
        }
    }

    /// Returns the first flag of these arguments that its command does not name; of a server that is no command, none.
    pub fn lacks_flag<'a>(&self, args: &[&'a OsStr]) -> Option<&'a OsStr> {
        let named = matches!(self.source, Source::Command { .. }).then(|| self.named_flags())?;
        let is_named =
            |arg: &OsStr| arg.to_str().and_then(Capability::flag).is_some_and(|flag| named.contains(&flag));
        args.iter().copied().step_by(2).find(|arg| !is_named(arg))
    }

    /// Fills in the placeholders of a command, and says when it is ready.
    fn filled(
        &self,
        mut launch: Launch,
        home: &Home,
        flags: &[(&str, &str)],
        witness: &Witness,
        within: Duration,
    ) -> Result<(Launch, Ready), String> {
        let filled = command::fill(&launch.words, &home.env, flags, witness.address())?;
        launch.words = filled.words;
        launch.env.extend(filled.env);
        // The contract's other way to say it: a server that knows no witness ignores the variable.
        launch.env.push(("LAB_WITNESS".into(), witness.address().to_string().into()));
        Ok((launch, Ready { port: filled.port, with_admin: self.supports(Capability::Admin), within }))
    }

    /// The way in which a server of the list says that it is ready: it prints where it listens.
    fn prints(&self, within: Duration) -> Ready {
        Ready { port: None, with_admin: self.supports(Capability::Admin), within }
    }
}

fn unopened(error: std::io::Error) -> String {
    format!("failed to open a socket for heartbeats: {error}")
}

fn with_flags(words: &[OsString], flags: &[(&str, &str)]) -> Vec<OsString> {
    let mut words = words.to_vec();
    for (name, value) in flags {
        words.extend([name.into(), value.into()]);
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chain_supports_what_all_of_its_links_do() {
        let link = |name: &str, supports| Subject::executable(name, Path::new("/x"), supports);
        let less = Supports::Only([Capability::Witness, Capability::BeyondGoroutineleak].into());
        let chain = Subject::chain(vec![link("one", Supports::All), link("two", less)]).unwrap();
        assert_eq!((chain.name(), chain.links().len()), ("one,two", 2));
        assert!(chain.supports(Capability::Witness) && !chain.supports(Capability::Admin));
        assert!(!chain.supports(Capability::BeyondGoroutineleak));
    }

    #[test]
    fn a_chain_of_one_or_with_a_server_that_takes_no_flags_is_refused() {
        let link = || Subject::executable("one", Path::new("/x"), Supports::All);
        assert_eq!(Subject::chain(vec![link()]).unwrap_err(), "a chain has 2 to 9 servers, and this has 1");
        let own = Subject::at("http://127.0.0.1:9", None).unwrap();
        assert!(Subject::chain(vec![link(), own]).unwrap_err().starts_with("`url` is no server of the list"));
    }
}
