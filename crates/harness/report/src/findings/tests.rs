use measure::fixtures::{empty, life, storm};

use super::*;

fn row(server: &str, id: &str, verdict: Verdict, expected: Option<&str>) -> Row {
    let expected = expected.map(str::to_owned);
    Row { expected, ..Row::whole_server(server, id, verdict, "seen") }
}

#[test]
fn a_reason_is_told_once_for_all_its_cells_and_with_its_sources() {
    let why = Some("limit: it does not look; https://example.com/1, docs/findings/x.md");
    let mut results = empty(&["a", "b"]);
    results.results = vec![
        row("a", "timeouts/x", Verdict::Pass, None),
        row("b", "timeouts/x", Verdict::Xfail, why),
        row("a", "timeouts/y", Verdict::Unsupported, None),
        row("b", "timeouts/y", Verdict::Xfail, why),
    ];
    let [_, tables] = own(&results);
    let [table] = &tables[..] else { panic!("{tables:?}") };
    let cells: Vec<_> = table.lines.iter().flat_map(|line| &line.cells).map(|cell| &cell.text[..]).collect();
    assert_eq!(cells, ["✓", "✗ [1]", "–", "✗ [1]"]);
    let [reason] = &table.reasons[..] else { panic!("{table:?}") };
    assert_eq!((reason.cells, &reason.servers[..]), (2, &["b".to_owned()][..]));
    assert_eq!(reason.text, "limit: it does not look");
    assert_eq!(reason.sources, ["https://example.com/1", "docs/findings/x.md"]);
}

#[test]
fn what_nobody_explained_is_not_explained() {
    let mut results = empty(&["a"]);
    results.results = vec![row("a", "shutdown/x", Verdict::Fail, None)];
    let [_, tables] = own(&results);
    assert_eq!(tables[0].reasons[0].text, "not explained: seen");
    assert_eq!(tables[0].lines[0].cells[0], Cell::new(Tone::Bad, "fail [1]"));
}

#[test]
fn a_sentence_is_told_only_of_servers_whose_verdicts_agree() {
    let mut results = empty(&["a", "b"]);
    results.results = vec![
        row("a", "disconnect/rst", Verdict::Pass, None),
        row("a", "disconnect/fin", Verdict::Xfail, None),
        row("b", "disconnect/rst", Verdict::Pass, None),
        row("b", "disconnect/fin", Verdict::Pass, None),
    ];
    let told = explanations::disconnect(&results);
    assert_eq!(told.len(), 1, "of so few scenarios no more can be said: {told:?}");
    for id in ["disconnect/pipelined-later-fin", "disconnect/body-partial-unread-fin"] {
        results.results.push(row("b", id, Verdict::Pass, None));
    }
    let told = explanations::disconnect(&results);
    assert_eq!(told.len(), 2, "{told:?}");
    assert!(told[0].starts_with("b: hear of every client"), "{told:?}");
    assert!(told[1].starts_with("a: stop at a reset and not at a close"), "{told:?}");
}

#[test]
fn threads_and_python_tell_the_same_story_only_when_they_do() {
    let mut results = empty(&["threads", "python-threading"]);
    results.measured.zombie = vec![life("threads", "drop", 2700.0), life("python-threading", "drop", 2690.0)];
    // Python is too slow for the storm; that is no other story.
    results.measured.storm = vec![storm("threads", 500, 1000), storm("python-threading", 64, 600)];
    let hundred = |server, zombies| {
        let figures = vec![("zombies".to_owned(), zombies), ("zombie_ms".to_owned(), 1200.0)];
        Row { figures, ..row(server, "leak/zombies-of-100", Verdict::Pass, None) }
    };
    results.results = vec![hundred("threads", 100.0), hundred("python-threading", 99.0)];
    let told = |results: &Results| own(results)[0][0].sentences[0].clone();
    assert!(told(&results).contains("tell the same story"), "{}", told(&results));
    results.results[1] = hundred("python-threading", 20.0);
    assert!(told(&results).contains("did not tell the same story"), "{}", told(&results));
    results.results[1] = hundred("python-threading", 100.0);
    results.measured.zombie[1] = life("python-threading", "drop", 500.0);
    assert!(told(&results).contains("did not tell the same story"), "{}", told(&results));
}
