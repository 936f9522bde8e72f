//! Findings beyond a handler and its connection: work outside the process, streams of HTTP/2, and the cost of it all.

use measure::footprint::{State, summary as footprint};
use measure::outside::{End, Outside, STYLES};
use measure::results::Results;
use measure::stats::Summary;
use measure::table::{Cell, Column, Table};
use measure::text::{number, span};
use measure::throughput::standings;
use suite::document::Row;
use suite::verdict::Verdict;

use super::who::who;
use super::{Finding, LINES, Source};

/// Work outside the process, by style.
pub(super) fn outside(results: &Results) -> Result<Finding, String> {
    let of = |name: &str, style: &str| -> Vec<&Outside> {
        End::ALL.iter().flat_map(|end| results.measured.outside_of(name, style, *end)).collect()
    };
    let is_zombie = |found: &[&Outside]| found.iter().any(|one| one.is_zombie());
    let names = results.names();
    let measured = |style: &str| -> Vec<&str> {
        names.iter().copied().filter(|name| !of(name, style).is_empty()).collect()
    };
    if STYLES.iter().all(|style| measured(style.name).is_empty()) {
        return Err("no work outside was watched".to_owned());
    }
    for trap in ["process-unkilled", "query-dropped"] {
        if measured(trap).iter().any(|name| !is_zombie(&of(name, trap))) {
            return Err(format!("work of style {trap} stopped by itself somewhere"));
        }
    }
    let columns = [
        "seen by",
        "stops when its request ends on",
        "stops at the deadline alone on",
        "goes on to its end on",
        "longest, past its request",
    ];
    let mut table = Table::new("", "style", columns.map(Column::words));
    for style in STYLES.iter().filter(|style| !measured(style.name).is_empty()) {
        let everybody = measured(style.name);
        let goes_on = |name: &str, end: End| is_zombie(&results.measured.outside_of(name, style.name, end));
        let pick = |wanted: fn([bool; 2]) -> bool| {
            let is_it = |name: &&str| wanted(End::ALL.map(|end| goes_on(name, end)));
            who(&everybody.iter().copied().filter(is_it).collect::<Vec<_>>(), &everybody)
        };
        let longest = everybody.iter().flat_map(|name| of(name, style.name)).map(|one| one.outlived_ms);
        let cells = [
            style.witness().to_owned(),
            pick(|[deadline, disconnect]| !deadline && !disconnect),
            pick(|[deadline, disconnect]| !deadline && disconnect),
            pick(|[deadline, _]| deadline),
            span(longest.fold(0.0, f64::max)),
        ];
        table.line(style.name, cells.map(Cell::plain).into());
    }
    Ok(Finding {
        title: "A child process and a query go on until something tells them; closing a call is the only cancel that needs no line"
            .to_owned(),
        table,
        reason: "A child process is not killed when what waits for it is dropped. PostgreSQL looks at its client when it has \
                 something to write: a closed socket stops no query, and `client_connection_check_interval` is 0 unless it is set.",
        source: Source {
            name: "PostgreSQL's `client_connection_check_interval`: 0 disables the check, and is the default",
            at: "https://www.postgresql.org/docs/15/runtime-config-connection.html",
        },
        more: "outside",
    })
}

/// A stream that is reset, over HTTP/2.
pub(super) fn streams(results: &Results) -> Result<Finding, String> {
    let row = |name: &str, id: &str| results.results.iter().find(|row| row.server == name && row.id == id);
    let judged = |name: &&str| row(name, "h2/reset-time").is_some_and(Row::is_judged);
    let names: Vec<&str> = results.names().into_iter().filter(judged).collect();
    let missed = |name: &&str| row(name, "h2/reset-time").is_some_and(|row| row.verdict != Verdict::Pass);
    if names.is_empty() {
        return Err("no stream was reset".to_owned());
    }
    if names.iter().any(missed) {
        return Err("not every server stopped the work of a stream that was reset".to_owned());
    }
    let figure = |name: &str, id: &str, wanted: &str| {
        let found = row(name, id)?.figures.iter().find(|(have, _)| have == wanted)?;
        Some(found.1)
    };
    let columns = [
        Column::of("from the reset to stopped work, median", ""),
        Column::of("p99", ""),
        Column::of("most at work under 2,000 rapid resets", ""),
        Column::words("slot held until the work has ended"),
        Column::of("checks kept", ""),
    ];
    let mut table = Table::new("", "server", columns);
    let dash = || "–".to_owned();
    for name in names.iter().take(LINES) {
        let (kept, of) = results.score(name, "h2");
        let held = row(name, "h2/slots-held-by-work").map(|row| row.verdict);
        let cells = [
            figure(name, "h2/reset-time", "cancel_median_ms").map_or_else(dash, |ms| format!("{ms:.2} ms")),
            figure(name, "h2/reset-time", "cancel_p99_ms").map_or_else(dash, |ms| format!("{ms:.2} ms")),
            figure(name, "h2/rapid-reset", "live_most").map_or_else(dash, |most| number(most as u64)),
            match held {
                Some(Verdict::Pass) => "yes".to_owned(),
                Some(Verdict::Unsupported) | None => dash(),
                Some(_) => "no".to_owned(),
            },
            format!("{kept} of {of}"),
        ];
        table.line(*name, cells.map(Cell::plain).into());
    }
    Ok(Finding {
        title: format!(
            "Over HTTP/2 all {} servers hear a disconnect, for it is a frame; what counts is when the slot is free again",
            names.len()
        ),
        table,
        reason: "A reset frees the stream at once. A client that resets what it has just asked for can ask again while the work \
                 goes on, so a limit of streams bounds no work: the slot must be held until the work has ended.",
        source: Source {
            name: "Go's CVE-2023-39325: a reset lets a new request in while the existing one still runs",
            at: "https://go.dev/issue/63417",
        },
        more: "h2",
    })
}

