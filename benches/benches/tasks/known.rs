//! Published figures for a million tasks, beside the measured ones.

use benches::tasks::{End, Runtime, Way};
use measure::table::{Cell, Column, Table};
use report::terminal::render::{Screen, table as rendered};

use crate::Measured;
use crate::tables;

/// Peak megabytes of a million sleeping tasks, as published.
const PUBLISHED: [(&str, &str, u64); 8] = [
    ("pkolaczk, 2023", "tokio", 214),
    ("pkolaczk, 2023", "async-std", 528),
    ("pkolaczk, 2023", "Go", 2_658),
    ("pkolaczk, 2023", "Python asyncio", 2_232),
    ("hez2010, 2024", "tokio", 439),
    ("hez2010, 2024", "async-std", 502),
    ("hez2010, 2024", "Go", 2_586),
    ("hez2010, 2024", "Python asyncio", 1_276),
];

const MILLION: usize = 1_000_000;

/// Prints both, if a million was measured.
pub(crate) fn print(measured: &[Measured]) {
    if measured.iter().all(|row| row.case.tasks != MILLION || row.reports.is_empty()) {
        return;
    }
    let ours = |runtime: Runtime, way: Way| {
        measured
            .iter()
            .find(|row| {
                let case = row.case;
                (case.runtime, case.way, case.end, case.tasks) == (runtime, way, End::Timeout, MILLION)
                    && !row.reports.is_empty()
            })
            .map(|row| format!("{:.0}", tables::median(row, |report| report.peak_bytes) / 1e6))
    };
    let columns = [Column::words("runtime"), Column::words("what one task holds"), Column::of("peak", "MB")];
    let mut table = Table::new("", "source", columns);
    let mut add = |source, cells: [&str; 3]| table.line(source, cells.map(Cell::plain).into());
    for (source, runtime, megabytes) in PUBLISHED {
        add(source, [runtime, "a sleep", &megabytes.to_string()]);
    }
    let runtimes = [
        (Runtime::Tokio, "tokio 1.54.1"),
        (Runtime::Smol, "smol 2.0.2"),
        (Runtime::AsyncStd, "async-std 1.13.2"),
    ];
    let ways = [
        (Way::Native, "work, the runtime's timeout"),
        (Way::Shared, "work, a handle of one context with one deadline"),
        (Way::Driven, "work, a context of its own, its deadline in a driver"),
        (Way::Dropped, "work, a context of its own, its deadline in a runtime timer"),
    ];
    for (runtime, name) in runtimes {
        for (way, holds) in ways {
            if let Some(megabytes) = ours(runtime, way) {
                add("this run", [name, holds, &megabytes]);
            }
        }
    }
    println!(
        "\nA million tasks beside the published figures (\"How Much Memory Do You Need to Run 1 Million\n\
         Concurrent Tasks?\" and its successor). Theirs hold no socket, no buffer, no deadline and no work to\n\
         cancel, and come from other machines and versions; smol is in neither. Ours hold no socket and no\n\
         buffer either."
    );
    print!("{}", rendered(&table, Screen::FILE));
}
