//! Upstreams told: the time until the upstream of an intermediary hears of a disconnect, for every way to disconnect.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use suite::departure::{self, State, Times, WAYS, Way, depart};
use suite::document::{Document, Gap, Measurement, Series};
use testbed::abreast;
use testbed::server::Server;
use wire::trace::Trace;

use crate::registry;
use crate::series::{Gathered, Sample};
use crate::stats::Summary;

/// The measurement's name in the document.
pub const NAME: &str = "told";

/// Clients at once. They leave one by one: each waits for its own request.
const CLIENTS: usize = 15;
/// The time for which an upstream is watched that is not told.
pub const WATCH: Duration = Duration::from_millis(1500);

/// One client that left an intermediary.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Told {
    /// The intermediary.
    pub server: String,
    /// The part of the answer that the upstream had sent.
    pub state: Sent,
    /// The way it left, by the name of its [`Way`].
    pub way: String,
    /// The fate of the upstream's request.
    pub outcome: Outcome,
    /// From the moment before it left until the upstream was told, in milliseconds; null when it was not.
    pub told_ms: Option<f64>,
}

/// The part of an answer that an upstream had sent when its client disconnected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Sent {
    /// Nothing.
    Nothing,
    /// An event stream, which goes on.
    Stream,
}

/// The fate of the upstream's request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// Its connection was ended.
    Told,
    /// The client, which had left half, was answered whole.
    Served,
    /// It never came to the upstream.
    NotAsked,
    /// Its connection stayed open as long as it was watched.
    Never,
}

impl Sent {
    /// Both, in the order of every table.
    pub const ALL: [Self; 2] = [Self::Nothing, Self::Stream];

    fn state(self) -> State {
        match self {
            Self::Nothing => State::Stalled,
            Self::Stream => State::Stream,
        }
    }

    /// The beginning of the ids of its scenarios, behind the area.
    pub fn slug(self) -> &'static str {
        match self {
            Self::Nothing => "stalled",
            Self::Stream => "stream",
        }
    }
}

/// Has `tries` clients leave in each way and in both states, and watches the upstream. What could not be tried is a gap.
pub fn watch(server: &Server, name: &str, tries: usize) -> (Vec<Told>, Vec<Gap>) {
    let (mut told, mut gaps) = (Vec::new(), Vec::new());
    for sent in Sent::ALL {
        for way in &WAYS {
            let results = side_by_side(server, way, sent, tries);
            let failed = results.iter().find_map(|result| result.as_ref().err());
            gaps.extend(failed.map(|why| Gap {
                server: name.to_owned(),
                what: format!("{NAME}: {}, {}", way.name, sent.slug()),
                unsupported: false,
                why: why.clone(),
            }));
            told.extend(results.into_iter().flatten().map(|outcome| record(name, way, sent, outcome)));
        }
    }
    (told, gaps)
}

fn side_by_side(
    server: &Server,
    way: &Way,
    sent: Sent,
    tries: usize,
) -> Vec<Result<departure::Told, String>> {
    static ID: AtomicUsize = AtomicUsize::new(0);
    abreast::each(CLIENTS, &vec![(); tries], |()| {
        let id = format!("told-{}-{}", std::process::id(), ID.fetch_add(1, Ordering::Relaxed));
        let arrival = Duration::from_millis(if way.may_be_kept_back() { 300 } else { 5000 });
        let settle = Duration::from_millis(20);
        let give_up_at = Instant::now() + Duration::from_secs(20);
        let times = Times { arrival, settle, watch: WATCH, give_up_at };
        let result = depart(server, way, sent.state(), &id, times, &Trace::default());
        result.map_err(|failure| failure.text().to_owned())
    })
}

fn record(server: &str, way: &Way, state: Sent, outcome: departure::Told) -> Told {
    let (outcome, told_ms) = match outcome {
        departure::Told::After(after) => (Outcome::Told, Some(after.as_secs_f64() * 1e3)),
        departure::Told::Served => (Outcome::Served, None),
        departure::Told::NotAsked => (Outcome::NotAsked, None),
        departure::Told::Never => (Outcome::Never, None),
    };
    Told { server: server.to_owned(), state, way: way.name.to_owned(), outcome, told_ms }
}

/// Puts the records of a run in its document.
pub fn put(document: &mut Document, told: &[Told]) {
    let records = told.iter().map(registry::value).collect();
    document.measurements.push(Measurement { name: NAME.to_owned(), series: series(told), records });
}

/// The records of a document; none when it measured something else.
///
/// # Errors
/// A sentence that names the field that is missing or wrong.
pub fn of(document: &Document) -> Result<Vec<Told>, String> {
    registry::records(&mut document.clone(), NAME)
}

/// Returns the times until upstreams were told, by intermediary, state and way.
fn series(told: &[Told]) -> Vec<Series> {
    /// A wake of the scheduler, or two.
    const LEAST_MS: f64 = 2.0;
    let mut all = Gathered::default();
    for one in told {
        let what = format!("upstream told, {}, {}", one.way, one.state.slug());
        all.less(Sample { server: &one.server, what, round: 0, value: one.told_ms }, "ms", LEAST_MS);
    }
    all.0
}

/// The fates of the requests of all clients that left one intermediary in one way.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Cell {
    /// The number of tries.
    pub tries: usize,
    /// The upstreams that were told, with the milliseconds that it took.
    pub told: Option<Summary>,
    /// The number of clients that were answered whole.
    pub served: usize,
    /// The number of requests that never came to the upstream.
    pub not_asked: usize,
}

impl Cell {
    /// Sums up; `None` when there were none.
    pub fn of<'a>(told: impl IntoIterator<Item = &'a Told>) -> Option<Self> {
        let all: Vec<&Told> = told.into_iter().collect();
        let count = |outcome| all.iter().filter(|told| told.outcome == outcome).count();
        let (served, not_asked) = (count(Outcome::Served), count(Outcome::NotAsked));
        let told = Summary::of(all.iter().filter_map(|told| told.told_ms));
        (!all.is_empty()).then_some(Self { tries: all.len(), told, served, not_asked })
    }

    /// Returns the number of upstreams that were never told.
    pub fn never(&self) -> usize {
        self.tries - self.told.map_or(0, |told| told.count) - self.served - self.not_asked
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(way: &str, outcome: Outcome, told_ms: Option<f64>) -> Told {
        Told { server: "x".to_owned(), state: Sent::Nothing, way: way.to_owned(), outcome, told_ms }
    }

    #[test]
    fn a_cell_counts_each_outcome_apart() {
        let all = [
            told("FIN", Outcome::Told, Some(2.0)),
            told("FIN", Outcome::Told, Some(1.0)),
            told("FIN", Outcome::Served, None),
            told("FIN", Outcome::NotAsked, None),
            told("FIN", Outcome::Never, None),
        ];
        let cell = Cell::of(&all).unwrap();
        assert_eq!((cell.tries, cell.served, cell.not_asked, cell.never()), (5, 1, 1, 1));
        assert_eq!(cell.told.map(|told| (told.count, told.max)), Some((2, 2.0)));
        assert_eq!(Cell::of(&[]), None);
    }

    #[test]
    fn only_what_was_told_is_in_a_series() {
        let all = [told("FIN", Outcome::Never, None), told("FIN", Outcome::Told, Some(1.0))];
        let series = series(&all);
        assert_eq!((series.len(), &series[0].rounds), (1, &vec![vec![1.0]]));
    }
}
