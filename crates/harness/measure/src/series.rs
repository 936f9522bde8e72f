//! The samples of each measurement as plain series, for the document, the files that others read, and the comparison of two
//! runs.
//!
//! Of loads, whose samples are histograms, a series holds a few figures for each round.

use suite::document::{Better, Document, Series};

use crate::results::Results;
use crate::stats::Summary;

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

/// Every sample of a run, by measurement and server, in the order of the document.
pub fn all(results: &Results) -> Vec<Series> {
    results.document().measurements.into_iter().flat_map(|measurement| measurement.series).collect()
}

/// Every figure of a run that two runs can be compared by.
pub fn figures(document: &Document) -> Vec<Figure> {
    document.series().flat_map(figures_of).collect()
}

/// The median of each round, and where there are enough samples the 99th percentile.
fn figures_of(series: &Series) -> Vec<Figure> {
    let rounds: Vec<Summary> =
        series.rounds.iter().filter_map(|round| Summary::of(round.iter().copied())).collect();
    let figure = |suffix: &str, of: fn(&Summary) -> Option<f64>| {
        Some(Figure {
            server: series.server.clone(),
            name: format!("{}{suffix}", series.what),
            unit: series.unit.clone(),
            better: series.better,
            least: series.least,
            rounds: Summary::of(rounds.iter().filter_map(of))?,
        })
    };
    let median: fn(&Summary) -> Option<f64> = |round| Some(round.p50);
    match figure(", p99", |round| round.p99) {
        Some(p99) => figure(", p50", median).into_iter().chain([p99]).collect(),
        None => figure("", median).into_iter().collect(),
    }
}

/// A value of one server in one round.
pub(crate) struct Sample<'a> {
    pub(crate) server: &'a str,
    pub(crate) what: String,
    pub(crate) round: usize,
    pub(crate) value: Option<f64>,
}

/// Gathers values into series; `unit`, `least` and the better way are the same for all of them.
#[derive(Default)]
pub(crate) struct Gathered(pub(crate) Vec<Series>);

impl Gathered {
    /// Adds a value, if there is one, to the series of its server and quantity, which begins with its first value.
    pub(crate) fn add(
        &mut self,
        sample: Sample<'_>,
        unit: &str,
        least: f64,
        better: Better,
    ) -> Option<&mut Series> {
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
    pub(crate) fn less(&mut self, sample: Sample<'_>, unit: &str, least: f64) -> Option<&mut Series> {
        self.add(sample, unit, least, Better::Less)
    }
}

/// A series without samples.
pub(crate) fn empty(server: &str, what: String, unit: &str, least: f64, better: Better) -> Series {
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

#[cfg(test)]
mod tests {
    use suite::document::Measurement;

    use super::*;
    use crate::fixtures::{empty, everything, latenesses, life};
    use crate::registry;

    #[test]
    fn samples_are_gathered_by_server_measurement_and_round() {
        let mut results = empty(&["x"]);
        let mut second = life("x", "drop", 7.0);
        second.round = 1;
        results.measured.zombie = vec![life("x", "drop", 5.0), second, life("x", "spin", 9.0)];
        let all = all(&results);
        let tails: Vec<_> = all.iter().filter(|series| series.latency_from.is_none()).collect();
        assert_eq!(tails[0].what, "work after its answer, drop");
        assert_eq!(tails[0].rounds, [[5.0], [7.0]]);
        assert_eq!(tails.len(), 2);
    }

    #[test]
    fn a_figure_is_a_number_for_each_round() {
        let mut results = empty(&["x"]);
        results.measured.overshoot = vec![latenesses("x", &[&[1.0; 300], &[3.0; 300], &[2.0; 300]])];
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
        assert_eq!(names, registry::ALL.iter().map(|(name, _)| *name).collect::<Vec<_>>());
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
        let all = all(&results);
        let of = |what: &str| all.iter().find(|one| one.what == what).map(|one| one.rounds.clone());
        assert_eq!(of("time to cancel, FIN"), Some(vec![vec![2.5]]));
        assert_eq!(of("not canceled, FIN"), Some(vec![vec![0.5]]));
    }
}
