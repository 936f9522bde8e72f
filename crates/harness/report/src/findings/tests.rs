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
    let learned = learn(&results);
    let [table] = &learned.tables[..] else { panic!("{learned:?}") };
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
    let learned = learn(&results);
    assert_eq!(learned.tables[0].reasons[0].text, "not explained: seen");
    assert_eq!(learned.tables[0].lines[0].cells[0], Cell::new(Tone::Bad, "fail [1]"));
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
fn an_absent_server_is_a_row_with_its_reason() {
    let mut results = empty(&["a"]);
    results.servers[0].status = Status::Absent;
    results.servers[0].error = Some("no `a` on the PATH".to_owned());
    let page = markdown::page(&learn(&results));
    assert!(page.contains("| absent: no `a` on the PATH |"), "{page}");
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
    let told = |results: &Results| learn(results).tables[1].sentences[0].clone();
    assert!(told(&results).contains("tell the same story"), "{}", told(&results));
    results.results[1] = hundred("python-threading", 20.0);
    assert!(told(&results).contains("did not tell the same story"), "{}", told(&results));
    results.results[1] = hundred("python-threading", 100.0);
    results.measured.zombie[1] = life("python-threading", "drop", 500.0);
    assert!(told(&results).contains("did not tell the same story"), "{}", told(&results));
}

#[test]
fn a_page_has_as_many_cells_in_every_line() {
    let mut results = empty(&["a|b", "c"]);
    results.measured.zombie = vec![life("a|b", "drop", 0.0), life("c", "spin", 10.0)];
    results.results = vec![row("c", "timeouts/x", Verdict::Warn, None)];
    let page = markdown::page(&learn(&results));
    let width = |line: &str| line.replace("\\|", "").matches('|').count();
    for table in page.split("\n\n").filter(|part| part.starts_with('|')) {
        let widths: Vec<usize> = table.lines().map(width).collect();
        assert!(widths.iter().all(|width| *width == widths[0]), "{table}");
    }
}
