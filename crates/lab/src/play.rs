//! `lab play`: starts servers and serves the page on which a person plays with them.

use std::path::Path;
use std::time::Duration;

use play::Stand;
use suite::exit::Exit;
use testbed::capability::{Capability, Supports};
use testbed::catalog::{self, Catalog, Stanza};
use testbed::guard;
use testbed::subject::Subject;

use crate::args::Play;
use crate::prepare;
use crate::progress::{print, say, tell};

/// The longest time until a command of one's own serves.
const START: Duration = Duration::from_secs(10);

/// Starts servers and serves their page until a signal ends both.
pub(crate) fn play(args: &Play) -> Result<Exit, String> {
    let root = catalog::root()?;
    guard::kill_on_signals()?;
    let stands = match &args.run {
        Some(command) => vec![own(command, &root)?],
        None => stands(args, &root)?,
    };
    let names: Vec<_> = stands.iter().map(Stand::name).collect();
    say(&format!("on show: {}", names.join(", ")));
    let page = play::Play::open(args.port, stands).map_err(|error| error.to_string())?;
    print(format_args!("playground on http://{}\n", page.address()));
    say("open that address on this machine; Ctrl-C ends the page and its servers");
    page.serve();
    Ok(Exit::Good)
}

/// Starts the server of a command, which is taken to have every style: it refuses those that it lacks.
fn own(command: &str, root: &Path) -> Result<Stand, String> {
    let can = [
        Capability::StyleContext,
        Capability::StyleDrop,
        Capability::StyleDetached,
        Capability::StyleBlocking,
        Capability::StylePolling,
        Capability::StyleSpin,
        Capability::TimeoutHeader,
    ];
    let subject = Subject::command(command, root, START)?.with_supports(Supports::Only(can.into()));
    Stand::start(subject, command)
}

/// Starts servers of the list. A peer that cannot be had is left out, with the reason, unless it was named.
fn stands(args: &Play, root: &Path) -> Result<Vec<Stand>, String> {
    let catalog = Catalog::read(root)?;
    if !args.servers.is_empty() {
        let named = args.servers.iter().map(|name| stand(catalog.find(name)?, root, args.no_build));
        return named.collect();
    }
    let mut stands = Vec::new();
    for stanza in &catalog.servers {
        if stanza.peer && !args.peers && !is_built(stanza, root) {
            continue;
        }
        match stand(stanza, root, args.no_build) {
            Ok(stand) => stands.push(stand),
            Err(why) if stanza.peer => say(&format!("left out: {why}")),
            Err(why) => return Err(why),
        }
    }
    Ok(stands)
}

fn stand(stanza: &Stanza, root: &Path, no_build: bool) -> Result<Stand, String> {
    Stand::start(prepare::listed(stanza, root, no_build, tell)?, &stanza.about)
}

/// True when nothing need be built before it can be started.
fn is_built(stanza: &Stanza, root: &Path) -> bool {
    let has_file = |words: Vec<std::ffi::OsString>| Path::new(&words[0]).is_file();
    stanza.build.is_none() || catalog::words(&stanza.run, root).is_ok_and(has_file)
}
