//! The tables of what was measured.

use super::super::plan::STYLES;
use super::super::results::Results;
use super::super::storm::Storm;
use super::super::tail::Fate;
use super::super::words::{self, list, megabytes, number, span};
use super::{Cell, Line, Table, told};
use crate::report::Row;

/// Servers whose work is a thread, in two languages; and a third way, for comparison.
const TWINS: [&str; 2] = ["threads", "python-threading"];
const BESIDE: &str = "go-context";

/// Styles of work by servers: how long work went on after its answer.
pub(super) fn styles(results: &Results) -> Table {
    let cell = |server: &str, style: &str| match words::worst(results, server, style) {
        None => Cell::none(),
        Some(Fate::Stopped(ms)) => Cell::new("good", format!("stops, {}", span(ms))),
        Some(Fate::Zombie(ms)) => Cell::new("bad", format!("zombie, {}", span(ms))),
        Some(Fate::Endless(ms)) => Cell::new("bad", format!("zombie, over {}", span(ms))),
        Some(Fate::HeldAnswer(ms)) => Cell::new("odd", format!("504 late by {}", span(ms))),
        Some(Fate::Unborn) => Cell::new("none", "never began"),
        Some(Fate::NoTimeout) => Cell::new("odd", "no timeout"),
    };
    let measured = |name: &&str| results.measured.tails.iter().any(|life| life.server == **name);
    let line = |name: &str| Line {
        head: name.to_owned(),
        note: String::new(),
        cells: STYLES.iter().map(|style| cell(name, style)).collect(),
    };
    Table {
        title: "The deadline passes",
        note: "What became of work that was longer than its deadline, by the style in which it is written: how long it \
               went on after its answer had been read. The worst of all turns.",
        first: "server",
        columns: STYLES.iter().map(|style| (*style).to_owned()).collect(),
        lines: results.names().into_iter().filter(measured).map(line).collect(),
        told: STYLES.iter().filter_map(|style| told::style(results, style)).collect(),
        reasons: Vec::new(),
    }
}

/// The server of threads beside Python's: the same zombies, or not.
pub(super) fn twins(results: &Results) -> Table {
    let names = results.names();
    let both: Vec<Twin<'_>> = TWINS.iter().filter_map(|name| Twin::of(results, name)).collect();
    if both.len() < TWINS.len() {
        return Table::default();
    }
    let beside = names.contains(&BESIDE).then(|| Twin::of(results, BESIDE)).flatten();
    let all: Vec<&Twin<'_>> = both.iter().chain(&beside).collect();
    let line = |head: &str, cell: &dyn Fn(&Twin<'_>) -> String| Line {
        head: head.to_owned(),
        note: String::new(),
        cells: all.iter().map(|twin| Cell::new("none", cell(twin))).collect(),
    };
    let requests = all[0].storm.requests;
    Table {
        title: "A thread cannot be dropped, in Rust as in Python",
        note: "Work in style drop: one request, and then a storm of requests that time out together.",
        first: "figure",
        columns: all.iter().map(|twin| twin.name.to_owned()).collect(),
        lines: vec![
            line("one request: the work went on for", &|twin| span(twin.zombie_ms)),
            line("of it, beats after the answer", &|twin| number(twin.beats as u64)),
            line("storm: requests at once", &|twin| number(twin.storm.requests as u64)),
            line("works still running behind the last answer", &|twin| number(twin.storm.left_behind())),
            line("until the last of them ended", &|twin| {
                twin.storm.quiesce_ms().map_or_else(|| "not seen".to_owned(), span)
            }),
            line("task-seconds for nobody", &|twin| format!("{:.0}", twin.storm.zombie_area())),
            line("threads at the peak", &|twin| number(twin.storm.peak().threads)),
            line("memory on top, at the peak", &|twin| {
                megabytes(twin.storm.peak().pss.saturating_sub(twin.storm.before().pss))
            }),
        ],
        told: vec![verdict(&both, requests)],
        reasons: Vec::new(),
    }
}

