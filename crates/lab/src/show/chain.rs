//! One request through a chain of servers, each of which asks the next.

use std::hash::{BuildHasher, RandomState};
use std::thread;
use std::time::{Duration, Instant};

use play::verdict::GRACE;
use report::chain::Chain;
use report::terminal;
use suite::exit::Exit;
use suite::hops::{self, Hop};
use testbed::capability::Capability;
use testbed::catalog::{self, Catalog};
use testbed::chain::{self, Link};
use testbed::subject::{LONGEST, Subject};
use wire::trace::Trace;
use wire::{Request, Wire};

use super::outside::parameter;
use super::{ID, WATCH};
use crate::args::{Leave, Show};
use crate::prepare;
use crate::progress::{color, print, say};

/// The longest start of a server.
const START: Duration = Duration::from_secs(10);

/// Returns the names of the chain that is asked for, if one is.
///
/// # Errors
/// When it has no server to ask on, or too many.
pub(super) fn names(listed: Option<&str>, args: &Show) -> Result<Option<Vec<String>>, String> {
    let names = match (&args.chain[..], args.hops, listed) {
        ([], None, _) | ([], Some(_), None) => return Ok(None),
        ([], Some(hops), Some(name)) => vec![name.to_owned(); usize::from(hops)],
        (names, _, _) => names.to_vec(),
    };
    if !(2..=LONGEST).contains(&names.len()) {
        return Err(format!("a chain has 2 to {LONGEST} servers, and not {}", names.len()));
    }
    Ok(Some(names))
}

/// Returns the target that has a request pass through `servers`.
fn through(target: &str, servers: usize) -> String {
    let mut target = target.to_owned();
    let calls = servers - 1;
    for (name, pair) in [("style", "style=upstream".to_owned()), ("hops", format!("hops={calls}"))] {
        if parameter(&target, name).is_none() {
            target += if target.contains('?') { "&" } else { "?" };
            target += &pair;
        }
    }
    target
}

/// Starts the chain, sends one request through it, and draws what became of the work of every hop.
pub(super) fn show(names: &[String], target: &str, args: &Show) -> Result<Exit, String> {
    if args.http2 {
        return Err("--http2: a chain is asked over HTTP/1.1".into());
    }
    let target = through(target, names.len());
    let subjects = names.iter().map(|name| subject(name)).collect::<Result<Vec<_>, _>>()?;
    let given = super::flags(&args.flag)?;
    let flags: Vec<&str> = given.iter().flat_map(|(name, value)| [name.as_str(), value]).collect();
    let links = chain::start(&subjects.iter().collect::<Vec<_>>(), &flags, START)?;
    let mut request = Request::get(target.as_str()).id(ID).header("traceparent", new_trace());
    if let Some(deadline) = args.deadline {
        request = request.timeout(deadline);
    }
    say(&format!("{} {target}", names.join(" → ")));
    let hops = asked(&links, &request, args).map_err(|error| error.to_string())?;
    let chain = Chain::of(&hops).ok_or("the request did not come to its end")?;
    print(terminal::chain::draw(&chain, GRACE.as_secs_f64() * 1e3, color()));
    Ok(Exit::Good)
}

/// Returns the `traceparent` of a new trace.
fn new_trace() -> String {
    let number = || RandomState::new().hash_one(ID).max(1);
    format!("00-{:016x}{:016x}-{:016x}-01", number(), number(), number())
}

/// Sends the request through the chain, and waits until the work of every hop is silent.
fn asked(links: &[Link], request: &Request, args: &Show) -> Result<Vec<Hop>, wire::Error> {
    let first = &links[0];
    let until = Instant::now() + WATCH;
    let trace = Trace::default();
    let mut wire = Wire::connect(first.tap.address(), until, &trace)?.with_host(first.server.host());
    let sent_at = wire.send_request(request)?;
    match args.leave {
        None => drop(wire.answer()?),
        Some(leave) => {
            thread::sleep(args.after);
            let how = if leave == Leave::Rst { wire::Leave::Rst } else { wire::Leave::Fin };
            how.act(wire);
        }
    }
    // A hop whose caller was out of time is never asked, and has no work.
    for link in links.iter().filter(|link| link.witness.started(ID).is_some()) {
        link.witness.wait_end(ID, until.saturating_duration_since(Instant::now()));
    }
    while links.iter().filter_map(|link| link.witness.last(ID)).any(|last| last.elapsed() < GRACE)
        && Instant::now() < until
    {
        thread::sleep(GRACE / 10);
    }
    hops::of(links, ID, sent_at).map_err(|source| wire::Error::Local { what: "hear the work", source })
}

/// Builds a server of the list that can be a link of a chain.
fn subject(name: &str) -> Result<Subject, String> {
    let root = catalog::root()?;
    let catalog = Catalog::read(&root)?;
    let stanza = catalog.find(name)?;
    let subject = prepare::listed(stanza, &root, false, |_| {})?;
    let needs = [Capability::StyleUpstream, Capability::FlagUpstream, Capability::Witness];
    match needs.iter().find(|need| !subject.supports(**need)) {
        Some(need) => Err(format!("{name} can be no link of a chain: it lacks {need}")),
        None => Ok(subject),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_is_made_to_pass_through_every_server() {
        assert_eq!(through("/slow?work=3s", 5), "/slow?work=3s&style=upstream&hops=4");
        assert_eq!(through("/slow", 2), "/slow?style=upstream&hops=1");
        assert_eq!(
            through("/slow?style=upstream&hops=1", 5),
            "/slow?style=upstream&hops=1",
            "as it was asked"
        );
    }
}
