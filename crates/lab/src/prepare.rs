//! A server on its way to a run: one of the list built, started once, and with its known deviations; any other probed.

use std::collections::BTreeSet;
use std::net::TcpStream;
use std::path::Path;
use std::time::Duration;

use suite::document::{Document, Row, Server, Status};
use suite::expect::Expectations;
use suite::reach;
use suite::verdict::Verdict;
use testbed::build;
use testbed::capability::{Capability, Supports};
use testbed::catalog::Stanza;
use testbed::machine::Binary;
use testbed::noise::Noise;
use testbed::postgres;
use testbed::subject::{Setup, Subject};
use testbed::toolchains;

use crate::progress::{say, tell};

/// The id of the row that stands for a server that cannot be run.
const WHOLE: &str = "server/start";

/// The time in which an address must accept before it counts as nobody's.
const REACH: Duration = Duration::from_secs(5);

/// A server that can be started.
pub(crate) struct Ready {
    pub(crate) subject: Subject,
    pub(crate) expectations: Expectations,
    /// The reason why the areas of `/slow` need not be tried.
    pub(crate) unanswered: Option<String>,
}

impl Ready {
    /// A server of which this much is known, and which may be asked anything.
    pub(crate) fn new(subject: Subject, expectations: Expectations) -> Self {
        Self { subject, expectations, unanswered: None }
    }
}

/// Returns the server that a command of the user's starts in the current folder.
pub(crate) fn own(command: &str, within: Duration) -> Result<Subject, String> {
    let here =
        std::env::current_dir().map_err(|error| format!("failed to find the current folder: {error}"))?;
    Subject::command(command, &here, within)
}

/// Measures the noise of the machine, and says it.
pub(crate) fn noise() -> Noise {
    let noise = Noise::measure(300);
    say(&format!("noise floor: {noise}"));
    noise
}

/// Returns a server of the list, built unless that is not wanted; `hear` is given the lines of the build.
///
/// # Errors
/// Why it cannot be had here, or what its build said.
pub(crate) fn listed(
    stanza: &Stanza,
    root: &Path,
    no_build: bool,
    hear: impl Fn(&str),
) -> Result<Subject, String> {
    if let Some(why) = toolchains::missing(stanza, root) {
        return Err(format!("{} is absent: {why}", stanza.name));
    }
    built(stanza, root, no_build, hear)
}

/// Builds a server that can be had here, unless that is not wanted.
pub(crate) fn built(
    stanza: &Stanza,
    root: &Path,
    no_build: bool,
    hear: impl Fn(&str),
) -> Result<Subject, String> {
    if !no_build && stanza.build.is_some() {
        say(&format!("{}: building", stanza.name));
        build::build(stanza, root, hear)?;
    }
    Subject::listed(stanza, root, None)
}

/// Builds a server and starts it once; notes what keeps it from being run. `absent` is why it cannot be had here.
pub(crate) fn prepare(
    stanza: &Stanza,
    root: &Path,
    absent: Option<String>,
    no_build: bool,
) -> (Server, Option<Ready>) {
    let mut server = Server::from(stanza);
    if let Some(why) = absent {
        return (server.not_run(Status::Absent, why), None);
    }
    let ready = started(stanza, root, no_build);
    if ready.is_ok() {
        server.version = toolchains::version(stanza, root);
        // A program found on the PATH has no file of ours to hash.
        server.binary = Binary::of(stanza, root).ok();
    }
    outcome(server, ready)
}

fn started(stanza: &Stanza, root: &Path, no_build: bool) -> Result<Ready, String> {
    let subject = built(stanza, root, no_build, tell)?;
    // A run that fails on the very first start has one error, not a hundred.
    drop(subject.start(Setup::default())?);
    Ok(Ready::new(subject, Expectations::read(root, &stanza.name)?))
}

/// Returns a server that is ready, or that could not be run.
pub(crate) fn outcome(server: Server, ready: Result<Ready, String>) -> (Server, Option<Ready>) {
    match ready {
        Ok(ready) => (server, Some(ready)),
        Err(why) => (server.not_run(Status::Error, why), None),
    }
}

/// Finds out what an unknown server supports.
pub(crate) fn probed(subject: &Subject) -> (Server, Option<Ready>) {
    outcome(Server::new(subject.name(), "not of the list"), probe(subject))
}

fn probe(subject: &Subject) -> Result<Ready, String> {
    let named = subject.named_flags();
    let values = values(&named);
    let flags: Vec<_> = values.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let server = subject.start(Setup { flags: &flags, ..Setup::default() })?;
    TcpStream::connect_timeout(&server.address(), REACH)
        .map_err(|error| format!("nothing answers at http://{}: {error}", server.address()))
        .map_err(|error| server.died().unwrap_or(error))?;
    reach::fast(&server)?;
    let unanswered = reach::slow(&server);
    if let Some(why) = &unanswered {
        say(&format!("{}: {why}; what is about /slow is not tried", subject.name()));
    }
    // Most of its questions are for /slow.
    let mut found = if unanswered.is_none() { suite::probe::supports(&server) } else { BTreeSet::new() };
    found.extend(named);
    let list: Vec<_> = found.iter().map(|one| one.word()).collect();
    say(&format!(
        "{}: supports {}",
        subject.name(),
        if list.is_empty() { "the least".into() } else { list.join(", ") }
    ));
    let subject = subject.clone().with_supports(Supports::Only(found));
    Ok(Ready { unanswered, ..Ready::new(subject, Expectations::default()) })
}

/// Returns the values of the flags without which a style is refused, so that the probe finds the style: a database, and
/// an upstream that need not answer.
fn values(named: &BTreeSet<Capability>) -> Vec<(&'static str, String)> {
    let mut values = Vec::new();
    if named.contains(&Capability::FlagDatabase) {
        match postgres::shared() {
            Ok(postgres) => values.push(("--database", postgres.url().to_owned())),
            Err(error) => say(&format!("{error}; what is about a database is not tried")),
        }
    }
    if named.contains(&Capability::FlagUpstream) {
        values.extend(postgres::closed().ok().map(|closed| ("--upstream", closed.to_string())));
    }
    values
}

/// Adds a server to its run; one that cannot be run has a row that says why.
pub(crate) fn note(run: &mut Document, server: Server) {
    let verdict = if server.status == Status::Absent { Verdict::Unsupported } else { Verdict::Error };
    let row =
        |why| Row::whole_server(&server.name, WHOLE, verdict, format!("{}: {why}", server.status.word()));
    run.results.extend(server.error.as_ref().map(row));
    run.servers.push(server);
}