/// A server whose work outlived its answer, alone and in a storm.
struct Twin<'a> {
    name: &'a str,
    zombie_ms: f64,
    beats: usize,
    storm: &'a Storm,
}

impl<'a> Twin<'a> {
    /// What was measured of a server in style drop; `None` when something is missing or no work was left.
    fn of(results: &'a Results, name: &'a str) -> Option<Self> {
        let lives = results.measured.tails_of(name, "drop");
        let Fate::Zombie(zombie_ms) = words::worst(results, name, "drop")? else { return None };
        let storms = results.measured.storms_of(name, "drop");
        let storm = words::representative(&storms)?;
        Some(Self { name, zombie_ms, beats: lives.iter().map(|life| life.beats_after).max()?, storm })
    }
}

/// Whether the servers of threads tell the same story: the same time for one, and about the same share left of many.
fn verdict(both: &[Twin<'_>], requests: usize) -> String {
    let names: Vec<&str> = both.iter().map(|twin| twin.name).collect();
    let ratio = |of: &dyn Fn(&Twin<'_>) -> f64| {
        let values: Vec<f64> = both.iter().map(of).collect();
        let most = values.iter().copied().fold(0.0, f64::max);
        let least = values.iter().copied().fold(f64::INFINITY, f64::min);
        if most > 0.0 { least / most } else { 0.0 }
    };
    let (time, left) = (ratio(&|twin| twin.zombie_ms), ratio(&|twin| twin.storm.left_behind() as f64));
    let who = list(&names);
    if time > 0.9 && left > 0.9 {
        format!(
            "{who} tell the same story: their zombies of one request differ by {:.0} %, and of {} timeouts both leave \
             {} works or more running. In this the std::net server stands for Python's.",
            (1.0 - time) * 100.0,
            number(requests as u64),
            number(both.iter().map(|twin| twin.storm.left_behind()).min().unwrap_or(0)),
        )
    } else {
        format!(
            "{who} did not tell the same story in this run: {:.0} % apart in time, {:.0} % in what a storm leaves.",
            (1.0 - time) * 100.0,
            (1.0 - left) * 100.0
        )
    }
}

/// Go's own verdict on leaks beside ours.
pub(super) fn goroutineleak(results: &Results) -> Table {
    let rows: Vec<&Row> = results
        .results
        .iter()
        .filter(|row| row.id == "leak/goroutineleak" && !row.figures.is_empty())
        .collect();
    let figure = |row: &Row, name: &str| {
        row.figures.iter().find(|(have, _)| have == name).map_or(f64::NAN, |(_, value)| *value)
    };
    let line = |row: &&Row| Line {
        head: row.server.clone(),
        note: String::new(),
        cells: vec![
            Cell::new("bad", format!("{:.0}", figure(row, "zombies"))),
            Cell::new("bad", span(figure(row, "zombie_ms"))),
            Cell::new("none", format!("{:.0}", figure(row, "leaked_goroutines"))),
        ],
    };
    let blind =
        rows.iter().filter(|row| figure(row, "zombies") > 0.0 && figure(row, "leaked_goroutines") == 0.0);
    let blind: Vec<&str> = blind.map(|row| row.server.as_str()).collect();
    let told = (!blind.is_empty()).then(|| {
        format!(
            "{}: the profile says 0 while a zombie works on. It finds goroutines that nothing can wake any more, and \
             work that sleeps for nobody will wake; so its 0 is no proof that all work has stopped.",
            list(&blind)
        )
    });
    Table {
        title: "Go's own leak profile, beside the heartbeats",
        note: "A client leaves, its detached work goes on, and /debug/pprof/goroutineleak is asked meanwhile.",
        first: "server",
        columns: ["zombies, by the census", "the work went on for", "leaked goroutines, by Go"]
            .map(str::to_owned)
            .into(),
        lines: rows.iter().map(line).collect(),
        told: told.into_iter().collect(),
        reasons: Vec::new(),
    }
}
