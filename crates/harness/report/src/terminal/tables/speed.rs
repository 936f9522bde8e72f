//! The tables of `/fast`: how many a second, how fast, and what each costs.

use comfy_table::{Cell, Color, Table};
use load::row::Row;
use measure::results::Results;
use measure::throughput::{Fast, Standing, standings};

use super::table;
use measure::text::{ABOUT, number, ratio};

/// A title, a table and what it means.
pub(super) type Section = (String, Option<Table>, Vec<String>);

/// The sections of a run that measured `/fast`.
pub(super) fn sections(results: &Results, color: bool) -> Vec<Section> {
    let plan = &results.plan;
    let (throughput, latency) = (&results.measured.throughput, &results.measured.latency);
    let mut sections = Vec::new();
    if !throughput.is_empty() {
        let title = format!(
            "How many /fast a second? (closed loop: {} connections, back to back for {} ms, {} rounds)",
            plan.throughput.connections, plan.throughput.lasting_ms, plan.throughput.rounds
        );
        sections.push((title, Some(how_many(throughput, color)), about_throughput(throughput)));
    }
    if !latency.is_empty() {
        let title = format!(
            "How fast is /fast? (open loop: {} a second, come what may, {} rounds)",
            number(plan.latency.rate.unwrap_or_default() as u64),
            plan.latency.rounds
        );
        let mut sentences = vec![
            "Latency counts from when a request was due; each figure is the median of the turns.".to_owned(),
        ];
        sentences.extend(doubts(&standings(latency, |row| p99(row).map(|ms| -ms))));
        sections.push((title, Some(how_fast(latency, color)), sentences));
    }
    sections
}

fn p99(row: &Row) -> Option<f64> {
    row.ok.as_ref()?.p99_ms
}

fn how_many(turns: &[Fast], color: bool) -> Table {
    let base = base(turns);
    let times = base.map_or("times".to_owned(), |base| format!("× {base}"));
    let header =
        ["", "server", "a second", "least", "most", &times, "CPU, µs each", "switches each", "client CPU"];
    let mut table = table(&header, color);
    let standings = standings(turns, |row| Some(row.per_second));
    let per_second = |standing: &Standing<'_>| standing.figure(|row| Some(row.per_second));
    let of_base = standings.iter().find(|standing| Some(standing.server) == base).and_then(per_second);
    for standing in &standings {
        let Some(rate) = per_second(standing) else { continue };
        let whole = |value: f64| Cell::new(number(value.round() as u64));
        let times = match of_base {
            Some(_) if Some(standing.server) == base => "1.00".to_owned(),
            of_base => of_base.map(|of_base| ratio(&rate, &of_base)).unwrap_or_default(),
        };
        table.add_row(vec![
            place(standing),
            name(standing),
            whole(rate.p50),
            whole(rate.min),
            whole(rate.max),
            Cell::new(times),
            median(standing, 1, |row| Some(row.cost?.cpu_us)),
            median(standing, 2, |row| Some(row.cost?.voluntary_switches + row.cost?.involuntary_switches)),
            median(standing, 0, |row| Some(row.generator_cpu * 100.0)),
        ]);
    }
    table
}

fn how_fast(turns: &[Fast], color: bool) -> Table {
    let header = [
        "",
        "server",
        "p50, ms",
        "p99, ms",
        "worst, ms",
        "a second",
        "lag p99, µs",
        "CPU, µs each",
        "client CPU",
    ];
    let mut table = table(&header, color);
    for standing in standings(turns, |row| p99(row).map(|ms| -ms)) {
        table.add_row(vec![
            place(&standing),
            name(&standing),
            median(&standing, 3, |row| Some(row.ok.as_ref()?.p50_ms)),
            median(&standing, 3, p99),
            median(&standing, 3, |row| Some(row.ok.as_ref()?.max_ms)),
            median(&standing, 0, |row| Some(row.rate?.achieved)),
            median(&standing, 0, |row| Some(row.lag?.p99_us as f64)),
            median(&standing, 1, |row| Some(row.cost?.cpu_us)),
            median(&standing, 0, |row| Some(row.generator_cpu * 100.0)),
        ]);
    }
    table
}

/// Returns the server by whose figure the others are divided: the first of Go's servers, else the floor that does nothing.
fn base(turns: &[Fast]) -> Option<&str> {
    let names = || turns.iter().map(|turn| turn.server.as_str());
    names().find(|name| name.starts_with("go-")).or_else(|| names().next())
}

fn place(standing: &Standing<'_>) -> Cell {
    match standing.rank {
        Some(rank) => Cell::new(rank),
        None if standing.floor => Cell::new("floor"),
        None if standing.is_believed() => Cell::new("-"),
        None => Cell::new("⚠").fg(Color::Yellow),
    }
}

fn name(standing: &Standing<'_>) -> Cell {
    let part = standing.rows.len() < standing.turns;
    Cell::new(if part { format!("{} ⚠", standing.server) } else { standing.server.to_owned() })
}

fn median(standing: &Standing<'_>, digits: usize, of: impl Fn(&Row) -> Option<f64>) -> Cell {
    Cell::new(standing.figure(of).map_or("-".to_owned(), |figure| format!("{:.digits$}", figure.p50)))
}

fn about_throughput(turns: &[Fast]) -> Vec<String> {
    let standings = standings(turns, |row| Some(row.per_second));
    let mut sentences = vec![
        ABOUT.to_owned(),
        "Client and server share the machine's cores, so read the ratios. A closed loop hides stalls: it says how much, and \
        the next table how fast."
            .to_owned(),
    ];
    sentences.extend(doubts(&standings));
    sentences
}

/// A sentence for each server with turns that may not be believed.
fn doubts(standings: &[Standing<'_>]) -> Vec<String> {
    let doubted = standings.iter().filter(|standing| !standing.invalid.is_empty());
    let line = |standing: &Standing<'_>| {
        let valid = standing.rows.iter().filter(|row| row.is_valid()).count();
        let what = if valid == 0 {
            "not ranked".to_owned()
        } else {
            format!("{} of {} turns left out", standing.turns - valid, standing.turns)
        };
        format!("⚠ {}: {what}: {}", standing.server, standing.invalid.join("; "))
    };
    doubted.map(line).collect()
}
