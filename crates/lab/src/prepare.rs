//! A server on its way to a run: one of the list built, started once, and with its known deviations; any other probed.

use std::collections::BTreeSet;
use std::net::TcpStream;
use std::path::Path;
use std::time::Duration;

use suite::document::{Row, Server, Status};
use suite::expect::Expectations;
use suite::verdict::Verdict;
use suite::{probe, reach};
use testbed::build;
use testbed::capability::{Capability, Supports};
use testbed::catalog::Stanza;
use testbed::machine::Binary;
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

/// Builds a server and starts it once; notes what keeps it from being run. `absent` is why it cannot be had here.
pub(crate) fn prepare(
    stanza: &Stanza,
    root: &Path,
    absent: Option<String>,
    no_build: bool,
) -> (Server, Option<Ready>) {
    let mut server = Server::from(stanza);
    if absent.is_some() {
        (server.status, server.error) = (Status::Absent, absent);
        return (server, None);
    }
    match built(stanza, root, no_build) {
        Ok(ready) => {
            server.version = toolchains::version(stanza, root);
            // A program found on the PATH has no file of ours to hash.
            server.binary = Binary::of(stanza, root).ok();
            (server, Some(ready))
        }
        Err(error) => {
            (server.status, server.error) = (Status::Error, Some(error));
            (server, None)
        }
    }
}

fn built(stanza: &Stanza, root: &Path, no_build: bool) -> Result<Ready, String> {
    if !no_build {
        say(&format!("{}: building", stanza.name));
        build::build(stanza, root, tell)?;
    }
    let subject = Subject::listed(stanza, root, None)?;
    // A run that fails on the very first start has one error, not a hundred.
    drop(subject.start(Setup::default())?);
    Ok(Ready { subject, expectations: Expectations::read(root, &stanza.name)?, unanswered: None })
}

/// Finds out what an unknown server supports.
pub(crate) fn probed(subject: &Subject) -> Result<Ready, String> {
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
    let mut found = if unanswered.is_none() { probe::supports(&server) } else { BTreeSet::new() };
    found.extend(named);
    let list: Vec<_> = found.iter().map(|one| one.word()).collect();
    say(&format!(
        "{}: supports {}",
        subject.name(),
        if list.is_empty() { "the least".into() } else { list.join(", ") }
    ));
    Ok(Ready {
        subject: subject.clone().with_supports(Supports::Only(found)),
        expectations: Expectations::default(),
        unanswered,
    })
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

/// The row of a server that cannot be run; none of one that can.
pub(crate) fn row(server: &Server) -> Option<Row> {
    let why = server.error.as_ref()?;
    let verdict = if server.status == Status::Absent { Verdict::Unsupported } else { Verdict::Error };
    Some(Row::whole_server(&server.name, WHOLE, verdict, format!("{}: {why}", server.status.word())))
}
