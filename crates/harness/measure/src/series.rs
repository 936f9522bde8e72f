//! Every sample of a run in one flat list, for the files that others read and for the comparison of two runs.

use crate::footprint::State;
use crate::results::Results;
use crate::stats::Summary;

/// The samples of one server in one measurement.
#[derive(Debug, Clone, PartialEq)]
pub struct Series {
    /// The server.
    pub server: String,
    /// What was measured.
    pub measurement: String,
    /// The unit of every value.
    pub unit: &'static str,
    /// Which way is better.
    pub better: Better,
    /// A difference up to this, in the same unit, is none: the machine's noise, or what the lab forgives.
    pub least: f64,
    /// Added to a value it makes the latency of an answer; none when a value is something else.
    pub latency_from: Option<f64>,
    /// The values: a list for each turn.
    pub turns: Vec<Vec<f64>>,
    /// When each turn began, in milliseconds since the run did; empty where that is not known.
    pub turns_at_ms: Vec<f64>,
}

/// Which way is better.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Better {
    /// Less is better.
    Less,
    /// More is better.
    More,
}

/// A figure of a run: a number for each turn, so that its median has a spread.
#[derive(Debug, Clone, PartialEq)]
pub struct Figure {
    /// The server.
    pub server: String,
    /// What was measured, and which quantile of it.
    pub name: String,
    /// The unit.
    pub unit: &'static str,
    /// Which way is better.
    pub better: Better,
    /// A difference up to this is none.
    pub least: f64,
    /// The turns in short.
    pub turns: Summary,
}

/// Turns with at least so many samples have a 99th percentile beside their median.
const MANY: usize = 10;

/// Every sample of a run, by measurement and server, in the order of the report; of loads, whose samples are histograms, a
/// few figures for each turn.
pub fn all(results: &Results) -> Vec<Series> {
    let mut all = Vec::new();
    let (noise, forgiven) = (results.noise.p99_ms, results.limits.zombie_ms);
    for o in &results.measured.overshoot {
        all.push(Series {
            measurement: format!("lateness of the 504, {} at once", o.at_once),
            latency_from: Some(o.deadline_ms),
            turns: o.turns_ms.clone(),
            turns_at_ms: o.turns_at_ms.clone(),
            ..Series::less(&o.server, "ms", noise)
        });
    }
    for life in &results.measured.tails {
        if let Some(tail) = life.tail_ms() {
            let measurement = format!("work after its answer, {}", life.style);
            add(
                &mut all,
                Series { measurement, ..Series::less(&life.server, "ms", forgiven) },
                life.turn,
                tail,
            );
        }
        if let Some(late) = life.late_ms() {
            let measurement = format!("lateness of the answer, {}", life.style);
            let latency_from = Some(life.deadline_ms);
            let series = Series { measurement, latency_from, ..Series::less(&life.server, "ms", noise) };
            add(&mut all, series, life.turn, late);
        }
    }
    for storm in &results.measured.storms {
        let (before, peak) = (storm.before(), storm.peak());
        let grown = peak.pss.saturating_sub(before.pss) as f64;
        // One in twenty may be caught between its answer and its end by the reading.
        let few = storm.requests as f64 / 20.0;
        let figures = [
            ("work left over", "works", few, Some(storm.left_behind() as f64)),
            (
                "zombie area",
                "task-seconds",
                storm.requests as f64 * forgiven / 1e3,
                Some(storm.zombie_area()),
            ),
            ("quiet after", "ms", forgiven, storm.quiesce_ms()),
            ("most threads", "threads", few, Some(peak.threads as f64)),
            ("most descriptors", "descriptors", few, Some(peak.descriptors as f64)),
            ("growth of memory", "bytes", 1e6, Some(grown)),
        ];
        for (what, unit, least, value) in figures {
            let measurement = format!("storm, {}: {what}", storm.style);
            let series = Series { measurement, ..Series::less(&storm.server, unit, least) };
            if let Some(value) = value {
                add(&mut all, series, storm.turn, value);
            }
        }
    }
    for (name, turns) in
        [("back to back", &results.measured.throughput), ("in step", &results.measured.latency)]
    {
        // A row that may not be believed is no sample of the server; it stands in the document with its reason.
        for turn in turns.iter().filter(|turn| turn.row.is_valid()) {
            let figures = [
                ("answers a second", "1/s", Better::More, Some(turn.row.per_second)),
                ("median latency", "ms", Better::Less, turn.row.ok.as_ref().map(|latency| latency.p50_ms)),
                ("p99 latency", "ms", Better::Less, turn.row.ok.as_ref().map(|latency| latency.p99_ms)),
                ("processor time of a request", "µs", Better::Less, turn.row.cost.map(|cost| cost.cpu_us)),
            ];
            for (what, unit, better, value) in figures {
                let measurement = format!("/fast {name}: {what}");
                let least = if unit == "ms" { noise } else { 0.0 };
                let series = Series { measurement, better, ..Series::less(&turn.server, unit, least) };
                if let Some(value) = value {
                    add(&mut all, series, turn.turn, value);
                }
            }
        }
    }
    add_memory(&mut all, results);
    all
}

