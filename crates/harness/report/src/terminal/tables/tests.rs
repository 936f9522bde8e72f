use load::Row as Load;
use measure::storm::{Reading, Storm};
use measure::throughput::Fast;
use measure::zombie::{How, Life, STYLES};
use suite::document::{Row, Server, Status};
use suite::verdict::Verdict;

use super::*;

/// Returns everything that is printed of a run.
fn all(results: &Results) -> String {
    print(results, Screen::FILE, Depth::Details)
}

/// Every server of the list, each with the longest figures there are.
fn thirteen() -> (Vec<&'static str>, Results) {
    let names = vec![
        "tokio",
        "async-std",
        "smol",
        "threads",
        "go-context",
        "go-timeouthandler",
        "go-writetimeout",
        "python-threading",
        "python-asyncio",
        "plain-hyper",
        "axum",
        "actix",
        "actix-no-half-closed",
    ];
    let mut results = measure::fixtures::run(&[]);
    let first = results.servers.remove(0);
    for name in &names {
        let server = (*name).to_owned();
        results.servers.push(Server { name: server.clone(), ..first.clone() });
        for style in STYLES {
            let mut life = Life::unknown(name, style, 0, std::time::Duration::from_millis(300));
            (life.status, life.answered_ms, life.started_ms) = (Some(504), Some(301.0), Some(0.1));
            (life.ended_ms, life.how, life.beats_after) = (Some(3001.0), Some(How::Completed), 271);
            results.measured.zombie.push(life);
        }
        let most = Reading {
            at_ms: 1500.0,
            requests: 1000,
            work: 1000,
            threads: 1004,
            descriptors: 1016,
            pss: 107_900_000,
            ..Reading::default()
        };
        results.measured.storm.push(Storm {
            server: server.clone(),
            style: "drop".into(),
            round: 0,
            requests: 1000,
            answered_504: 1000,
            answered_ms: 400.0,
            quiet_ms: Some(1400.0),
            readings: vec![most, most, most],
        });
        let row = Load { per_second: 123_456.0, invalid: vec!["late".into()], ..Load::default() };
        let fast = Fast { server, floor: false, round: 0, at_ms: None, row };
        results.measured.throughput.push(fast.clone());
        results.measured.latency.push(fast);
    }
    (names, results)
}

#[test]
fn no_table_of_thirteen_servers_is_too_wide_or_breaks_a_name() {
    let (names, results) = thirteen();
    let text = all(&results);
    for line in text.lines() {
        assert!(line.chars().count() <= usize::from(render::WIDTH), "{line}");
    }
    for name in names {
        let lines = text
            .lines()
            .filter(|line| line.split_whitespace().take(2).any(|word| word == name) && line.starts_with(' '));
        // The work six times, the storm twice, and two tables of speed; the sentences beside them do not count.
        assert!(lines.count() >= 1 + STYLES.len() + 2 + 2, "{name} is broken in\n{text}");
    }
}

/// A run of these servers with one scenario in each of 24 areas.
fn areas(names: &[&str]) -> Results {
    let mut results = measure::fixtures::empty(names);
    results.scenarios.chosen = 24;
    let row = |name: &str, area: u32| Row {
        attempts: 1,
        ..Row::whole_server(name, &format!("a-long-area-{area}/x"), Verdict::Pass, "seen")
    };
    results.results = names.iter().flat_map(|name| (0..24).map(move |area| row(name, area))).collect();
    results
}

#[test]
fn every_area_is_one_unbroken_line_and_four_servers_fit_eighty_columns() {
    for names in [vec!["tokio", "async-std", "smol", "threads"], thirteen().0] {
        let text = all(&areas(&names));
        let rows: Vec<&str> = text.lines().filter(|line| line.starts_with(" a-long-area-")).collect();
        let parts = text.lines().filter(|line| line.starts_with(" area ")).count();
        assert!((1..=4).contains(&parts) && rows.len() == 24 * parts, "{text}");
        let most = if names.len() == 4 { 80 } else { usize::from(render::WIDTH) };
        assert!(rows.iter().all(|row| row.chars().count() <= most), "{text}");
        assert_eq!(rows.iter().map(|row| row.matches("1/1").count()).sum::<usize>(), 24 * names.len());
    }
}

#[test]
fn the_column_of_a_server_that_could_not_run_says_so() {
    let mut results = areas(&["tokio", "go"]);
    results.results.retain(|row| row.server == "tokio");
    results.servers[1].status = Status::Absent;
    let text = all(&results);
    let rows = text.lines().filter(|line| line.starts_with(" a-long-area-"));
    assert_eq!(rows.filter(|row| row.ends_with(" 1/1  absent")).count(), 24, "{text}");
}

