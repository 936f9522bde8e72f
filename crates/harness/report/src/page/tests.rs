use std::sync::LazyLock;

use load::Row as LoadRow;
use measure::fixtures::{empty, latenesses, life, storm};
use measure::footprint::{Footprint, Reading, State};
use measure::interference::{Interference, Slot};
use measure::stats::Summary;
use measure::storm::Reading as StormReading;
use measure::throughput::Fast;
use measure::zombie::STYLES;

use super::*;

fn page() -> String {
    let mut results = empty(&["tokio", "thr<eads"]);
    results.measured.zombie = vec![life("tokio", "drop", 0.1), life("thr<eads", "drop", 2699.0)];
    let row = Row::whole_server("tokio", "work/drop", Verdict::Pass, "ok");
    results.results = vec![Row { attempts: 1, ..row }];
    render(&results).unwrap()
}

/// The page of [`crowd`], which is rendered once for all tests.
static CROWDED: LazyLock<String> = LazyLock::new(|| render(&crowd()).unwrap());

/// A run of 13 servers and 222 scenarios with everything measured, as long as a real one.
pub(crate) fn crowd() -> Results {
    let names: Vec<String> = (0..13).map(|n| format!("a-server-with-a-name-{n}")).collect();
    let mut results = empty(&names.iter().map(String::as_str).collect::<Vec<_>>());
    for name in &names {
        results.results.extend((0..222).map(|number| scenario(name, number)));
        measure(&mut results, name);
    }
    results
}

fn scenario(server: &str, number: usize) -> Row {
    let id = format!("area-{}/scenario-with-a-name-{number}", number / 22);
    let verdict = if number % 7 == 3 { Verdict::Xfail } else { Verdict::Pass };
    let mut row =
        Row::whole_server(server, &id, verdict, format!("work of {server} went on for {number} ms"));
    row.promise =
        format!("a promise that takes about a hundred characters to tell is kept, and it is number {number}");
    (row.attempts, row.took_ms) = (1, number as u64);
    // Every id is another, as in a run: 20 lines of 200 characters are what a trace has on average.
    row.trace = (0..20)
        .map(|line| {
            let unique = number * 7919 + line * 104_729 + server.len();
            let what = "> GET /slow?work=3000ms&style=drop HTTP/1.1\\r\\nHost: lab\\r\\ngrpc-timeout: 300m\\r\\nX-Request-Id: ";
            format!("{unique:>9}.{line:02} ms  #{line}   {what}scenario-{unique}-{server}\\r\\n\\r\\n")
        })
        .collect();
    row
}

fn measure(results: &mut Results, server: &str) {
    let measured = &mut results.measured;
    let samples: Vec<f64> = (1..2000).map(|n| f64::from(n) * 0.037).collect();
    measured.overshoot.push(latenesses(server, &[&samples, &samples]));
    measured.zombie.extend(STYLES.iter().map(|style| life(server, style, 2699.0)));
    let reading = |n: u32| StormReading {
        at_ms: f64::from(n) * 7.3,
        requests: 500,
        work: 500,
        ..StormReading::default()
    };
    let mut course = storm(server, 500, 1004);
    course.readings = (0..300).map(reading).collect();
    measured.storm.push(course);
    let row = LoadRow { per_second: 1000.0, ..LoadRow::default() };
    measured.throughput.push(Fast {
        server: server.to_owned(),
        floor: false,
        round: 0,
        at_ms: None,
        row: row.clone(),
    });
    let readings = [0, 100, 1000].map(|held: usize| Reading {
        held,
        pss: 1_000_000 + 13_000 * held as u64,
        anonymous: 0,
        threads: 1,
        descriptors: 1,
    });
    measured.footprint.push(Footprint::of(server, State::InFlight, 0, readings.to_vec()));
    let slot = |n: u32| Slot {
        at_ms: f64::from(n) * 50.0,
        answered: 50,
        missing: 0,
        latency_ms: Summary::of([f64::from(n)]),
    };
    measured.interference.push(Interference {
        server: server.to_owned(),
        style: "drop".into(),
        round: 0,
        requests: 500,
        burst_ms: 400.0,
        answered_ms: None,
        slots: (0..40).map(slot).collect(),
        row,
    });
}

#[test]
fn the_page_needs_nothing_from_outside() {
    let page = page();
    for outside in ["src=", "href=\"http", "url(", "@import", "<link", "fetch(", "XMLHttpRequest", "import("]
    {
        assert!(!page.contains(outside), "{outside}");
    }
}

