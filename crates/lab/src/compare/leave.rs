//! The table of departures: what a client did, and whether the work of each server heard of it.

use comfy_table::{Cell, Color, Table};
use harness::measure::leave::{ACTIONS, Heard};
use harness::measure::results::Results;
use harness::measure::words::span;

use super::tables::{red, table};

/// The most servers side by side in 100 columns.
const ABREAST: usize = 5;

/// Actions by servers, in as many tables as it takes: median and worst time to cancel, or that the work ran on.
pub(super) fn tables(results: &Results, color: bool) -> Vec<Table> {
    let names = measured(results);
    names.chunks(ABREAST).map(|names| one(results, names, color)).collect()
}

fn measured(results: &Results) -> Vec<&str> {
    let heard = |name: &&str| results.measured.departures.iter().any(|one| one.server == *name);
    results.names().into_iter().filter(heard).collect()
}

fn one(results: &Results, names: &[&str], color: bool) -> Table {
    let mut header = vec!["the client"];
    header.extend(names);
    let mut table = table(&header, color);
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

/// A sentence for each server.
pub(super) fn words(results: &Results) -> Vec<String> {
    let sentence = |name: &str| {
        let heard = |action: &str| results.measured.heard_of(name, action);
        let missed = |action: &&str| heard(action).is_some_and(|heard| heard.canceled < heard.tries);
        let missed: Vec<&str> = ACTIONS.iter().map(|action| action.name).filter(missed).collect();
        let all: Vec<Heard> = ACTIONS.iter().filter_map(|action| heard(action.name)).collect();
        let worst = all.iter().map(|heard| heard.worst_ms).fold(0.0, f64::max);
        let tries: usize = all.iter().map(|heard| heard.tries).sum();
        if missed.is_empty() {
            format!(
                "{name}: the work of all {tries} clients that left was canceled, the last {} later.",
                span(worst)
            )
        } else {
            let (missed, of) = (missed.len(), all.len());
            format!("{name}: in {missed} of {of} ways to leave, work went on to its end for nobody.")
        }
    };
    measured(results).into_iter().map(sentence).collect()
}
