//! The fourth step: clients that disconnect.

use askama::Template;
use measure::disconnect::{self, ACTIONS};
use measure::results::Results;
use measure::table::{Cell, Column, Table, Tone};
use measure::text::{list, span};

use super::{Step, all_tied};
use crate::html;

const CHARACTER: f64 = 6.2;
const WIDTH: f64 = 360.0;
const TOP: f64 = 20.0;
const LANE: f64 = 20.0;

/// A square for each server and each way to disconnect.
#[derive(Template)]
#[template(path = "story/left.html")]
struct Grid {
    told: String,
    height: f64,
    step: f64,
    /// The middle of each column, and the number of its way.
    columns: Vec<(f64, usize)>,
    rows: Vec<Row>,
    ways: Vec<String>,
}

/// The squares of a server.
struct Row {
    name: String,
    y: f64,
    /// The left edge of each square, and whether the work was canceled: `good`, `bad`, `odd` for some of it, or `none`.
    squares: Vec<(f64, &'static str)>,
}

/// The servers on which work stopped however its client left, and those on which it did not.
#[derive(Default)]
struct Heard<'a> {
    all: Vec<&'a str>,
    worst_ms: f64,
    /// The number of ways in which work went on, of how many, and the server.
    missed: Vec<(usize, usize, &'a str)>,
}

pub(super) fn step(results: &Results) -> Result<Step, String> {
    let (id, title) = ("step-4", "4. What if the client leaves?");
    let measured = |name: &&str| results.measured.disconnect.iter().any(|one| one.server == **name);
    let names: Vec<&str> = results.names().into_iter().filter(measured).collect();
    if names.is_empty() {
        let told = vec!["This run did not measure it: no client disconnected.".to_owned()];
        return Ok(Step::said(id, title, told));
    }
    let told = [
        "A client that closes its connection waits no longer either, and here no timer helps the server. It hears of it only if it \
         watches the connection while the work runs; then it can tell the work, which here asks at every step whether to stop \
         (context).",
    ];
    let heard = heard(results, &names);
    let mut pictures = html::table(&counts(results, &names), true)?;
    // Squares of one color say no more than the table does.
    if !heard.missed.is_empty() {
        pictures += &grid(results, &names).render().map_err(|error| error.to_string())?;
    }
    let told = all_tied(&told.map(str::to_owned));
    Ok(Step { id, title, told, pictures, points: all_tied(&said(&heard)), table: String::new() })
}

/// The ways to leave of each server in which its work was canceled, and the longest time that took.
fn counts(results: &Results, names: &[&str]) -> Table {
    let columns = [Column::of("work was canceled in", ""), Column::of("the slowest took", "")];
    let mut table = Table::new("Is work canceled when its client leaves?", "server", columns);
    table.note = "Clients leave in several ways: they close their connection, reset it, or close its sending side alone, with or without \
                  more bytes underway. The reference part lists them all."
        .to_owned();
    for name in names {
        let ways: Vec<_> =
            ACTIONS.iter().filter_map(|way| results.measured.heard_of(name, way.name)).collect();
        let canceled = ways.iter().filter(|way| way.canceled == way.tries).count();
        let tone = if canceled == ways.len() { Tone::Good } else { Tone::Bad };
        let worst = ways.iter().filter(|way| way.canceled > 0).map(|way| way.worst_ms).reduce(f64::max);
        let worst = worst.map_or_else(Cell::none, |ms| Cell::plain(span(ms)));
        table.line(*name, vec![Cell::new(tone, format!("{canceled} of {} ways", ways.len())), worst]);
    }
    table
}

fn grid(results: &Results, names: &[&str]) -> Grid {
    let longest = names.iter().map(|name| name.chars().count()).max().unwrap_or(0);
    let left = (longest as f64 * CHARACTER + 8.0).min(WIDTH / 2.6);
    let step = ((WIDTH - left) / ACTIONS.len() as f64).min(24.0).floor();
    let at = |column: usize| left + column as f64 * step;
    let class = |name: &str, action: &str| match results.measured.heard_of(name, action) {
        None => "none",
        Some(heard) if heard.canceled == heard.tries => "good",
        Some(heard) if heard.canceled == 0 => "bad",
        Some(_) => "odd",
    };
    let row = |(index, name): (usize, &&str)| Row {
        name: (*name).to_owned(),
        y: TOP + index as f64 * LANE,
        squares: ACTIONS.iter().enumerate().map(|(n, action)| (at(n), class(name, action.name))).collect(),
    };
    let told = names.iter().map(|name| {
        let missed =
            ACTIONS.iter().filter(|action| matches!(class(name, action.name), "bad" | "odd")).count();
        format!("{name} missed {missed}")
    });
    Grid {
        told: told.collect::<Vec<_>>().join("; "),
        height: TOP + names.len() as f64 * LANE + 2.0,
        step,
        columns: (0..ACTIONS.len()).map(|n| (at(n) + (step - 3.0) / 2.0, n + 1)).collect(),
        rows: names.iter().enumerate().map(row).collect(),
        ways: ACTIONS.iter().map(|action| disconnect::said(action.name)).collect(),
    }
}

fn heard<'a>(results: &Results, names: &[&'a str]) -> Heard<'a> {
    let mut all = Heard::default();
    for name in names {
        let ways: Vec<_> =
            ACTIONS.iter().filter_map(|way| results.measured.heard_of(name, way.name)).collect();
        match ways.iter().filter(|way| way.canceled < way.tries).count() {
            0 => {
                all.all.push(name);
                all.worst_ms = ways.iter().map(|way| way.worst_ms).fold(all.worst_ms, f64::max);
            }
            missed => all.missed.push((missed, ways.len(), name)),
        }
    }
    all.missed.sort_by_key(|(missed, of, _)| (std::cmp::Reverse(*missed), *of));
    all
}

