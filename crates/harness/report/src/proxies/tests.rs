//! The page of a run that was made up, and the page in the repository.

use measure::fixtures;
use measure::told::Outcome;
use suite::document::Status;
use testbed::catalog;
use testbed::proxies;

use super::*;

fn told(server: &str, way: &str, outcome: Outcome, told_ms: Option<f64>) -> Told {
    let (server, way) = (server.to_owned(), way.to_owned());
    Told { server, state: Sent::Nothing, way, outcome, told_ms }
}

fn row(server: &str, id: &str, verdict: Verdict, expected: Option<&str>) -> Row {
    Row { expected: expected.map(str::to_owned), ..Row::whole_server(server, id, verdict, "seen") }
}

/// HAProxy and a variant of it, and one that is absent.
fn rendered() -> String {
    let root = catalog::root().unwrap();
    let proxies = proxies::all(&root).unwrap();
    let mut document = fixtures::empty(&["haproxy", "haproxy-abortonclose", "squid"]).document();
    (document.servers[2].status, document.servers[2].error) = (Status::Absent, Some("no `squid`".to_owned()));
    document.results = vec![
        row("haproxy", "through/stalled-fin", Verdict::Xfail, Some("it looks | elsewhere")),
        row("haproxy-abortonclose", "through/stalled-fin", Verdict::Pass, None),
    ];
    let told = [
        told("haproxy", "FIN", Outcome::Never, None),
        told("haproxy", "RST", Outcome::Told, Some(0.25)),
        told("haproxy-abortonclose", "FIN", Outcome::Told, Some(1.5)),
    ];
    page(&Run { document: &document, told: &told, proxies: &proxies })
}

#[test]
fn a_never_has_its_reason_and_the_knob_that_mends_it_in_this_run() {
    let text = rendered();
    assert!(text.contains("| haproxy | **never** <sup>1</sup> | 0.2 / 0.2 |"), "{text}");
    assert!(text.contains("| haproxy-abortonclose | 1.5 / 1.5 |"), "{text}");
    let note = "1. haproxy: it looks | elsewhere. It is mended by `option abortonclose` in `defaults`";
    assert!(text.contains(note), "{text}");
    assert!(text.contains("| `stalled-fin` | it looks \\| elsewhere | It is mended by"), "{text}");
}

#[test]
fn what_is_absent_is_a_row_with_its_reason_and_in_no_other_table() {
    let text = rendered();
    assert!(text.contains("absent: no `squid`"), "{text}");
    assert_eq!(text.matches("| squid |").count(), 0, "{text}");
}

/// The lines of the table below a heading, without its head and rule.
fn table<'a>(page: &'a str, heading: &str) -> Vec<Vec<&'a str>> {
    let below = page.split(heading).nth(1).unwrap_or_else(|| panic!("no `{heading}`"));
    let lines =
        below.lines().skip_while(|line| !line.starts_with('|')).take_while(|line| line.starts_with('|'));
    lines.skip(2).map(|line| line.trim_matches('|').split(" | ").map(str::trim).collect()).collect()
}

#[test]
fn the_page_in_the_repository_has_every_intermediary_every_way_and_a_reason_for_every_never() {
    let root = catalog::root().unwrap();
    let page = std::fs::read_to_string(root.join("docs/proxies.md")).unwrap();
    let known = proxies::all(&root).unwrap();
    let who = table(&page, "## Who ran");
    for proxy in &known {
        let is_there = who.iter().any(|line| line[0].starts_with(&format!("[{}]", proxy.name)));
        assert!(is_there, "`{}` is not on the page; run scripts/long.sh through", proxy.name);
    }
    for heading in ["and its upstream has said nothing", "and its upstream streams"] {
        let lines = table(&page, heading);
        let families: std::collections::BTreeSet<_> = lines
            .iter()
            .filter_map(|line| known.iter().find(|proxy| proxy.name == line[0]))
            .map(|proxy| proxy.family.as_str())
            .collect();
        assert!(families.len() >= 8, "{families:?}");
        for line in lines {
            assert_eq!(line.len(), 1 + WAYS.len(), "{line:?}");
            let nevers = line.iter().filter(|cell| cell.contains("never"));
            assert!(nevers.clone().all(|cell| cell.contains("<sup>")), "{line:?}");
        }
    }
    assert!(!page.contains("the reason is not known"));
}
