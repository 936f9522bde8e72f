//! Throughput and latency as tables and sentences.

use load::Row;

use super::{Fast, Standing, standings};
use crate::results::Results;
use crate::stats::{ROUNDS, Summary};
use crate::table::{Cell, Column, Table, Tone};
use crate::text::{ABOUT, ALIKE, BARE, BARE_IS, extremes, number, ratio};

/// A figure by which servers are ranked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Figure {
    /// Answers a second: more is better.
    PerSecond,
    /// The 99th percentile of latency: less is better.
    P99,
}

impl Figure {
    /// Returns the figure of a row.
    pub fn of(self, row: &Row) -> Option<f64> {
        match self {
            Self::PerSecond => Some(row.per_second),
            Self::P99 => row.ok.as_ref()?.p99_ms,
        }
    }

    /// Returns the servers of these rounds, the best first.
    pub fn standings(self, rounds: &[Fast]) -> Vec<Standing<'_>> {
        let sign = if self == Self::PerSecond { 1.0 } else { -1.0 };
        standings(rounds, |row| Some(self.of(row)? * sign))
    }

    /// Says how far the best and the last server are apart, where they can be told apart.
    pub fn compared(self, standings: &[Standing<'_>]) -> String {
        let ranked = standings.iter().filter(|standing| standing.rank.is_some());
        let rounds: Vec<(&str, Summary)> =
            ranked.filter_map(|one| Some((one.server, one.figure(|row| self.of(row))?))).collect();
        if rounds.len() < 2 {
            return "No two servers have three rounds that may be believed, so nothing is ranked.".to_owned();
        }
        let Some([low, high]) = extremes(&rounds) else {
            return format!("No server is told to be faster than another: {ALIKE}.");
        };
        let times = high.1.p50 / low.1.p50.max(f64::MIN_POSITIVE);
        match self {
            Self::PerSecond => format!("{} answers {times:.2} times as many as {}.", high.0, low.0),
            Self::P99 => {
                format!(
                    "99 of 100 answers of {} come {times:.2} times as fast as those of {}.",
                    low.0, high.0
                )
            }
        }
    }
}

/// The table of the closed loop.
pub(super) fn throughput_tables(results: &Results) -> Vec<Table> {
    let rounds = &results.measured.throughput;
    let plan = &results.plan.throughput;
    let names = || rounds.iter().map(|round| round.server.as_str());
    // The others are divided by the first of Go's servers, or else by the floor that does nothing.
    let base = names().find(|name| name.starts_with("go-")).or_else(|| names().next());
    let times = base.map_or("times".to_owned(), |base| format!("× {base}"));
    let columns =
        ["rank", "answers a second", "least", "most", &times].map(Column::from).into_iter().chain([
            Column::of("CPU of each", "µs"),
            "thread switches of each".into(),
            Column::of("load generator's CPU", "%"),
        ]);
    let mut table = Table::new("How many /fast a second?", "server", columns);
    table.note = format!(
        "Closed loop: {} connections, back to back for {} ms, {} rounds. Client and server share the machine's cores, so read \
         the ratios. A closed loop hides stalls: it says how much, and the latency how fast. {ABOUT} {BARE_IS}",
        plan.connections, plan.lasting_ms, plan.rounds
    );
    let standings = Figure::PerSecond.standings(rounds);
    let per_second = |standing: &Standing<'_>| standing.figure(|row| Some(row.per_second));
    let of_base = standings.iter().find(|standing| Some(standing.server) == base).and_then(per_second);
    for standing in &standings {
        let Some(rate) = per_second(standing) else { continue };
        let whole = |value: f64| Cell::plain(number(value.round() as u64));
        let own = Some(standing.server) == base;
        let times = of_base.map(|base| if own { "1.00".to_owned() } else { ratio(&rate, &base) });
        let cells = vec![
            place(standing),
            whole(rate.p50),
            whole(rate.min),
            whole(rate.max),
            Cell::plain(times.unwrap_or_default()),
            median(standing, 1, |row| Some(row.cost?.cpu_us)),
            median(standing, 2, |row| Some(row.cost?.voluntary_switches + row.cost?.involuntary_switches)),
            median(standing, 0, |row| Some(row.generator_cpu * 100.0)),
        ];
        table.line(name(standing), cells);
    }
    table.sentences = told(Figure::PerSecond, &standings);
    table.filled().into_iter().collect()
}