/// The processor time of a request under a deadline, beside the same library without one.
pub(super) fn cost(results: &Results) -> Result<Finding, String> {
    const PLAIN: &str = "plain-hyper";
    let standings = standings(&results.measured.throughput, |row| Some(-row.cost?.cpu_us));
    let cpu = |name: &str| {
        let standing = standings.iter().find(|standing| standing.server == name)?;
        standing.is_believed().then(|| standing.figure(|row| Some(row.cost?.cpu_us))).flatten()
    };
    let not = || "the rounds of this run may not be believed, or were not taken".to_owned();
    let (plain, tokio) = (cpu(PLAIN).ok_or_else(not)?, cpu("tokio").ok_or_else(not)?);
    if !tokio.parts_from(&plain) {
        return Err("the rounds of the two servers overlap, or are fewer than three".to_owned());
    }
    let columns = ["CPU of a request, median", "least", "most"].map(|name| Column::of(name, "µs"));
    let mut table = Table::new("", "server", columns);
    for standing in &standings {
        if let (Some(cpu), true) = (cpu(standing.server), table.lines.len() < LINES) {
            let cells = [cpu.p50, cpu.min, cpu.max].map(|value| Cell::plain(format!("{value:.1}")));
            table.line(standing.server, cells.into());
        }
    }
    Ok(Finding {
        title: format!(
            "A deadline, a disconnect that is heard, and the server's own count cost {:.1} µs of processor time a request",
            tokio.p50 - plain.p50
        ),
        table,
        reason: "`tokio` is the same library on the same runtime as `plain-hyper`, and keeps every promise of the contract; \
                 `plain-hyper` is the guide's example with `tokio::time::timeout` around the work.",
        source: Source { name: "the figures of `ctx` alone", at: "results/2026-11-26-ctx-figures.md" },
        more: "servers",
    })
}

/// The memory of a request in flight.
pub(super) fn memory(results: &Results) -> Result<Finding, String> {
    let mut slopes: Vec<(&str, Summary)> = footprint::by_server(results, State::InFlight)
        .into_iter()
        .filter_map(|(name, rounds)| Some((name, footprint::slopes(&rounds)?)))
        .collect();
    slopes.sort_by(|a, b| a.1.p50.total_cmp(&b.1.p50));
    let ([least, .., most], false) = (&slopes[..], slopes.is_empty()) else {
        return Err("the memory of fewer than two servers was read".to_owned());
    };
    let kilobytes = |bytes: f64| format!("{:.1} kB", bytes / 1e3);
    let title = format!(
        "A request that is at work costs {} of memory on {}, and {} on {}",
        kilobytes(least.1.p50),
        least.0,
        kilobytes(most.1.p50),
        most.0
    );
    let columns = ["memory of a request, median", "least", "most"].map(|name| Column::of(name, ""));
    let mut table = Table::new("", "server", columns);
    // Both ends are in the title, and so in the table.
    let shown = slopes.iter().take(LINES - 1).chain(slopes.iter().skip(LINES - 1).last());
    for (name, slope) in shown {
        let cells = [slope.p50, slope.min, slope.max].map(|bytes| Cell::plain(kilobytes(bytes)));
        table.line(*name, cells.into());
    }
    Ok(Finding {
        title,
        table,
        reason: "A task is as large as the state of its future, and a thread as the pages of its stack that it has touched. The \
                 socket's buffers in the kernel are not in these figures.",
        source: Source {
            name: "what a request in flight costs, and what ends first on the way to a million",
            at: "scale.md",
        },
        more: "cost",
    })
}