#[test]
fn a_zombie_is_named_in_the_picture_and_in_words() {
    let page = page();
    assert!(page.contains(">zombie 2.70 s</text>"));
    assert!(page.contains("left zombies in drop work"));
}

#[test]
fn names_from_outside_are_escaped() {
    let page = page();
    assert!(!page.contains("thr<eads"));
}

#[test]
fn every_picture_and_every_table_has_a_name() {
    for page in [page().as_str(), CROWDED.as_str()] {
        assert_eq!(page.matches("<svg class=\"picture\"").count(), page.matches("role=\"img\"").count());
        assert_eq!(page.matches("<table").count(), page.matches("<caption").count());
    }
}

#[test]
fn a_run_of_thirteen_servers_makes_a_page_below_three_megabytes() {
    let page = CROWDED.as_str();
    assert!(page.len() < 3_000_000, "{} bytes", page.len());
    assert_eq!(page.matches("<button data-row=").count(), 13 * 222);
    assert_eq!(page.matches("<button data-server=").count(), 13 * crowd().areas().len());
}

#[test]
fn the_parts_stand_in_the_order_in_which_they_are_understood() {
    let page = CROWDED.as_str();
    let heads = [
        "1. What happens at a timeout?",
        "2. Who keeps working?",
        "3. What does it cost?",
        "4. What if the client leaves?",
        "5. What to do?",
        "Reference",
        "Does the work stop?",
        "Scenarios passed",
        "A storm of",
        "How late is the 504?",
        "What does a request in flight cost in memory?",
        "What does /fast feel of",
        "How many /fast a second?",
        "Where this was measured",
    ];
    let head_of = |head: &str| {
        page.match_indices("<h2").map(|(at, _)| at).find(|at| {
            let line = page[*at..].lines().next().unwrap_or_default();
            line.split_once('>').is_some_and(|(_, text)| text.starts_with(head))
        })
    };
    let places: Vec<_> = heads.map(head_of).to_vec();
    assert!(places.iter().all(Option::is_some) && places.is_sorted(), "{places:?}");
}

#[test]
fn a_run_without_scenarios_has_no_matrix_and_nothing_to_press() {
    let mut results = empty(&["tokio"]);
    results.measured.zombie = vec![life("tokio", "drop", 0.1)];
    let page = render(&results).unwrap();
    assert!(page.contains("this run judged none"));
    for matrix in [">Scenarios passed", "<button", "<dialog", "<script"] {
        assert!(!page.contains(matrix), "{matrix}");
    }
}

#[test]
fn every_section_has_an_anchor_and_a_link_to_it() {
    let page = CROWDED.as_str();
    let links: Vec<&str> =
        page.split("<li><a href=\"#").skip(1).filter_map(|rest| rest.split('"').next()).collect();
    assert!(links.len() > 12, "{links:?}");
    for link in &links {
        assert_eq!(page.matches(&format!(" id=\"{link}\"")).count(), 1, "{link}");
    }
    let own = ["<h2 id=\"", "<section class=\"step\" id=\""].map(|sign| page.matches(sign).count());
    assert_eq!(own[0] + own[1], links.len(), "headings and links");
}

#[test]
fn every_cell_that_opens_something_has_an_anchor() {
    let page = CROWDED.as_str();
    for anchor in ["a-server-with-a-name-3:area-2", "a-server-with-a-name-12:area-0/scenario-with-a-name-7"] {
        assert_eq!(page.matches(&format!("<td id=\"{anchor}\"")).count(), 1, "{anchor}");
    }
}

#[test]
fn the_page_opens_with_a_sentence_and_a_picture_before_any_link() {
    let page = page();
    let [sentence, picture, links] =
        ["class=\"lead\"", "id=\"opening-title\"", "<nav"].map(|part| page.find(part).unwrap());
    assert!(sentence < picture && picture < links);
}

#[test]
fn servers_can_be_chosen_where_there_are_several() {
    assert_eq!(CROWDED.matches("<input type=\"checkbox\"").count(), 13);
    let mut results = empty(&["tokio"]);
    results.measured.zombie = vec![life("tokio", "drop", 0.1)];
    assert!(!render(&results).unwrap().contains("<fieldset"));
}

#[test]
fn fourteen_servers_have_lines_of_their_own() {
    let names: Vec<String> = (0..14).map(|n| n.to_string()).collect();
    let results = empty(&names.iter().map(String::as_str).collect::<Vec<_>>());
    let inks: std::collections::BTreeSet<_> = names.iter().map(|name| ink(&results, name)).collect();
    assert_eq!(inks.len(), 14);
}
