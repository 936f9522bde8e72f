//! The page of a run that was made up.

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
