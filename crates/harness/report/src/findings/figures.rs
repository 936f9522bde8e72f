//! The tables of what was measured.

use measure::disconnect::{ACTIONS, Action};
use measure::results::Results;
use measure::storm::Storm;
use measure::zombie::Fate;
use measure::zombie::STYLES;
use suite::document::Row;

use super::{Cell, Line, Table, explanations};
use crate::summary;
use measure::text::{list, megabytes, number, span};

/// Servers whose work is a thread, in two languages; and a third way, for comparison.
const TWINS: [&str; 2] = ["threads", "python-threading"];
const BESIDE: &str = "go-context";

/// Styles of work by servers: how long work went on after its answer.
pub(super) fn styles(results: &Results) -> Table {
    let cell = |server: &str, style: &str| match summary::worst(results, server, style) {
        None => Cell::none(),
        Some(Fate::Stopped(ms)) => Cell::new("good", format!("stops, {}", span(ms))),
        Some(Fate::Zombie(ms)) => Cell::new("bad", format!("zombie, {}", span(ms))),
        Some(Fate::Endless(ms)) => Cell::new("bad", format!("zombie, over {}", span(ms))),
        Some(Fate::HeldAnswer(ms)) if explanations::unanswered(results, server, style) => {
            Cell::new("bad", format!("runs out, no answer, {} late", span(ms)))
        }
        Some(Fate::HeldAnswer(ms)) => Cell::new("odd", format!("504 late by {}", span(ms))),
        Some(Fate::Unborn) => Cell::new("none", "never began"),
        Some(Fate::NoTimeout) => Cell::new("odd", "no timeout"),
    };
    let measured = |name: &&str| results.measured.zombie.iter().any(|life| life.server == **name);
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
        told: STYLES.iter().filter_map(|style| explanations::style(results, style)).collect(),
        reasons: Vec::new(),
    }
}

/// Ways to leave by servers: how soon the work heard of it.
pub(super) fn departures(results: &Results) -> Table {
    let names = results.names();
    let cell = |server: &str, action: &str| match results.measured.heard_of(server, action) {
        None => Cell::none(),
        Some(heard) if heard.canceled == 0 => Cell::new("bad", format!("never, of {}", heard.tries)),
        Some(heard) if heard.canceled < heard.tries => {
            Cell::new("odd", format!("{} of {}, {}", heard.canceled, heard.tries, span(heard.median_ms)))
        }
        Some(heard) => Cell::new("good", format!("{} / {}", span(heard.median_ms), span(heard.worst_ms))),
    };
    let line = |action: &Action| Line {
        head: action.name.to_owned(),
        note: String::new(),
        cells: names.iter().map(|name| cell(name, action.name)).collect(),
    };
    let actions = if results.measured.disconnect.is_empty() { &[][..] } else { ACTIONS };
    Table {
        title: "How soon the work hears that its client left",
        note: "From the moment the client left to the last sign of the canceled work: median / worst of all tries. Never: the \
               work ran to its natural end.",
        first: "the client sends, and leaves by",
        columns: names.iter().map(|name| (*name).to_owned()).collect(),
        lines: actions.iter().map(line).collect(),
        ..Table::default()
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
    Table {
        title: "A thread cannot be dropped, in Rust as in Python",
        note: "Work in style drop: one request, and then a storm of requests that time out together.",
        first: "figure",
        columns: all.iter().map(|twin| twin.name.to_owned()).collect(),
        lines: vec![
            line("one request: the work went on for", &|twin| span(twin.zombie_ms)),
            line("of it, beats after the answer", &|twin| number(twin.beats as u64)),
            line("100 requests at once: works that went on", &|twin| {
                twin.hundred.map_or_else(|| "–".to_owned(), |(zombies, _)| format!("{zombies:.0}"))
            }),
            line("of them, for (median)", &|twin| {
                twin.hundred.map_or_else(|| "–".to_owned(), |(_, ms)| span(ms))
            }),
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
        told: verdict(&both).into_iter().collect(),
        reasons: Vec::new(),
    }
}

/// A server whose work outlived its answer, alone and in a storm.
struct Twin<'a> {
    name: &'a str,
    zombie_ms: f64,
    beats: usize,
    storm: &'a Storm,
    /// The number of zombies of 100 requests at once, and the median of their time; none in a run without that
    /// scenario.
    hundred: Option<(f64, f64)>,
}

impl<'a> Twin<'a> {
    /// Returns a server's figures in style drop; `None` when one is missing or no work was left.
    fn of(results: &'a Results, name: &'a str) -> Option<Self> {
        let lives = results.measured.lives_of(name, "drop");
        let Fate::Zombie(zombie_ms) = summary::worst(results, name, "drop")? else { return None };
        let storms = results.measured.storms_of(name, "drop");
        let storm = summary::representative(&storms)?;
        let row = results.results.iter().find(|row| row.server == name && row.id == "leak/zombies-of-100");
        let hundred = row.and_then(|row| figure(row, "zombies").zip(figure(row, "zombie_ms")));
        Some(Self {
            name,
            zombie_ms,
            beats: lives.iter().map(|life| life.beats_after).max()?,
            storm,
            hundred,
        })
    }
}

/// Says so in a sentence when the servers of threads agree: the same time for one request, and as many zombies of 100.
fn verdict(both: &[Twin<'_>]) -> Option<String> {
    let names: Vec<&str> = both.iter().map(|twin| twin.name).collect();
    let hundreds: Vec<(f64, f64)> = both.iter().map(|twin| twin.hundred).collect::<Option<_>>()?;
    let (time, zombies) =
        (alike(both.iter().map(|twin| twin.zombie_ms)), alike(hundreds.iter().map(|one| one.0)));
    let who = list(&names);
    let (apart, fewest) =
        ((1.0 - time) * 100.0, hundreds.iter().map(|one| one.0).fold(f64::INFINITY, f64::min));
    Some(if time > 0.9 && zombies > 0.9 {
        format!(
            "{who} tell the same story: their zombies of one request differ by {apart:.0} %, and of 100 timeouts at once \
             each leaves at least {fewest:.0} works running. In this the std::net server stands for Python's; in speed it \
             does not."
        )
    } else {
        format!(
            "{who} did not tell the same story in this run: {apart:.0} % apart in the time of one, {:.0} % in the zombies \
             of 100.",
            (1.0 - zombies) * 100.0
        )
    })
}

/// The least of these over the most: 1 when they are the same.
fn alike(values: impl Iterator<Item = f64> + Clone) -> f64 {
    let most = values.clone().fold(0.0, f64::max);
    if most > 0.0 { values.fold(f64::INFINITY, f64::min) / most } else { 0.0 }
}

fn figure(row: &Row, name: &str) -> Option<f64> {
    row.figures.iter().find(|(have, _)| have == name).map(|(_, value)| *value)
}

/// Go's own verdict on leaks beside ours.
pub(super) fn goroutineleak(results: &Results) -> Table {
    let rows: Vec<&Row> = results
        .results
        .iter()
        .filter(|row| row.id == "leak/goroutineleak" && !row.figures.is_empty())
        .collect();
    let figure = |row: &Row, name: &str| figure(row, name).unwrap_or(f64::NAN);
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
