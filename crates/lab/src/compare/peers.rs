//! The peers: which of them can be had here, and what to do about those that cannot.

use std::path::Path;

use measure::text::list;
use testbed::catalog::{Catalog, Stanza};
use testbed::toolchains;

use crate::progress::say;

/// Why each server is absent, `None` for those that can be had; gets a Go first when one is wanted and may be got.
pub(crate) fn absent(stanzas: &[Stanza], root: &Path, no_install: bool) -> Vec<Option<String>> {
    let missing = |stanza: &Stanza| toolchains::missing(stanza, root);
    let wants_go = stanzas.iter().any(|stanza| needs_go(stanza) && missing(stanza).is_some());
    let refused = match (wants_go, no_install) {
        (false, _) => None,
        (true, true) => Some("--no-install forbids to fetch one".to_owned()),
        (true, false) => toolchains::install_go(root, say).err(),
    };
    let why = |stanza: &Stanza| match (missing(stanza)?, &refused) {
        (missing, Some(refused)) if needs_go(stanza) => Some(format!("{missing}, and {refused}")),
        (missing, _) => Some(missing),
    };
    stanzas.iter().map(why).collect()
}

fn needs_go(stanza: &Stanza) -> bool {
    stanza.needs.iter().any(|need| need.split(">=").next() == Some("go"))
}

/// Says which peers a run without them could have had, and how.
pub(super) fn offer(catalog: &Catalog, root: &Path, no_install: bool) -> String {
    let peers: Vec<(&Stanza, Option<String>)> = catalog
        .servers
        .iter()
        .filter(|server| server.peer)
        .map(|server| (server, toolchains::missing(server, root)))
        .collect();
    let names = |wanted: &dyn Fn(&Stanza, &Option<String>) -> bool| -> Vec<&str> {
        let found = peers.iter().filter(|(server, missing)| wanted(server, missing));
        found.map(|(server, _)| server.name.as_str()).collect()
    };
    let here = names(&|_, missing| missing.is_none());
    let to_get = names(&|server, missing| missing.is_some() && needs_go(server) && !no_install);
    let mut text = String::from("Not in this run: the peers. `lab compare --peers` takes them all");
    if !here.is_empty() {
        text += &format!("; {} can be built and run here", list(&here));
    }
    if !to_get.is_empty() {
        text += &format!("; for {} it installs Go into target/ first, with pip", list(&to_get));
    }
    for (server, missing) in &peers {
        if let Some(missing) = missing.as_ref().filter(|_| !to_get.contains(&server.name.as_str())) {
            text += &format!("; {} is absent: {missing}", server.name);
        }
    }
    text + "."
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIST: &str = r#"
        [[server]]
        name = "own"
        about = "ours"
        run = "own"
        supports = "all"

        [[server]]
        name = "near"
        about = "a peer with all it needs"
        run = "near"
        needs = ["sh"]
        supports = "all"
        peer = true

        [[server]]
        name = "far"
        about = "a peer with a need that nothing meets"
        run = "far"
        needs = ["no-such-program"]
        supports = "all"
        peer = true
    "#;

    #[test]
    fn a_peer_that_cannot_be_had_is_absent_with_the_reason() {
        let catalog = Catalog::parse(LIST).unwrap();
        let why = Some("no `no-such-program` on the PATH".to_owned());
        assert_eq!(absent(&catalog.servers, Path::new("/"), true), [None, None, why]);
    }

    #[test]
    fn the_offer_names_who_can_come_and_who_cannot() {
        let text = offer(&Catalog::parse(LIST).unwrap(), Path::new("/"), true);
        assert!(
            text.contains("; near can be built and run here; far is absent: no `no-such-program`"),
            "{text}"
        );
        assert!(!text.contains("own"), "{text}");
    }
}
