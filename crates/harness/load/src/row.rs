//! The figures of a load that has ended.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use rustix::process::Resource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Load;
pub use super::censored::Censored;
use super::cost::Spent;
use super::pace::Pace;
use super::tally::{Latencies, Tally};

/// A load in figures.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
pub struct Row {
    /// `closed loop`, `open loop` or `at once`.
    pub mode: String,
    /// Connections.
    pub connections: usize,
    /// Requests that were sent.
    pub sent: u64,
    /// Requests that were answered or lost.
    pub finished: u64,
    /// Those of them with a status that was asked for (200 and 504 unless said).
    #[serde(default)]
    pub good: u64,
    /// Interim responses (1xx) that came before answers.
    #[serde(default)]
    pub interim: u64,
    /// From the beginning to the end of the schedule, or to the last answer where that came later and the loop is not
    /// closed; milliseconds.
    pub window_ms: f64,
    /// Good answers a second in that time.
    pub per_second: f64,
    /// The schedule; none in the closed loop and at once, where there is no rate to keep.
    pub rate: Option<Rate>,
    /// The lag of the requests; none where they were due when they left.
    pub lag: Option<Lag>,
    /// From the first request to the last, milliseconds: what "at once" means here.
    pub burst_ms: Option<f64>,
    /// Processor time of the generator's threads, as a share of the time that they ran.
    pub generator_cpu: f64,
    /// The server's cost of each request; none for a server that is not ours.
    pub cost: Option<Cost>,
    /// Requests in the system, in three figures that must agree.
    pub little: Little,
    /// Requests without an answer at the end.
    pub censored: Censored,
    /// The number of descriptors that the generator may open.
    pub descriptors: u64,
    /// Connections that were opened again, because the server had closed them.
    pub reopened: u64,
    /// 200s.
    pub ok: Option<Latency>,
    /// 504s.
    pub timeout: Option<Latency>,
    /// Everything else.
    pub other: Option<Latency>,
    /// The other answers, by status or `lost`, with their numbers.
    pub others: BTreeMap<String, u64>,
    /// Why the row may not be believed; empty when it may.
    pub invalid: Vec<String>,
}

/// A schedule and what became of it, requests a second.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Rate {
    /// As planned.
    pub requested: f64,
    /// As sent.
    pub achieved: f64,
}

/// From when a request was due to when it left, microseconds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Lag {
    /// The median.
    pub p50_us: u64,
    /// The 99th percentile.
    pub p99_us: u64,
    /// The greatest.
    pub max_us: u64,
}

/// The server's cost of a request.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Cost {
    /// Processor time in microseconds, user and system.
    pub cpu_us: f64,
    /// Context switches because a thread waited; threads that ended meanwhile are not counted.
    pub voluntary_switches: f64,
    /// Context switches because another thread wanted the processor.
    pub involuntary_switches: f64,
}

/// Little's law: requests in the system are arrivals a second times seconds in the system. Figures of one row that break it
/// contradict each other.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
pub struct Little {
    /// Requests in the system, averaged over time: counted, or the connections of a closed loop.
    pub in_system: f64,
    /// Answers and losses a second: whatever leaves the system counts.
    pub per_second: f64,
    /// The mean latency of the histograms, milliseconds.
    pub mean_ms: f64,
}

impl Little {
    /// Returns the distance of N from X·R, as a share of N.
    pub fn error(&self) -> f64 {
        let product = self.per_second * self.mean_ms / 1e3;
        if self.in_system > 0.0 { (product - self.in_system).abs() / self.in_system } else { product.abs() }
    }
}

/// The latencies of one kind of answer, from when a request was due to the first byte.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Latency {
    /// The number of samples.
    pub count: u64,
    /// The mean.
    pub mean_ms: f64,
    /// The median.
    pub p50_ms: f64,
    /// The 90th percentile; null with fewer than 30 samples.
    pub p90_ms: Option<f64>,
    /// The 99th percentile; null with fewer than 300 samples.
    pub p99_ms: Option<f64>,
    /// The 99.9th percentile; null with fewer than 3,000 samples.
    pub p999_ms: Option<f64>,
    /// The greatest.
    pub max_ms: f64,
    /// The whole histogram: microseconds (exact to three digits) and how often, ascending.
    pub counts_us: Vec<(u64, u64)>,
}

impl Latency {
    /// Sums up a histogram; `None` when it is empty. A percentile stands only where three samples lie beyond it.
    pub fn of(histogram: &Latencies) -> Option<Self> {
        let at = |part: f64| histogram.value_at_quantile(part) as f64 / 1e3;
        let beyond = |samples: u64, part: f64| (histogram.len() >= samples).then(|| at(part));
        (!histogram.is_empty()).then(|| Self {
            count: histogram.len(),
            mean_ms: histogram.mean() / 1e3,
            p50_ms: at(0.5),
            p90_ms: beyond(30, 0.9),
            p99_ms: beyond(300, 0.99),
            p999_ms: beyond(3000, 0.999),
            max_ms: histogram.max() as f64 / 1e3,
            counts_us: histogram
                .iter_recorded()
                .map(|step| (step.value_iterated_to(), step.count_at_value()))
                .collect(),
        })
    }

