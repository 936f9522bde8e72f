//! Figures across servers.

use measure::results::Results;
use measure::storm::{Storm, summary};
use measure::table::{Cell, Table, Tone};
use measure::text::{list, megabytes, number, span};
use measure::zombie::Fate;
use measure::zombie::summary::worst;
use suite::document::Row;

/// Servers whose work is a thread, in two languages; and a third way, for comparison.
const TWINS: [&str; 2] = ["threads", "python-threading"];
const BESIDE: &str = "go-context";

/// The server of threads beside Python's: the same zombies, or not.
pub(super) fn twins(results: &Results) -> Table {
    let names = results.names();
    let both: Vec<Twin<'_>> = TWINS.iter().filter_map(|name| Twin::of(results, name)).collect();
    if both.len() < TWINS.len() {
        return Table::default();
    }
    let beside = names.contains(&BESIDE).then(|| Twin::of(results, BESIDE)).flatten();
    let all: Vec<&Twin<'_>> = both.iter().chain(&beside).collect();
    let names: Vec<&str> = all.iter().map(|twin| twin.name).collect();
    let mut table = Table::new("A thread cannot be dropped, in Rust as in Python", "figure", names);
    table.note =
        "Work in style drop: one request, and then a storm of requests that time out together.".to_owned();
    table.sentences = verdict(&both).into_iter().collect();
    for (head, figure) in FIGURES {
        table.line(*head, all.iter().map(|twin| Cell::plain(figure(twin))).collect());
    }
    table
}

/// A figure of a twin, in words.
type Said = fn(&Twin<'_>) -> String;

/// The lines of the table of twins.
const FIGURES: &[(&str, Said)] = &[
    ("one request: the work went on for", |twin| span(twin.zombie_ms)),
    ("of it, beats after the answer", |twin| number(twin.beats as u64)),
    ("100 requests at once: work that went on", |twin| {
        twin.hundred.map_or_else(|| "–".to_owned(), |(zombies, _)| format!("{zombies:.0}"))
    }),
    ("of it, for (median)", |twin| twin.hundred.map_or_else(|| "–".to_owned(), |(_, ms)| span(ms))),
    ("storm: requests at once", |twin| number(twin.storm.requests as u64)),
    ("requests whose work still ran behind the last answer", |twin| number(twin.storm.left_behind())),
    ("until the last of it ended", |twin| {
        twin.storm.quiesce_ms().map_or_else(|| "not seen".to_owned(), span)
    }),
    ("task-seconds for nobody", |twin| format!("{:.0}", twin.storm.zombie_area())),
    ("threads at the peak", |twin| number(twin.storm.peak().threads)),
    ("memory on top, at the peak", |twin| megabytes(twin.storm.grown())),
];

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
        let Fate::Zombie(zombie_ms) = worst(results, name, "drop")? else { return None };
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
    let title = "Go's own leak profile, beside the heartbeats";
    let columns = ["zombies, by the server's count", "the work went on for", "leaked goroutines, by Go"];
    let mut table = Table::new(title, "server", columns);
    table.note =
        "A client leaves, its detached work goes on, and /debug/pprof/goroutineleak is asked meanwhile."
            .to_owned();
    for row in &rows {
        let cells = vec![
            Cell::new(Tone::Bad, format!("{:.0}", figure(row, "zombies"))),
            Cell::new(Tone::Bad, span(figure(row, "zombie_ms"))),
            Cell::plain(format!("{:.0}", figure(row, "leaked_goroutines"))),
        ];
        table.line(row.server.as_str(), cells);
    }
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
    table.sentences = told.into_iter().collect();
    table
}
