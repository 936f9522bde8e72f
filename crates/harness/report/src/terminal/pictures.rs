//! Pictures in characters: requests and their work, storms over time, lateness as a curve.

use measure::overshoot::Overshoot;
use measure::results::Results;
use measure::storm::{Reading, Storm, summary};
use measure::table::{Cell, Column, Table};
use measure::text::number;
use measure::zombie::{Fate, Life, STYLES};

use crate::page::scale::Scale;

/// Columns of a bar of the first picture.
const BAR: usize = 46;
/// Columns of each of a storm's two curves.
const CURVE: usize = 32;
/// Columns of a curve of lateness.
const LATE: usize = 56;
/// The least lateness drawn, in milliseconds.
const LEAST: f64 = 0.05;
/// From nothing to all of it.
const LEVELS: [char; 9] = [' ', '▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// Returns the pictures of a measurement, as tables of characters.
pub(super) fn of(name: &str, results: &Results) -> Vec<Table> {
    match name {
        "zombie" => vec![gantt(results)],
        "storm" => results.plan.storm.styles.iter().map(|style| storms(results, style)).collect(),
        "overshoot" => late(results).into_iter().collect(),
        _ => Vec::new(),
    }
}

/// A bar for each server and style: the worst of its lives.
fn gantt(results: &Results) -> Table {
    let limit = results.limits.zombie_ms;
    let ends =
        results.measured.zombie.iter().map(|life| life.alive_ms().max(life.answered_ms.unwrap_or(0.0)));
    let time = Scale::linear(ends.fold(0.0, f64::max), 0.0, BAR as f64);
    let columns = ["server", "█ work, ▒ work after its answer, ░ its answer is late", ""];
    let mut table = Table::new("Requests and their work, over time", "style", columns.map(Column::words));
    for style in STYLES {
        for name in results.names() {
            let Some(life) = results.measured.worst_of(name, style, limit) else { continue };
            let cells = [name.to_owned(), bar(life, life.fate(limit), &time), life.label(limit)];
            table.line(*style, cells.map(Cell::plain).into());
        }
    }
    table
}

fn bar(life: &Life, fate: Fate, time: &Scale) -> String {
    let at = |ms: f64| (time.at(ms).round() as usize).max(1);
    let answered = life.answered_ms.unwrap_or(life.watched_ms);
    let (until, over, ends) = match fate {
        Fate::Stopped(_) => (life.alive_ms().min(answered), ' ', answered),
        Fate::Zombie(_) | Fate::Endless(_) => (answered, '▒', life.alive_ms()),
        Fate::HeldAnswer(_) => (life.deadline_ms, '░', answered),
        Fate::Unborn => return String::new(),
        Fate::NoTimeout => (life.alive_ms(), ' ', 0.0),
    };
    let solid = at(until);
    let beyond = if over == ' ' { 0 } else { at(ends).saturating_sub(solid).max(1) };
    "█".repeat(solid) + &over.to_string().repeat(beyond)
}

/// Two curves for each server: requests that wait, and work that runs.
fn storms(results: &Results, style: &str) -> Table {
    let storms = summary::shown(results, style);
    let longest = storms.iter().map(|storm| storm.after().at_ms).fold(0.0, f64::max);
    let most = storms.iter().map(|storm| storm.peak().work.max(storm.peak().requests)).max().unwrap_or(0);
    let curves = ["requests that wait", "work that runs"].map(Column::words);
    let columns = curves.into_iter().chain(["zombie area".into()]);
    let mut table = Table::new(format!("The same storm over time, style {style}"), "server", columns);
    for storm in storms {
        let curve = |of: fn(&Reading) -> u64| Cell::plain(sparkline(storm, of, longest, most));
        let cells = vec![
            curve(|reading| reading.requests),
            curve(|reading| reading.work),
            Cell::plain(format!("{:.1} task-seconds", storm.zombie_area())),
        ];
        table.line(&storm.server, cells);
    }
    table
}

/// The value at the end of each column's time, as a level.
fn sparkline(storm: &Storm, of: fn(&Reading) -> u64, longest: f64, most: u64) -> String {
    let at = |column: usize| {
        let until = longest * (column + 1) as f64 / CURVE as f64;
        // The first reading was taken before the storm and has no place in it.
        let seen = storm.readings.iter().skip(1).take_while(|reading| reading.at_ms <= until).last();
        level(seen.map_or(0, of) as f64 / most.max(1) as f64)
    };
    (0..CURVE).map(at).collect()
}

/// A character for a share; whatever is above nothing can be seen.
pub(super) fn level(share: f64) -> char {
    let top = (LEVELS.len() - 1) as f64;
    let level = (share * top).round().clamp(0.0, top) as usize;
    LEVELS[if share > 0.0 { level.max(1) } else { 0 }]
}

/// The share of answers up to each lateness, many at once: a curve for each server, over the scheduler's own lateness.
fn late(results: &Results) -> Option<Table> {
    let all = &results.measured.overshoot;
    let many = all.iter().map(|o| o.at_once).max()?;
    let worst = all.iter().filter_map(|o| Some(o.summary_ms?.max)).fold(1.0, f64::max);
    let scale = Scale::logarithmic(LEAST, worst, 0.0, LATE as f64);
    let columns = ["server", "share of answers by their lateness, log scale"].map(Column::words);
    let title = "Lateness as a curve (further left is earlier)";
    let mut table = Table::new(title, "at once", columns);
    for o in all.iter().filter(|o| o.at_once == 1 || o.at_once == many) {
        table.line(number(o.at_once as u64), [o.server.clone(), curve(o, &scale)].map(Cell::plain).into());
    }
    let noise = "░".repeat(scale.at(results.noise.p99_ms).round() as usize);
    table.line("", ["noise".to_owned(), noise].map(Cell::plain).into());
    table.line("", [String::new(), axis(&scale)].map(Cell::plain).into());
    Some(table)
}

fn curve(o: &Overshoot, scale: &Scale) -> String {
    let samples: Vec<f64> = o.rounds_ms.iter().flatten().copied().collect();
    let share = |column: usize| {
        let within = samples.iter().filter(|late| scale.at(**late) <= (column + 1) as f64).count();
        level(within as f64 / samples.len().max(1) as f64)
    };
    (0..LATE).map(share).collect()
}

/// The powers of ten, each where it is.
fn axis(scale: &Scale) -> String {
    let mut axis = String::new();
    for tick in scale.ticks(0, |ms| format!("|{ms} ms")) {
        let at = tick.at.round() as usize;
        let length = axis.chars().count();
        if at >= length && at + tick.label.len() <= LATE {
            axis += &" ".repeat(at - length);
            axis += &tick.label;
        }
    }
    axis
}

#[cfg(test)]
mod tests {
    use super::*;

    fn storm(readings: &[(f64, u64)]) -> Storm {
        let reading =
            |(at_ms, work): &(f64, u64)| Reading { at_ms: *at_ms, work: *work, ..Reading::default() };
        Storm {
            server: "x".into(),
            style: "drop".into(),
            round: 0,
            requests: 8,
            answered_504: 8,
            answered_ms: 50.0,
            quiet_ms: None,
            readings: readings.iter().map(reading).collect(),
        }
    }

    #[test]
    fn a_curve_rises_to_its_peak_and_falls_to_nothing() {
        let storm = storm(&[(0.0, 0), (1.0, 8), (50.0, 4), (80.0, 0), (100.0, 0)]);
        let curve = sparkline(&storm, |reading| reading.work, 100.0, 8);
        assert_eq!(curve.chars().count(), CURVE);
        assert!(curve.starts_with('█') && curve.contains('▄') && curve.ends_with(' '), "{curve}");
    }

    #[test]
    fn little_is_more_than_nothing() {
        assert_eq!((level(0.0), level(0.001), level(1.0), level(7.0)), (' ', '▁', '█', '█'));
    }

    #[test]
    fn the_axis_names_powers_of_ten_where_they_are() {
        let axis = axis(&Scale::logarithmic(0.1, 100.0, 0.0, LATE as f64));
        assert_eq!(axis.find("|1 ms"), Some(19));
        assert!(axis.starts_with("|0.1 ms") && axis.chars().count() <= LATE, "{axis}");
    }

    #[test]
    fn what_overhangs_the_answer_is_drawn_in_another_shade() {
        let time = Scale::linear(460.0, 0.0, BAR as f64);
        let mut life = Life::unknown("x", "drop", 0, std::time::Duration::from_millis(100));
        (life.status, life.answered_ms) = (Some(504), Some(100.0));
        (life.started_ms, life.ended_ms) = (Some(0.0), Some(300.0));
        assert_eq!(bar(&life, life.fate(25.0), &time), "█".repeat(10) + &"▒".repeat(20));
    }
}