/// What a connection costs, a value a turn.
fn add_memory(all: &mut Vec<Series>, results: &Results) {
    for memory in &results.measured.memory {
        let what = match memory.state {
            State::Idle => "idle connection",
            State::InFlight => "request in flight",
        };
        let series = Series::less(&memory.server, "bytes", 500.0);
        let series = Series { measurement: format!("memory of one {what}"), ..series };
        if let Some(line) = memory.pss {
            add(all, series, memory.turn, line.slope);
        }
    }
}

/// Every figure of a run that two runs can be compared by.
pub fn figures(results: &Results) -> Vec<Figure> {
    all(results).iter().flat_map(Series::figures).collect()
}

impl Series {
    /// No samples yet, and less of them is better.
    fn less(server: &str, unit: &'static str, least: f64) -> Self {
        Self {
            server: server.to_owned(),
            measurement: String::new(),
            unit,
            better: Better::Less,
            least,
            latency_from: None,
            turns: Vec::new(),
            turns_at_ms: Vec::new(),
        }
    }

    /// The median of each turn, and where there are enough samples the 99th percentile.
    fn figures(&self) -> Vec<Figure> {
        let turns: Vec<Summary> =
            self.turns.iter().filter_map(|turn| Summary::of(turn.iter().copied())).collect();
        let figure = |suffix: &str, of: fn(&Summary) -> f64| {
            Some(Figure {
                server: self.server.clone(),
                name: format!("{}{suffix}", self.measurement),
                unit: self.unit,
                better: self.better,
                least: self.least,
                turns: Summary::of(turns.iter().map(of))?,
            })
        };
        if turns.iter().any(|turn| turn.count >= MANY) {
            figure(", p50", |turn| turn.p50).into_iter().chain(figure(", p99", |turn| turn.p99)).collect()
        } else {
            figure("", |turn| turn.p50).into_iter().collect()
        }
    }
}

/// Adds a value to the series of its server and measurement, which begins with its first value.
fn add(all: &mut Vec<Series>, series: Series, turn: usize, value: f64) {
    let same = |have: &Series| (&have.server, &have.measurement) == (&series.server, &series.measurement);
    let found = all.iter().position(same).unwrap_or_else(|| {
        all.push(series);
        all.len() - 1
    });
    let turns = &mut all[found].turns;
    turns.resize(turns.len().max(turn + 1), Vec::new());
    turns[turn].push(value);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::{empty, latenesses, life};

    #[test]
    fn samples_are_gathered_by_server_measurement_and_turn() {
        let mut results = empty(&["x"]);
        let mut second = life("x", "drop", 7.0);
        second.turn = 1;
        results.measured.tails = vec![life("x", "drop", 5.0), second, life("x", "spin", 9.0)];
        let all = all(&results);
        let tails: Vec<_> = all.iter().filter(|series| series.latency_from.is_none()).collect();
        assert_eq!(tails[0].measurement, "work after its answer, drop");
        assert_eq!(tails[0].turns, [[5.0], [7.0]]);
        assert_eq!(tails.len(), 2);
    }

    #[test]
    fn a_figure_is_a_number_for_each_turn() {
        let mut results = empty(&["x"]);
        results.measured.overshoot = vec![latenesses("x", &[&[1.0; 10], &[3.0; 10], &[2.0; 10]])];
        let figures = figures(&results);
        let names: Vec<_> = figures.iter().map(|figure| figure.name.as_str()).collect();
        assert_eq!(names, ["lateness of the 504, 500 at once, p50", "lateness of the 504, 500 at once, p99"]);
        let turns = figures[0].turns;
        assert_eq!((turns.count, turns.min, turns.p50, turns.max), (3, 1.0, 2.0, 3.0));
    }
}
