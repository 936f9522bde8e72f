//! The samples of each measurement as plain series, for the document, the files that others read, and the comparison of two
//! runs.
//!
//! Of loads, whose samples are histograms, a series holds a few figures for each round.

use suite::document::{Better, Document, Series};

use crate::footprint::State;
use crate::overshoot::Overshoot;
use crate::results::Results;
use crate::stats::{Line, Summary};
use crate::throughput::Fast;
use crate::zombie::How;
use crate::{interference, plain};

/// A figure of a run: a number for each round, so that its median has a spread.
#[derive(Debug, Clone, PartialEq)]
pub struct Figure {
    /// The server.
    pub server: String,
    /// The measurement, and its quantile.
    pub name: String,
    /// The unit.
    pub unit: String,
    /// Which way is better.
    pub better: Better,
    /// A difference up to this is none.
    pub least: f64,
    /// The rounds in short.
    pub rounds: Summary,
}

/// Rounds with at least so many samples have a 99th percentile beside their median.
const MANY: usize = 10;

/// Every sample of a run, by measurement and server, in the order of the document.
pub fn all(results: &Results) -> Vec<Series> {
    plain::measurements(results).into_iter().flat_map(|measurement| measurement.series).collect()
}

/// Every figure of a run that two runs can be compared by.
pub fn figures(document: &Document) -> Vec<Figure> {
    document.series().flat_map(figures_of).collect()
}

/// The median of each round, and where there are enough samples the 99th percentile.
fn figures_of(series: &Series) -> Vec<Figure> {
    let rounds: Vec<Summary> =
        series.rounds.iter().filter_map(|round| Summary::of(round.iter().copied())).collect();
    let figure = |suffix: &str, of: fn(&Summary) -> f64| {
        Some(Figure {
            server: series.server.clone(),
            name: format!("{}{suffix}", series.what),
            unit: series.unit.clone(),
            better: series.better,
            least: series.least,
            rounds: Summary::of(rounds.iter().map(of))?,
        })
    };
    if rounds.iter().any(|round| round.count >= MANY) {
        figure(", p50", |round| round.p50).into_iter().chain(figure(", p99", |round| round.p99)).collect()
    } else {
        figure("", |round| round.p50).into_iter().collect()
    }
}

/// A value of one server in one round.
struct Sample<'a> {
    server: &'a str,
    what: String,
    round: usize,
    value: Option<f64>,
}

/// Gathers values into series; `unit`, `least` and the better way are the same for all of them.
#[derive(Default)]
struct Gathered(Vec<Series>);

impl Gathered {
    /// Adds a value, if there is one, to the series of its server and quantity, which begins with its first value.
    fn add(&mut self, sample: Sample<'_>, unit: &str, least: f64, better: Better) -> Option<&mut Series> {
        let Sample { server, what, round, value } = sample;
        let value = value?;
        let same = |have: &Series| have.server == server && have.what == what;
        let index = self.0.iter().position(same).unwrap_or_else(|| {
            self.0.push(empty(server, what, unit, least, better));
            self.0.len() - 1
        });
        let series = &mut self.0[index];
        series.rounds.resize(series.rounds.len().max(round + 1), Vec::new());
        series.rounds[round].push(value);
        Some(series)
    }

    /// The same for a value of which less is better.
    fn less(&mut self, sample: Sample<'_>, unit: &str, least: f64) -> Option<&mut Series> {
        self.add(sample, unit, least, Better::Less)
    }
}

fn empty(server: &str, what: String, unit: &str, least: f64, better: Better) -> Series {
    Series {
        server: server.to_owned(),
        what,
        unit: unit.to_owned(),
        better,
        least,
        latency_from: None,
        rounds: Vec::new(),
        rounds_at_ms: Vec::new(),
    }
}

/// Returns the lateness of 504s, one by one and many at once.
pub(crate) fn overshoot(results: &Results) -> Vec<Series> {
    lateness(results, &results.measured.overshoot, "at once")
}

/// Returns the lateness of 504s, in step over one second.
pub(crate) fn spread(results: &Results) -> Vec<Series> {
    lateness(results, &results.measured.spread, "in step over 1 s")
}

