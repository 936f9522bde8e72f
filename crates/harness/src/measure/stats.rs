//! What becomes of samples: a few quantiles, and the samples themselves are kept.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::noise::quantile;

/// A list of samples in short; every field has the samples' unit.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Summary {
    /// How many samples.
    pub count: usize,
    /// The smallest.
    pub min: f64,
    /// The median.
    pub p50: f64,
    /// The 99th percentile; with fewer than 100 samples it is the greatest, or near it.
    pub p99: f64,
    /// The greatest.
    pub max: f64,
}

impl Summary {
    /// Sums up `samples`; `None` when there are none.
    pub fn of(samples: impl IntoIterator<Item = f64>) -> Option<Self> {
        let mut sorted: Vec<f64> = samples.into_iter().collect();
        sorted.sort_by(f64::total_cmp);
        let (min, max) = (*sorted.first()?, *sorted.last()?);
        let (p50, p99) = (quantile(&sorted, 0.5), quantile(&sorted, 0.99));
        Some(Self { count: sorted.len(), min, p50, p99, max })
    }
}

/// Milliseconds from `from` to `to`, below zero when `to` came first, in steps of a microsecond.
pub fn ms_between(from: std::time::Instant, to: std::time::Instant) -> f64 {
    let ms = match to.checked_duration_since(from) {
        Some(after) => after.as_secs_f64() * 1e3,
        None => -(from.duration_since(to).as_secs_f64() * 1e3),
    };
    // A clock says no more than that, and the raw samples stay short.
    (ms * 1e3).round() / 1e3
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;

    #[test]
    fn a_summary_does_not_depend_on_the_order_of_the_samples() {
        let summary = Summary::of((0..=100).rev().map(f64::from)).unwrap();
        assert_eq!(summary, Summary { count: 101, min: 0.0, p50: 50.0, p99: 99.0, max: 100.0 });
    }

    #[test]
    fn no_samples_have_no_summary() {
        assert_eq!(Summary::of([]), None);
    }

    #[test]
    fn one_sample_is_all_of_its_quantiles() {
        let summary = Summary::of([-2.5]).unwrap();
        assert_eq!((summary.min, summary.p50, summary.p99, summary.max), (-2.5, -2.5, -2.5, -2.5));
    }

    #[test]
    fn a_span_backwards_is_negative() {
        let now = Instant::now();
        let later = now + Duration::from_micros(1500);
        assert_eq!((ms_between(now, later), ms_between(later, now)), (1.5, -1.5));
    }
}
