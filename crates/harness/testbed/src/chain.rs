//! A chain of servers: the first is asked, and each asks the next.
//!
//! Each link has a witness of its own, and a [`Tap`] in front of it. So it is known of each link when it was told that its
//! caller has left, when its work stopped, and what it passed on.

use std::ffi::OsStr;
use std::net::SocketAddr;
use std::time::Duration;

use crate::server::{Server, Started};
use crate::subject::{Subject, Trial};
use crate::tap::Tap;
use crate::witness::Witness;

/// A server of a chain, with what is seen of it from outside.
#[derive(Debug)]
pub struct Link {
    /// Its name in the list.
    pub name: String,
    /// The server.
    pub server: Server,
    /// The witness of its work.
    pub witness: Witness,
    /// The tap in front of it: its callers connect here.
    pub tap: Tap,
}

/// Starts a chain of these servers with these `flags`, each in at most `within`. The first of the result is asked.
///
/// # Errors
/// A sentence that names the link, and says what it did instead of serving.
pub fn start(subjects: &[&Subject], flags: &[&str], within: Duration) -> Result<Vec<Link>, String> {
    let mut links: Vec<Link> = Vec::new();
    for subject in subjects.iter().rev() {
        let next = links.last().map(|link| link.tap.address());
        let link = link(subject, next, flags, within);
        links.push(link.map_err(|error| format!("link `{}`: {error}", subject.name()))?);
    }
    links.reverse();
    Ok(links)
}

fn link(
    subject: &Subject,
    next: Option<SocketAddr>,
    flags: &[&str],
    within: Duration,
) -> Result<Link, String> {
    let witness =
        Witness::listen().map_err(|error| format!("failed to open a socket for heartbeats: {error}"))?;
    let (heard, next) = (witness.address().to_string(), next.map(|next| next.to_string()));
    let next = next.iter().flat_map(|next| ["--upstream", next]);
    let args = flags.iter().copied().chain(["--witness", heard.as_str()]).chain(next);
    let args: Vec<&OsStr> = args.map(OsStr::new).collect();
    let server = match subject.try_start(&Trial { args: &args, ..Trial::default() }, within)? {
        Started::Serves(server) => server,
        Started::Ended { status, stderr, .. } => return Err(format!("it ended ({status}): {stderr}")),
    };
    let tap = Tap::open(server.address()).map_err(|error| format!("failed to open a tap: {error}"))?;
    Ok(Link { name: subject.name().to_owned(), server, witness, tap })
}