fn lateness(results: &Results, measured: &[Overshoot], how: &str) -> Vec<Series> {
    let series = |o: &Overshoot| {
        let what = format!("lateness of the 504, {} {how}", o.at_once);
        Series {
            latency_from: Some(o.deadline_ms),
            rounds: o.turns_ms.clone(),
            rounds_at_ms: o.turns_at_ms.clone(),
            ..empty(&o.server, what, "ms", results.noise.p99_ms, Better::Less)
        }
    };
    measured.iter().map(series).collect()
}

/// Returns the time for which work runs on after its answer, and the lateness of the answer.
pub(crate) fn zombie(results: &Results) -> Vec<Series> {
    let mut all = Gathered::default();
    let (noise, forgiven) = (results.noise.p99_ms, results.limits.zombie_ms);
    for life in &results.measured.tails {
        let sample = |what: &str, value| Sample {
            server: &life.server,
            what: format!("{what}, {}", life.style),
            round: life.turn,
            value,
        };
        all.less(sample("work after its answer", life.tail_ms()), "ms", forgiven);
        if let Some(series) = all.less(sample("lateness of the answer", life.late_ms()), "ms", noise) {
            series.latency_from = Some(life.deadline_ms);
        }
    }
    all.0
}

/// Returns the time until work hears of a disconnect, and the share of work that never does, which is no sample of the
/// first.
pub(crate) fn disconnect(results: &Results) -> Vec<Series> {
    let mut all = Gathered::default();
    for one in &results.measured.departures {
        let canceled = one.how == Some(How::Canceled);
        let (took, missed) = (format!("time to cancel, {}", one.action), f64::from(u8::from(!canceled)));
        let sample = |what, value| Sample { server: &one.server, what, round: one.turn, value };
        all.less(sample(took, canceled.then_some(one.last_ms)), "ms", results.noise.p99_ms);
        all.less(sample(format!("not canceled, {}", one.action), Some(missed)), "share", 0.0);
    }
    for series in all.0.iter_mut().filter(|series| series.unit == "share") {
        for round in series.rounds.iter_mut().filter(|round| !round.is_empty()) {
            *round = vec![round.iter().sum::<f64>() / round.len() as f64];
        }
    }
    all.0
}

/// Returns the remains, the resources and the costs of a burst of timeouts.
pub(crate) fn storm(results: &Results) -> Vec<Series> {
    let mut all = Gathered::default();
    let forgiven = results.limits.zombie_ms;
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
            let what = format!("storm, {}: {what}", storm.style);
            all.less(Sample { server: &storm.server, what, round: storm.turn, value }, unit, least);
        }
    }
    all.0
}

/// `/fast` back to back.
pub(crate) fn throughput(results: &Results) -> Vec<Series> {
    fast(results, &results.measured.throughput, "back to back")
}

/// `/fast` in step with a schedule.
pub(crate) fn latency(results: &Results) -> Vec<Series> {
    fast(results, &results.measured.latency, "in step")
}

fn fast(results: &Results, rounds: &[Fast], name: &str) -> Vec<Series> {
    let mut all = Gathered::default();
    // A row that may not be believed is no sample of the server; it stands in the document with its reason.
    for one in rounds.iter().filter(|one| one.row.is_valid()) {
        let (ok, noise) = (one.row.ok.as_ref(), results.noise.p99_ms);
        let figures = [
            ("answers a second", "1/s", 0.0, Better::More, Some(one.row.per_second)),
            ("median latency", "ms", noise, Better::Less, ok.map(|latency| latency.p50_ms)),
            ("p99 latency", "ms", noise, Better::Less, ok.map(|latency| latency.p99_ms)),
            ("processor time of a request", "µs", 0.0, Better::Less, one.row.cost.map(|cost| cost.cpu_us)),
        ];
        for (what, unit, least, better, value) in figures {
            let what = format!("/fast {name}: {what}");
            all.add(Sample { server: &one.server, what, round: one.turn, value }, unit, least, better);
        }
    }
    all.0
}

/// Bytes that a connection costs.
pub(crate) fn footprint(results: &Results) -> Vec<Series> {
    let mut all = Gathered::default();
    for memory in &results.measured.memory {
        let what = match memory.state {
            State::Idle => "memory of one idle connection",
            State::InFlight => "memory of one request in flight",
        };
        let (what, value) = (what.to_owned(), memory.pss.map(|line| line.slope));
        all.less(Sample { server: &memory.server, what, round: memory.turn, value }, "bytes", 500.0);
    }
    all.0
}

