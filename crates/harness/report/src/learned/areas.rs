//! The pages of all figures, one an area.

use measure::registry;
use measure::results::Results;
use measure::table::{Cell, Column, Table};

use crate::findings;

/// A page of large tables.
#[derive(Debug)]
pub struct Area {
    /// Its name, which its file has too.
    pub name: &'static str,
    /// Its heading.
    pub title: &'static str,
    /// Its tables.
    pub tables: Vec<Table>,
}

/// The pages: name, heading, the measurements whose tables stand there, and the areas of the scenarios whose verdicts do.
const PAGES: &[(&str, &str, &[&str], &[&str])] = &[
    ("work", "Work past its deadline", &["zombie", "storm"], &["work"]),
    ("outside", "Work outside the process", &["outside"], &["outside", "hops"]),
    ("disconnect", "Clients that disconnect", &["disconnect"], &["disconnect"]),
    ("spared", "Clients that wait", &[], &["spared"]),
    ("deadline", "Deadlines and connection timeouts", &["overshoot", "spread"], &["deadline", "timeouts"]),
    ("h2", "HTTP/2", &["streams", "resets", "rapid_reset"], &["h2"]),
    ("shutdown", "Shutdown", &[], &["shutdown"]),
    ("cost", "Throughput, latency and memory", &["footprint", "interference", "throughput", "latency"], &[]),
    ("faults", "Bad input, groups and leaks", &["leak"], &["baseline", "faults", "group", "leak"]),
];

/// Returns the pages of a run: the servers first, then each area of which the run has anything.
pub fn areas(results: &Results) -> Vec<Area> {
    let mut pages = vec![servers(results)];
    let mut measured = registry::tables(results);
    let [figures, _] = findings::own(results);
    for (name, title, measurements, areas) in PAGES {
        let mut tables = Vec::new();
        for one in *measurements {
            let place = measured.iter().position(|(have, _)| have == one);
            tables.extend(place.map(|place| measured.remove(place).1).into_iter().flatten());
        }
        if *name == "work" {
            tables.extend(figures.clone());
        }
        for area in *areas {
            tables.extend(findings::area(results, area));
        }
        if !tables.is_empty() {
            pages.push(Area { name, title, tables });
        }
    }
    pages
}

/// The servers of the run, absent ones too.
fn servers(results: &Results) -> Area {
    let columns = ["what it is", "version", "verdicts"].map(Column::words);
    let mut table = Table::new("Who ran", "server", columns);
    for server in &results.servers {
        let version = server.version.as_deref().unwrap_or("–");
        let verdicts = findings::verdicts_of(results, server);
        let cells = [&server.about, version, &verdicts].map(Cell::plain);
        table.line(server.name.as_str(), cells.into());
    }
    Area { name: "servers", title: "The servers", tables: vec![table] }
}
