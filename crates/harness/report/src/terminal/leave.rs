//! The table of departures: what a client did, and whether the work of each server heard of it.

use comfy_table::{Cell, Color, ColumnConstraint, Table};
use measure::disconnect::{self, ACTIONS, Heard};
use measure::results::Results;
use measure::text::span;
use suite::document::Gap;

use super::tables::{WIDTH, abreast, red, table};

/// The width of `0.2 / 16.1 ms`; a longer name makes its column wider.
const CELL: usize = 13;

/// Actions by servers, in as many tables as it takes: median and worst time to cancel, or that the work ran on.
pub(super) fn tables(results: &Results, color: bool) -> Vec<Table> {
    let first = ACTIONS.iter().map(|action| action.name.len()).max().unwrap_or(0);
    let parts = abreast(&measured(results), first, CELL, WIDTH);
    parts.into_iter().map(|names| one(results, &names, color)).collect()
}

fn measured(results: &Results) -> Vec<&str> {
    let heard = |name: &&str| results.measured.disconnect.iter().any(|one| one.server == *name);
    results.names().into_iter().filter(heard).collect()
}

fn one(results: &Results, names: &[&str], color: bool) -> Table {
    let mut header = vec!["the client"];
    header.extend(names);
    let mut table = table(&header, color);
    for column in table.column_iter_mut() {
        column.set_constraint(ColumnConstraint::ContentWidth);
    }
    for action in ACTIONS {
        let mut cells = vec![Cell::new(action.name)];
        cells.extend(names.iter().map(|name| cell(results.measured.heard_of(name, action.name))));
        table.add_row(cells);
    }
    table
}

fn cell(heard: Option<Heard>) -> Cell {
    match heard {
        None => Cell::new("-"),
        Some(heard) if heard.canceled == heard.tries => {
            Cell::new(format!("{:.1} / {:.1} ms", heard.median_ms, heard.worst_ms)).fg(Color::Green)
        }
        Some(heard) if heard.canceled == 0 => red("ran on"),
        Some(heard) => red(format!("{} of {} ran on", heard.tries - heard.canceled, heard.tries)),
    }
}

/// A sentence for each server, and one for each action that it does not let come to a departure.
pub(super) fn words(results: &Results) -> Vec<String> {
    measured(results)
        .into_iter()
        .flat_map(|name| [canceled(results, name)].into_iter().chain(unborn(results, name)))
        .collect()
}

/// Returns the number of canceled units of work, and the time until their cancel.
fn canceled(results: &Results, name: &str) -> String {
    let all: Vec<Heard> =
        ACTIONS.iter().filter_map(|action| results.measured.heard_of(name, action.name)).collect();
    let missed = all.iter().filter(|heard| heard.canceled < heard.tries).count();
    let tries: usize = all.iter().map(|heard| heard.tries).sum();
    let took = results.measured.canceled_of(name);
    let took = took.map(|took| match took.p99 {
        Some(p99) => format!("p99 {}, worst {}", span(p99), span(took.max)),
        None => format!("median {}, worst {}", span(took.p50), span(took.max)),
    });
    match (missed, took) {
        (0, Some(took)) => format!("{name}: the work of all {tries} clients that left was canceled: {took}."),
        (_, took) => {
            let heard = took.map(|took| format!("; where it was canceled: {took}")).unwrap_or_default();
            format!(
                "{name}: in {missed} of {} ways to leave, work went on to its end for nobody{heard}.",
                all.len()
            )
        }
    }
}

/// True for a gap that the sentences tell.
pub(super) fn tells(gap: &Gap) -> bool {
    gap.unsupported && ACTIONS.iter().any(|action| gap.what == disconnect::gap(action.name))
}

/// Why there is a `-` in the server's column.
fn unborn(results: &Results, name: &str) -> Option<String> {
    let is_gap = |action: &str| {
        let what = disconnect::gap(action);
        results.measured.gaps.iter().any(|gap| gap.server == name && gap.what == what)
    };
    let actions: Vec<&str> = ACTIONS.iter().map(|action| action.name).filter(|name| is_gap(name)).collect();
    (!actions.is_empty()).then(|| {
        let actions = actions.join("; ");
        format!("{name}: - behind {actions}: the work of such a request does not begin, so there is none to cancel.")
    })
}

#[cfg(test)]
mod tests {
    use measure::disconnect::Disconnect;
    use measure::zombie::How;

    use super::*;

    /// A run in which 300 clients of x left by FIN and were heard, the last late, and none could leave by the last action.
    fn run() -> Results {
        let mut results = measure::fixtures::run(&[]);
        let departure = |last_ms| Disconnect {
            server: "x".into(),
            action: "FIN".into(),
            round: 0,
            last_ms,
            how: Some(How::Canceled),
        };
        results.measured.disconnect =
            (1..=300).map(|number| departure(if number < 300 { 0.2 } else { 9.0 })).collect();
        let what = disconnect::gap("POST, whole unread, FIN");
        results.measured.gaps =
            vec![Gap { server: "x".into(), what, unsupported: true, why: "no work".into() }];
        results
    }

    #[test]
    fn a_server_is_told_by_its_99th_percentile_and_by_what_never_began() {
        let results = run();
        let words = words(&results);
        assert_eq!(
            words[0],
            "x: the work of all 300 clients that left was canceled: p99 0.2 ms, worst 9.0 ms."
        );
        assert!(words[1].starts_with("x: - behind POST, whole unread, FIN: the work"), "{words:?}");
        assert!(results.measured.gaps.iter().all(tells));
        let table = one(&results, &["x"], false).to_string();
        assert!(table.lines().last().is_some_and(|line| line.trim_end().ends_with(" -")), "{table}");
    }
}