/// The slowest `/fast` of each slot beside a burst, before it and during it.
pub(crate) fn interference(results: &Results) -> Vec<Series> {
    let mut all = Gathered::default();
    for strip in &results.measured.strips {
        let (before, during) = strip.before_and_during();
        for (when, slots) in [("before", before), ("beside", during)] {
            let what = format!("slowest /fast {when} a burst of {}", strip.style);
            let value = interference::worst(&slots);
            let sample = Sample { server: &strip.server, what, round: strip.turn, value };
            all.less(sample, "ms", results.noise.max_ms);
        }
    }
    all.0
}

/// Returns the growth that each further storm on one process leaves behind.
pub(crate) fn leak(results: &Results) -> Vec<Series> {
    let mut all = Gathered::default();
    let leaks = &results.measured.leaks;
    for (index, leak) in leaks.iter().enumerate() {
        let same = |other: &&crate::leak::Leak| (&other.server, &other.style) == (&leak.server, &leak.style);
        let round = leaks[..index].iter().filter(same).count();
        let figures: [(&str, &str, f64, Option<Line>); 4] = [
            ("work", "works", 1.0, leak.work),
            ("threads", "threads", 1.0, leak.threads),
            ("descriptors", "descriptors", 1.0, leak.descriptors),
            ("memory", "bytes", 1e5, leak.anonymous),
        ];
        for (what, unit, least, line) in figures {
            let what = format!("left by each storm, {}: {what}", leak.style);
            let value = line.map(|line| line.slope);
            all.less(Sample { server: &leak.server, what, round, value }, unit, least);
        }
    }
    all.0
}

#[cfg(test)]
mod tests {
    use suite::document::Measurement;

    use super::*;
    use crate::fixtures::{empty, everything, latenesses, life};

    #[test]
    fn samples_are_gathered_by_server_measurement_and_round() {
        let mut results = empty(&["x"]);
        let mut second = life("x", "drop", 7.0);
        second.turn = 1;
        results.measured.tails = vec![life("x", "drop", 5.0), second, life("x", "spin", 9.0)];
        let all = all(&results);
        let tails: Vec<_> = all.iter().filter(|series| series.latency_from.is_none()).collect();
        assert_eq!(tails[0].what, "work after its answer, drop");
        assert_eq!(tails[0].rounds, [[5.0], [7.0]]);
        assert_eq!(tails.len(), 2);
    }

    #[test]
    fn a_figure_is_a_number_for_each_round() {
        let mut results = empty(&["x"]);
        results.measured.overshoot = vec![latenesses("x", &[&[1.0; 10], &[3.0; 10], &[2.0; 10]])];
        let figures = figures(&results.document());
        let names: Vec<_> = figures.iter().map(|figure| figure.name.as_str()).collect();
        assert_eq!(names, ["lateness of the 504, 500 at once, p50", "lateness of the 504, 500 at once, p99"]);
        let rounds = figures[0].rounds;
        assert_eq!((rounds.count, rounds.min, rounds.p50, rounds.max), (3, 1.0, 2.0, 3.0));
    }

    #[test]
    fn every_measurement_has_series_and_figures() {
        let document = everything().document();
        let names: Vec<_> = document.measurements.iter().map(|one| one.name.as_str()).collect();
        assert_eq!(names, plain::NAMES);
        for Measurement { name, series, .. } in &document.measurements {
            assert!(series.iter().any(|one| one.rounds.iter().any(|round| !round.is_empty())), "{name}");
            let compared = figures(&document);
            assert!(
                series.iter().all(|one| compared.iter().any(|f| f.name.starts_with(&one.what))),
                "{name}"
            );
        }
    }

    #[test]
    fn work_that_never_hears_is_counted_and_is_no_time_to_cancel() {
        let results = everything();
        let all = disconnect(&results);
        let of = |what: &str| all.iter().find(|one| one.what == what).map(|one| one.rounds.clone());
        assert_eq!(of("time to cancel, FIN"), Some(vec![vec![2.5]]));
        assert_eq!(of("not canceled, FIN"), Some(vec![vec![0.5]]));
    }
}