#[test]
fn every_line_fits_the_terminal_at_eighty_and_at_a_hundred_columns() {
    for results in
        [thirteen().1, areas(&thirteen().0), measure::fixtures::everything(), measure::fixtures::whole()]
    {
        for (width, depth) in [80, 100]
            .into_iter()
            .flat_map(|width| [Depth::Terse, Depth::Screens, Depth::Details].map(|depth| (width, depth)))
        {
            let text = print(&results, Screen::of(width, false), depth);
            let widest = text.lines().map(|line| line.chars().count()).max();
            assert!(widest.is_some_and(|widest| widest <= usize::from(width)), "{width}, {depth:?}:\n{text}");
        }
    }
}

#[test]
fn a_question_takes_at_most_a_screen_unless_details_are_asked_for() {
    const SCREEN: usize = 40;
    for results in [thirteen().1, areas(&thirteen().0), measure::fixtures::everything()] {
        let text = print(&results, Screen::of(80, false), Depth::Screens);
        // A part of a table begins with a space; a title does not.
        let titles =
            text.lines().enumerate().filter(|(_, line)| line.starts_with(|c: char| c.is_alphanumeric()));
        let starts: Vec<usize> = titles.map(|(at, _)| at).chain([text.lines().count()]).collect();
        assert!(starts.windows(2).all(|pair| pair[1] - pair[0] <= SCREEN), "{text}");
        let details = print(&results, Screen::of(80, false), Depth::Details);
        assert!(details.lines().count() > text.lines().count());
    }
}

#[test]
fn the_conclusion_comes_first_at_every_depth_and_terse_output_has_the_tables_alone() {
    let results = measure::fixtures::whole();
    let text = |depth| print(&results, Screen::FILE, depth);
    for depth in [Depth::Terse, Depth::Screens, Depth::Details] {
        assert!(text(depth).trim_start().starts_with(conclusion::TITLE), "{depth:?}");
    }
    assert!(text(Depth::Details).contains("How late is the 504?"));
    assert!(!text(Depth::Terse).contains("How late is the 504?"));
}

#[test]
fn lines_and_columns_in_which_nothing_was_measured_are_left_out() {
    let mut table = Table::new("", "server", ["one", "two"]);
    table.line("x", vec![Cell::plain(1), Cell::none()]);
    table.line("y", vec![Cell::none(), Cell::none()]);
    let table = measured(&table);
    assert_eq!((table.lines.len(), table.columns.len(), table.lines[0].cells.len()), (1, 1, 1));
}

#[test]
fn what_few_rounds_cannot_tell_is_said_once_and_not_beside_each_table() {
    let results = measure::fixtures::everything();
    let text = print(&results, Screen::FILE, Depth::Screens).replace("\n  ", " ");
    assert_eq!(text.matches("fewer than three rounds").count(), 1, "{text}");
    assert!(text.contains("Bare: a server that does nothing but answer"), "{text}");
}

#[test]
fn a_score_that_is_not_full_has_a_word_beside_it_why() {
    for (verdict, told) in [
        (Verdict::Xfail, "work/drop on threads: no way to stop a thread"),
        (Verdict::Flaky, "work/drop on threads: no way to stop a thread"),
        (Verdict::Warn, "work/drop on threads: went on"),
        (Verdict::Fail, "fail threads work/drop: went on"),
    ] {
        let mut results = measure::fixtures::whole();
        let row = results.results.iter_mut().find(|row| row.verdict == Verdict::Xfail).unwrap();
        row.verdict = verdict;
        row.expected =
            matches!(verdict, Verdict::Xfail | Verdict::Flaky).then(|| "no way to stop a thread".into());
        for depth in [Depth::Terse, Depth::Screens] {
            let text = print(&results, Screen::FILE, depth);
            assert!(text.contains(told), "{verdict:?}, {depth:?}: {text}");
        }
    }
}

#[test]
fn of_many_scores_that_are_not_full_the_first_are_explained_and_the_others_counted() {
    let mut results = areas(&["tokio"]);
    for row in results.results.iter_mut().take(7) {
        row.verdict = Verdict::Warn;
    }
    let text = print(&results, Screen::FILE, Depth::Terse);
    assert_eq!(text.matches(" on tokio: seen").count(), 5, "{text}");
    assert!(text.contains("and 2 more."), "{text}");
}