/// The table of the open loop.
pub(super) fn latency_tables(results: &Results) -> Vec<Table> {
    let plan = &results.plan.latency;
    let columns = [
        "rank".into(),
        Column::of("p50", "ms"),
        Column::of("p99", "ms"),
        Column::of("worst", "ms"),
        "answers a second".into(),
        Column::of("sent late, p99", "µs"),
        Column::of("CPU of each", "µs"),
        Column::of("load generator's CPU", "%"),
    ];
    let mut table = Table::new("How fast is /fast?", "server", columns);
    table.note = format!(
        "Open loop: {} a second, come what may, {} rounds. Latency counts from when a request was due; each figure is the \
         median of the rounds. {BARE_IS}",
        number(plan.rate.unwrap_or_default() as u64),
        plan.rounds
    );
    let standings = Figure::P99.standings(&results.measured.latency);
    for standing in &standings {
        let cells = vec![
            place(standing),
            median(standing, 3, |row| Some(row.ok.as_ref()?.p50_ms)),
            median(standing, 3, |row| Figure::P99.of(row)),
            median(standing, 3, |row| Some(row.ok.as_ref()?.max_ms)),
            median(standing, 0, |row| Some(row.rate?.achieved)),
            median(standing, 0, |row| Some(row.lag?.p99_us as f64)),
            median(standing, 1, |row| Some(row.cost?.cpu_us)),
            median(standing, 0, |row| Some(row.generator_cpu * 100.0)),
        ];
        table.line(name(standing), cells);
    }
    table.sentences = told(Figure::P99, &standings);
    table.filled().into_iter().collect()
}

fn place(standing: &Standing<'_>) -> Cell {
    match standing.rank {
        Some(rank) => Cell::plain(rank),
        None if standing.floor => Cell::none(),
        None if standing.is_believed() => Cell::none(),
        None => Cell::new(Tone::Odd, "⚠"),
    }
}

fn name(standing: &Standing<'_>) -> String {
    let part = if standing.rows.len() < standing.turns { " ⚠" } else { "" };
    let bare = if standing.floor { BARE } else { "" };
    format!("{}{bare}{part}", standing.server)
}

fn median(standing: &Standing<'_>, digits: usize, of: impl Fn(&Row) -> Option<f64>) -> Cell {
    standing.figure(of).map_or_else(Cell::none, |figure| Cell::plain(format!("{:.digits$}", figure.p50)))
}

/// Returns the meaning of the rounds, and a sentence for each server with rounds that may not be believed.
fn told(figure: Figure, standings: &[Standing<'_>]) -> Vec<String> {
    let doubted = standings.iter().filter(|standing| !standing.invalid.is_empty());
    let doubt = |standing: &Standing<'_>| {
        let valid = standing.rows.iter().filter(|row| row.is_valid()).count();
        let what = match standing.turns - valid {
            _ if valid == 0 => "not ranked".to_owned(),
            invalid => format!("{invalid} of {} rounds left out", standing.turns),
        };
        format!("⚠ {}: {what}: {}.", standing.server, standing.invalid.join("; "))
    };
    // A run of few rounds ranks nothing, and says so once for all of its tables.
    let is_ranked = standings.iter().any(|standing| standing.turns >= ROUNDS);
    is_ranked.then(|| figure.compared(standings)).into_iter().chain(doubted.map(doubt)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::empty;

    fn round(server: &str, per_second: f64, invalid: &[&str]) -> Fast {
        let invalid = invalid.iter().map(|reason| (*reason).to_owned()).collect();
        let row = Row { per_second, invalid, ..Row::default() };
        Fast { server: server.to_owned(), floor: false, round: 0, at_ms: None, row }
    }

    fn told(rounds: Vec<Fast>) -> Vec<String> {
        let mut results = empty(&["quick", "slow"]);
        results.measured.throughput = rounds;
        throughput_tables(&results).remove(0).sentences
    }

    #[test]
    fn a_server_is_called_faster_only_when_the_ranges_of_three_rounds_part() {
        let rounds = |quick: [f64; 3]| {
            let slow = [100.0, 110.0, 120.0].map(|rate| round("slow", rate, &[]));
            told([slow, quick.map(|rate| round("quick", rate, &[]))].concat()).remove(0)
        };
        assert_eq!(rounds([330.0, 340.0, 300.0]), "quick answers 3.00 times as many as slow.");
        assert!(rounds([119.0, 340.0, 330.0]).starts_with("No server is told to be faster"), "they overlap");
        let two = vec![round("slow", 1.0, &[]), round("slow", 1.0, &[]), round("quick", 9.0, &[])];
        assert!(told(two).is_empty(), "the run says once that few rounds rank nothing");
    }

    #[test]
    fn a_row_that_may_not_be_believed_is_marked_with_its_reason() {
        let told = told(vec![round("quick", 900.0, &["the generator was busy"]), round("slow", 1.0, &[])]);
        assert!(told.contains(&"⚠ quick: not ranked: the generator was busy.".to_owned()), "{told:?}");
    }
}
