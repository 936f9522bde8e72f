//! `lab check --chain`: servers of the list, each of which asks the next.

use std::path::Path;

use suite::document::{Server, Status};
use suite::expect::Expectations;
use suite::scenario::Scenario;
use suite::scenarios;
use testbed::catalog::{Catalog, Stanza};
use testbed::subject::{LONGEST, Subject};
use testbed::toolchains;

use crate::prepare::{self, Ready};

/// The area that judges chains.
pub(crate) const AREA: &str = "hops";
/// The description of a chain, in one line.
pub(crate) const ABOUT: &str = "a chain: each of its servers asks the next";

/// Selects some of the scenarios that judge a chain.
///
/// # Errors
/// When a pattern selects none of them.
pub(crate) fn select(only: &str) -> Result<Vec<&'static Scenario>, String> {
    let all = scenarios::all().into_iter().filter(|scenario| scenario.area() == AREA).collect();
    scenarios::select_from(all, only)
        .map_err(|_| format!("`{only}` selects what judges no chain; that is the area `{AREA}` alone"))
}

/// Finds the links of a chain by their names, `tokio,smol`.
///
/// # Errors
/// A sentence that lists the names there are, or says how many a chain may have.
pub(crate) fn links(names: &str, catalog: &Catalog) -> Result<Vec<Stanza>, String> {
    let links: Vec<_> =
        names.split(',').map(|name| catalog.find(name.trim()).cloned()).collect::<Result<_, _>>()?;
    if !(2..=LONGEST).contains(&links.len()) {
        return Err(format!("a chain has 2 to {LONGEST} servers, and `{names}` has {}", links.len()));
    }
    Ok(links)
}

/// The name of a chain in reports.
pub(crate) fn name(links: &[Stanza]) -> String {
    links.iter().map(|link| link.name.as_str()).collect::<Vec<_>>().join(",")
}

/// Builds every link and starts it once; notes what keeps the chain from being run. Unlike [`prepare::prepare`] it is not told
/// why a server is absent: what is missing of any link is said before the first is built.
pub(crate) fn prepare(links: &[Stanza], root: &Path, no_build: bool) -> (Server, Option<Ready>) {
    let server = Server::new(&name(links), ABOUT);
    if let Some((link, why)) = links.iter().find_map(|link| Some((link, toolchains::missing(link, root)?))) {
        let why = format!("link `{}`: {}", link.name, installable(link, &why));
        return (server.not_run(Status::Absent, why), None);
    }
    let mut prepared: Vec<(&str, Ready)> = Vec::new();
    for link in links {
        if prepared.iter().any(|(name, _)| *name == link.name) {
            continue;
        }
        let (one, ready) = prepare::prepare(link, root, None, no_build);
        let Some(ready) = ready else {
            let why = one.error.unwrap_or_default();
            return (server.not_run(one.status, format!("link `{}`: {why}", link.name)), None);
        };
        prepared.push((&link.name, ready));
    }
    prepare::outcome(server, chained(links, &prepared))
}

/// Says what to install for a link that is absent.
fn installable(link: &Stanza, why: &str) -> String {
    let needs = link.needs.join(" and ");
    let own =
        if needs.contains("go") { "; `lab compare --peers` installs a Go of the lab's own" } else { "" };
    format!("{why}: install {needs}{own}")
}

fn chained(links: &[Stanza], prepared: &[(&str, Ready)]) -> Result<Ready, String> {
    let of = |link: &Stanza| prepared.iter().find(|(name, _)| *name == link.name).map(|(_, ready)| ready);
    let ready: Vec<(&str, &Ready)> =
        links.iter().filter_map(|link| Some((link.name.as_str(), of(link)?))).collect();
    let subject = Subject::chain(ready.iter().map(|(_, ready)| ready.subject.clone()).collect())?;
    let known: Vec<_> = ready.iter().map(|(name, ready)| (*name, &ready.expectations)).collect();
    Ok(Ready::new(subject, Expectations::of_chain(&known)))
}