    /// The histogram again: several can be added, and written as HdrHistogram logs.
    pub fn histogram(&self) -> Latencies {
        let mut histogram = Latencies::new(3).expect("three digits are allowed");
        for (micros, count) in &self.counts_us {
            histogram.record_n(*micros, *count).expect("a histogram that grows by itself takes every value");
        }
        histogram
    }
}

impl Row {
    /// Sums up a load; its validity is judged afterwards.
    pub(super) fn of(load: &Load, begin_at: Instant, tally: &Tally, spent: Option<&Spent>) -> Self {
        let finished = tally.finished();
        let (little, window) = little(load, begin_at, tally);
        let good = if load.pace.is_closed_loop() { tally.good_in_time } else { tally.good };
        let of_each = |amount: f64| amount / finished.max(1) as f64;
        Self {
            mode: load.pace.name().to_owned(),
            connections: load.connections,
            sent: tally.sent,
            finished,
            good: tally.good,
            interim: tally.interim,
            window_ms: window.as_secs_f64() * 1e3,
            per_second: good as f64 / window.as_secs_f64(),
            rate: rate(load, begin_at, tally),
            lag: matches!(load.pace, Pace::Rate { .. }).then(|| Lag {
                p50_us: tally.lag.value_at_quantile(0.5),
                p99_us: tally.lag.value_at_quantile(0.99),
                max_us: tally.lag.max(),
            }),
            burst_ms: burst(load, tally).map(|burst| burst.as_secs_f64() * 1e3),
            generator_cpu: tally.generator_cpu.as_secs_f64() / tally.generator_time.as_secs_f64().max(1e-9),
            cost: spent.map(|spent| Cost {
                cpu_us: of_each(spent.cpu.as_secs_f64() * 1e6),
                voluntary_switches: of_each(spent.voluntary as f64),
                involuntary_switches: of_each(spent.involuntary as f64),
            }),
            little,
            censored: tally.censored,
            descriptors: rustix::process::getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX),
            reopened: tally.reopened,
            ok: Latency::of(&tally.ok),
            timeout: Latency::of(&tally.timeout),
            other: Latency::of(&tally.other),
            others: tally.others.clone(),
            invalid: Vec::new(),
        }
    }

    /// True when it may be believed, and ranked.
    pub fn is_valid(&self) -> bool {
        self.invalid.is_empty()
    }
}

/// Little's three figures and the time that they are of.
fn little(load: &Load, begin_at: Instant, tally: &Tally) -> (Little, Duration) {
    let mean_ms = tally.mean_ms();
    if let Pace::BackToBack { lasting } = load.pace {
        let per_second = tally.in_time as f64 / lasting.as_secs_f64();
        return (Little { in_system: load.connections as f64, per_second, mean_ms }, lasting);
    }
    let end_at = tally.last_answer_at.unwrap_or(begin_at);
    // One request a second is one a second, however soon its answer came.
    let least = load.pace.length().max(Duration::from_micros(1));
    let window = end_at.saturating_duration_since(begin_at).max(least);
    let seconds = window.as_secs_f64();
    let per_second = tally.finished() as f64 / seconds;
    (Little { in_system: tally.area / seconds, per_second, mean_ms }, window)
}

fn rate(load: &Load, begin_at: Instant, tally: &Tally) -> Option<Rate> {
    let Pace::Rate { per_second, .. } = load.pace else { return None };
    let last = tally.last_sent_at?.saturating_duration_since(begin_at).as_secs_f64();
    // The last request stands for an interval of its own, like every other.
    let took = last + 1.0 / per_second;
    Some(Rate { requested: per_second, achieved: tally.sent as f64 / took })
}

fn burst(load: &Load, tally: &Tally) -> Option<Duration> {
    let Pace::AtOnce { .. } = load.pace else { return None };
    Some(tally.last_sent_at? - tally.first_sent_at?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_histogram_comes_back_from_its_counts() {
        let mut histogram = Latencies::new(3).unwrap();
        for micros in [70, 71, 71, 5_003, 1_000_000] {
            histogram.record(micros).unwrap();
        }
        let latency = Latency::of(&histogram).unwrap();
        assert_eq!((latency.count, latency.p50_ms), (5, 0.071));
        assert_eq!(latency.histogram(), histogram);
        assert_eq!(Latency::of(&Latencies::new(3).unwrap()), None);
    }

    #[test]
    fn a_percentile_stands_only_where_three_samples_lie_beyond_it() {
        let of = |count| {
            let mut histogram = Latencies::new(3).unwrap();
            histogram.record_n(1000, count).unwrap();
            let latency = Latency::of(&histogram).unwrap();
            [latency.p90_ms, latency.p99_ms, latency.p999_ms].map(|ms| ms.is_some())
        };
        assert_eq!([of(29), of(30)], [[false; 3], [true, false, false]]);
        assert_eq!([of(299), of(300)], [[true, false, false], [true, true, false]]);
        assert_eq!([of(2999), of(3000)], [[true, true, false], [true; 3]]);
    }
}
