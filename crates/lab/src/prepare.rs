//! A server of the list on its way to a run: built, started once, and with its known deviations.

use std::path::Path;

use suite::document::{Row, Server, Status};
use suite::expect::Expectations;
use suite::verdict::Verdict;
use testbed::build;
use testbed::catalog::Stanza;
use testbed::machine::Binary;
use testbed::subject::{Setup, Subject};
use testbed::toolchains;

use crate::progress::{say, tell};

/// The id of the row that stands for a server that cannot be run.
const WHOLE: &str = "server/start";

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

/// The row of a server that cannot be run; none of one that can.
pub(crate) fn row(server: &Server) -> Option<Row> {
    let why = server.error.as_ref()?;
    let verdict = if server.status == Status::Absent { Verdict::Unsupported } else { Verdict::Error };
    Some(Row::whole_server(&server.name, WHOLE, verdict, format!("{}: {why}", server.status.word())))
}