fn said(heard: &Heard<'_>) -> Vec<String> {
    let mut told = Vec::new();
    if !heard.all.is_empty() {
        let (who, took) = (list(&heard.all), span(heard.worst_ms));
        told.push(format!("However its client left, work was canceled on {who}, within {took}."));
    }
    for group in heard.missed.chunk_by(|a, b| (a.0, a.1) == (b.0, b.1)) {
        let who: Vec<&str> = group.iter().map(|(_, _, name)| *name).collect();
        let (missed, of, _) = group[0];
        told.push(format!(
            "In {missed} of {of} ways to leave, work ran to its end for nobody on {}.",
            list(&who)
        ));
    }
    told
}

#[cfg(test)]
mod tests {
    use measure::disconnect::Disconnect;
    use measure::fixtures::empty;
    use measure::zombie::How;

    use super::*;

    #[test]
    fn a_server_that_heard_every_client_and_one_that_heard_none_are_told_apart() {
        let mut results = empty(&["tokio", "python"]);
        let one = |server: &str, action: &str, how| Disconnect {
            server: server.into(),
            action: action.into(),
            round: 0,
            last_ms: 0.7,
            how: Some(how),
        };
        for action in ["FIN", "RST"] {
            results.measured.disconnect.push(one("tokio", action, How::Canceled));
            results.measured.disconnect.push(one("python", action, How::Completed));
        }
        let step = step(&results).unwrap();
        assert_eq!(
            step.points[0],
            "However its client left, work was canceled on tokio, within 0.7\u{a0}ms."
        );
        assert_eq!(step.points[1], "In 2 of 2 ways to leave, work ran to its end for nobody on python.");
        assert!(step.pictures.contains("2 of 2") && step.pictures.contains("0 of 2"), "{}", step.pictures);
        assert!(step.pictures.contains("<svg class=\"picture\""), "what is missed is drawn");
        let drawn = grid(&results, &["tokio", "python"]);
        let classes = |row: &Row| row.squares.iter().map(|(_, class)| *class).take(3).collect::<Vec<_>>();
        assert_eq!(classes(&drawn.rows[0]), ["good", "good", "none"]);
        assert_eq!(classes(&drawn.rows[1]), ["bad", "bad", "none"]);
    }

    #[test]
    fn where_every_client_was_heard_a_table_says_it_without_squares() {
        let mut results = empty(&["tokio"]);
        let (server, action) = ("tokio".to_owned(), "FIN".to_owned());
        results.measured.disconnect =
            vec![Disconnect { server, action, round: 0, last_ms: 0.7, how: Some(How::Canceled) }];
        let step = step(&results).unwrap();
        assert!(step.pictures.contains("1 of 1") && !step.pictures.contains("<svg"), "{}", step.pictures);
    }

    #[test]
    fn a_run_without_disconnects_says_so() {
        assert!(step(&empty(&["x"])).unwrap().told[0].starts_with("This run did not measure it"));
    }
}
