use measure::fixtures::{empty, life, outside, storm};
use measure::footprint::{Footprint, State};
use measure::outside::End;
use measure::stats::Line;
use suite::document::{Row, Status};
use suite::verdict::Verdict;

use super::*;

/// A run of three servers in which the findings about styles, storms and work outside are to be seen.
fn run() -> Results {
    let mut results = empty(&["a|b", "threads", "go"]);
    let mut lives = Vec::new();
    for server in ["a|b", "threads", "go"] {
        lives.extend(["context", "polling"].map(|style| life(server, style, 0.1)));
        lives.extend(["detached", "blocking"].map(|style| life(server, style, 2700.0)));
        lives.push(life(server, "drop", if server == "a|b" { 0.1 } else { 2700.0 }));
    }
    results.measured.zombie = lives;
    results.measured.storm = vec![storm("a|b", 0, 5), storm("threads", 500, 1004)];
    results.measured.outside = vec![
        outside("a|b", "query", End::Deadline, 3.0),
        outside("a|b", "query-dropped", End::Deadline, 600.0),
        outside("threads", "upstream", End::Disconnect, 1.0),
    ];
    results
}

fn finding(results: &Results, title: &str) -> Option<Finding> {
    learn(results).findings.into_iter().find(|finding| finding.title.contains(title))
}

#[test]
fn a_finding_stands_only_where_the_run_shows_it() {
    let mut results = run();
    let learned = learn(&results);
    assert_eq!(learned.findings.len() + learned.left_out.len(), QUESTIONS.len());
    let styles = finding(&results, "asks the context").expect("the run shows it");
    let drop = styles.table.lines.iter().find(|line| line.head == "drop").unwrap();
    let cells: Vec<&str> = drop.cells[1..].iter().map(|cell| cell.text.as_str()).collect();
    assert_eq!(cells, ["a|b", "threads and go"], "the column in which nobody stands goes");
    results.measured.zombie.push(life("go", "polling", 900.0));
    assert!(finding(&results, "asks the context").is_none(), "polling work went on");
    let why = learn(&results).left_out.into_iter().find(|(about, _)| *about == "the styles of work");
    assert_eq!(why.unwrap().1, "polling work went on after its answer somewhere");
}

#[test]
fn the_cost_of_a_zombie_is_that_of_the_run() {
    let storms = finding(&run(), "timeouts at once").unwrap();
    assert_eq!(
        storms.title,
        "500 timeouts at once left 500 units of work running on threads, and none on a|b"
    );
}

#[test]
fn a_trap_that_stops_by_itself_is_no_finding() {
    let mut results = run();
    assert!(finding(&results, "A child process and a query").is_some());
    results.measured.outside.push(outside("go", "query-dropped", End::Disconnect, 2.0));
    assert!(finding(&results, "A child process and a query").is_none());
}

#[test]
fn every_finding_fits_its_page() {
    for finding in learn(&run()).findings {
        assert!(finding.table.columns.len() < COLUMNS, "{}", finding.title);
        assert!((1..=LINES).contains(&finding.table.lines.len()), "{}", finding.title);
        assert!(!finding.title.ends_with('.') && finding.reason.ends_with('.'), "{}", finding.title);
    }
}

#[test]
fn an_absent_server_is_a_row_with_its_reason() {
    let mut results = empty(&["a"]);
    results.servers[0].status = Status::Absent;
    results.servers[0].error = Some("no `a` on the PATH".to_owned());
    let servers = areas(&results).remove(0);
    let page = area(&results, &servers);
    assert!(page.contains("| absent: no `a` on the PATH |"), "{page}");
}

#[test]
fn a_page_has_as_many_cells_in_every_line() {
    let mut results = run();
    results.results = vec![Row::whole_server("go", "timeouts/x", Verdict::Warn, "seen")];
    let areas = areas(&results);
    let pages = areas.iter().map(|one| area(&results, one)).chain([page(&results, &learn(&results), &areas)]);
    let width = |line: &str| line.replace("\\|", "").matches('|').count();
    for page in pages {
        for table in page.split("\n\n").filter(|part| part.starts_with('|')) {
            let widths: Vec<usize> = table.lines().map(width).collect();
            assert!(widths.iter().all(|width| *width == widths[0]), "{table}");
        }
    }
}

/// A page of seven findings in the shape that the check asks for.
fn shaped() -> String {
    let finding = |number: usize| {
        format!(
            "\n## {number}. A finding\n\n| a | b |\n| --- | --- |\n| 1 | 2 |\n\nWhy: because.\n\nSource: [x](y.md).\n"
        )
    };
    let findings: String = (1..=7).map(finding).collect();
    let origin =
        "From `lab compare` on Thu, 26 Nov 2026 07:24:30 GMT: 3 servers. 2 cores, Linux 6, load 1.0.";
    format!("# What a run taught\n\n{origin}\n{findings}\n## What this run does not show\n\n- Nothing.\n")
}

#[test]
fn the_shape_of_a_page_is_checked() {
    let good = shaped();
    assert_eq!(check::page(&good), Ok(()));
    let wrong = |from: &str, to: &str| check::page(&good.replacen(from, to, 1)).unwrap_err();
    assert_eq!(wrong("Why: because.", ""), "finding 1: not one line `Why: …`");
    assert_eq!(wrong("Source: [x]", "[x]"), "finding 1: not one line `Source: […`");
    assert_eq!(wrong("| 1 | 2 |\n", ""), "finding 1: no table");
    assert_eq!(
        wrong("| 1 | 2 |\n", &"| 1 | 2 |\n".repeat(11)),
        "finding 1: a table of 2 columns and 11 lines"
    );
    assert_eq!(wrong("## 3.", "## 4."), "finding 3 is not numbered so");
    assert_eq!(wrong("Thu, 26 Nov 2026 07:24:30 GMT", "Thursday"), "`Thursday` is no date");
    assert_eq!(wrong(" cores, Linux ", " "), "the machine is not named");
    assert_eq!(wrong("\n## 7. A finding", "\n"), "6 findings, and not 7 to 10");
    assert_eq!(check::paths(&good), vec!["y.md"; 7]);
}

#[test]
fn a_page_says_how_the_lab_and_its_servers_were_built() {
    let mut results = run();
    results.command = vec!["/anywhere/target/release/lab".into(), "compare".into()];
    let page = markdown::page(&results, &learn(&results), &areas(&results));
    assert!(page.contains("the lab's build: release"), "{page}");
    assert!(!page.contains("/anywhere"), "{page}");
    results.command = vec!["target/debug/lab".into()];
    assert!(markdown::page(&results, &learn(&results), &areas(&results)).contains("the lab's build: debug"));
}

#[test]
fn the_memory_of_a_request_is_told_of_the_server_that_needs_least_and_most() {
    let record = |server: &str, slope| Footprint {
        pss: Some(Line { slope, base: 1e6, r2: 1.0 }),
        ..Footprint::of(server, State::InFlight, 0, Vec::new())
    };
    let mut results = run();
    assert!(finding(&results, "costs 9.0 kB of memory").is_none());
    results.measured.footprint = vec![record("threads", 30_000.0), record("go", 9_000.0)];
    let memory = finding(&results, "costs 9.0 kB of memory").unwrap();
    assert_eq!(
        memory.title,
        "A request that is at work costs 9.0 kB of memory on go, and 30.0 kB on threads"
    );
    assert_eq!(memory.table.lines.len(), 2);
}
