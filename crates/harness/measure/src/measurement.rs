//! The one shape of all measurements: the plan, the taking of a round, the samples, the tables and their sentences.

use std::fmt::Debug;
use std::time::Duration;

use load::tally::Latencies;
use schemars::JsonSchema;
use serde::Serialize;
use serde::de::DeserializeOwned;
use suite::document::Series;

use crate::results::Results;
use crate::schedule::Taker;
use crate::table::Table;

/// The length of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, serde::Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Size {
    /// Fewer rounds and shorter work: about 25 s for four servers.
    Quick,
    /// The measurements of a run that asks for nothing else: about 60 s for four servers.
    Standard,
    /// Everything, often enough for a median: several minutes.
    Full,
}

impl Size {
    /// Returns the value of this size.
    pub fn pick<T>(self, quick: T, standard: T, full: T) -> T {
        match self {
            Self::Quick => quick,
            Self::Standard => standard,
            Self::Full => full,
        }
    }
}

/// A measurement. A new one is a file with this trait, a line of the [registry](crate::registry), and a picture in the report
/// if it has one.
pub trait Measurement {
    /// The record of one round of one server, in the shape of the document.
    type Record: Clone + Debug + Serialize + DeserializeOwned + JsonSchema;
    /// Its settings, and how many rounds it takes.
    type Plan: Clone + Debug + PartialEq + Serialize + DeserializeOwned + JsonSchema;

    /// Old names of it on the command line.
    const ALIASES: &'static [&'static str] = &[];

    /// True when servers that do next to nothing stand beside the others.
    const FLOORS: bool = false;

    /// Returns the plan of a run of this size.
    fn plan(size: Size) -> Self::Plan;

    /// Returns the numbers of rounds of a plan; all zero, nothing is measured.
    fn rounds(plan: &mut Self::Plan) -> Vec<&mut usize>;

    /// Takes all rounds of a plan.
    fn run(plan: &Self::Plan, taker: &mut Taker<'_>) -> Vec<Self::Record>;

    /// Returns the samples, each series with its unit and the better way.
    fn series(results: &Results) -> Vec<Series>;

    /// Returns the tables of a run, each with its sentences; none when nothing was measured.
    fn tables(results: &Results) -> Vec<Table>;

    /// Returns the latencies for the histogram log: by default every series that can be read as latencies.
    fn histograms(results: &Results) -> Vec<Interval> {
        Self::series(results).iter().flat_map(Interval::of_series).collect()
    }

    /// Returns true when what was measured breaks a check.
    fn is_broken(_results: &Results) -> bool {
        false
    }
}

/// The latencies of one round as a histogram.
#[derive(Debug)]
pub struct Interval {
    /// The server and the quantity.
    pub tag: String,
    /// The start of the round, in milliseconds since that of the run; none where it is not known.
    pub at_ms: Option<f64>,
    /// The length of the load; none where it is not known.
    pub lasted_ms: Option<f64>,
    /// The latencies in microseconds.
    pub latencies: Latencies,
}

impl Interval {
    /// Returns an interval for each round with samples; none when the series holds no latencies.
    fn of_series(series: &Series) -> Vec<Self> {
        let Some(from) = series.latency_from else { return Vec::new() };
        let rounds = series.rounds.iter().enumerate().filter(|(_, values)| !values.is_empty());
        let interval = |(round, values): (usize, &Vec<f64>)| {
            let mut latencies = Latencies::new(3).expect("three digits are allowed");
            for value in values {
                latencies += ((value + from) * 1e3).round() as u64;
            }
            let tag = format!("{}/{}", series.server, series.what);
            Self { tag, at_ms: series.rounds_at_ms.get(round).copied(), lasted_ms: None, latencies }
        };
        rounds.map(interval).collect()
    }
}

/// Returns a duration of a plan.
pub(crate) fn millis(ms: u64) -> Duration {
    Duration::from_millis(ms)
}
