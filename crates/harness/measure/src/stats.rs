//! Statistics of samples: a few quantiles; the samples themselves are kept.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use testbed::noise::quantile;

/// A list of samples in short; every field has the samples' unit.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Summary {
    /// The number of samples.
    pub count: usize,
    /// The smallest.
    pub min: f64,
    /// The median.
    pub p50: f64,
    /// The 99th percentile; null with fewer than 300 samples, of which at most three lie above it.
    pub p99: Option<f64>,
    /// The greatest.
    pub max: f64,
}

/// The samples that a 99th percentile needs: three beyond it, `3 / (1 - 0.99)`.
pub const ENOUGH: usize = 300;

/// The rounds that a comparison needs on both sides.
pub const ROUNDS: usize = 3;

impl Summary {
    /// Sums up `samples`; `None` when there are none.
    pub fn of(samples: impl IntoIterator<Item = f64>) -> Option<Self> {
        let mut sorted: Vec<f64> = samples.into_iter().collect();
        sorted.sort_by(f64::total_cmp);
        let (min, max) = (*sorted.first()?, *sorted.last()?);
        let p99 = (sorted.len() >= ENOUGH).then(|| quantile(&sorted, 0.99));
        Some(Self { count: sorted.len(), min, p50: quantile(&sorted, 0.5), p99, max })
    }

    /// Returns true when two lists of rounds differ beyond their spread: each has at least [`ROUNDS`], and their ranges have
    /// no value in common. Only then may a sentence call one of them greater.
    pub fn parts_from(&self, other: &Self) -> bool {
        self.count.min(other.count) >= ROUNDS && (self.max < other.min || other.max < self.min)
    }
}

/// A line through points, by least squares.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Line {
    /// The change of y for one more x.
    pub slope: f64,
    /// y where x is 0.
    pub base: f64,
    /// The share of the change of y that the line explains, 0 to 1.
    pub r2: f64,
}

impl Line {
    /// The line through these points (x, y); `None` when fewer than two of them differ in x.
    pub fn through(points: &[(f64, f64)]) -> Option<Self> {
        let count = points.len() as f64;
        let mean_x = points.iter().map(|(x, _)| x).sum::<f64>() / count;
        let mean_y = points.iter().map(|(_, y)| y).sum::<f64>() / count;
        let sum = |of: &dyn Fn(f64, f64) -> f64| -> f64 {
            points.iter().map(|(x, y)| of(x - mean_x, y - mean_y)).sum()
        };
        let (xx, xy, yy) = (sum(&|x, _| x * x), sum(&|x, y| x * y), sum(&|_, y| y * y));
        // Without any point the means are no numbers, and neither is this sum.
        if xx.is_nan() || xx <= 0.0 {
            return None;
        }
        let slope = xy / xx;
        // A flat row of points lies on its line.
        let r2 = if yy > 0.0 { slope * xy / yy } else { 1.0 };
        Some(Self { slope, base: mean_y - slope * mean_x, r2 })
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
        let summary = Summary::of((0..=1000).rev().map(f64::from)).unwrap();
        assert_eq!(summary, Summary { count: 1001, min: 0.0, p50: 500.0, p99: Some(990.0), max: 1000.0 });
    }

    #[test]
    fn fewer_than_300_samples_have_no_99th_percentile() {
        let of = |count: u32| Summary::of((0..count).map(f64::from)).unwrap().p99;
        assert_eq!((of(299), of(300).is_some()), (None, true));
    }

    #[test]
    fn ranges_part_only_when_each_has_three_rounds_and_none_holds_a_value_of_the_other() {
        let of = |values: &[f64]| Summary::of(values.iter().copied()).unwrap();
        let (low, high) = (of(&[1.0, 2.0, 3.0]), of(&[4.0, 5.0, 6.0]));
        assert!(low.parts_from(&high) && high.parts_from(&low));
        assert!(!low.parts_from(&of(&[3.0, 5.0, 6.0])), "a value in common");
        assert!(!low.parts_from(&of(&[4.0, 5.0])), "two rounds");
    }

    #[test]
    fn no_samples_have_no_summary() {
        assert_eq!(Summary::of([]), None);
    }

    #[test]
    fn one_sample_is_all_of_its_quantiles() {
        let summary = Summary::of([-2.5]).unwrap();
        assert_eq!((summary.min, summary.p50, summary.max), (-2.5, -2.5, -2.5));
    }

    #[test]
    fn a_line_through_points_on_a_line_is_that_line() {
        let line = Line::through(&[(0.0, 5.0), (1.0, 7.0), (10.0, 25.0)]).unwrap();
        assert!((line.slope - 2.0).abs() < 1e-9 && (line.base - 5.0).abs() < 1e-9, "{line:?}");
        assert!((line.r2 - 1.0).abs() < 1e-9);
        let flat = Line::through(&[(0.0, 3.0), (1.0, 3.0)]).unwrap();
        assert_eq!((flat.slope, flat.r2), (0.0, 1.0));
    }

    #[test]
    fn points_that_scatter_lower_the_fit() {
        let line = Line::through(&[(0.0, 0.0), (1.0, 10.0), (2.0, 0.0), (3.0, 10.0)]).unwrap();
        assert!(line.r2 < 0.3, "{line:?}");
    }

    #[test]
    fn one_place_on_the_axis_makes_no_line() {
        assert_eq!(Line::through(&[]), None);
        assert_eq!(Line::through(&[(2.0, 1.0), (2.0, 9.0)]), None);
    }

    #[test]
    fn a_span_backwards_is_negative() {
        let now = Instant::now();
        let later = now + Duration::from_micros(1500);
        assert_eq!((ms_between(now, later), ms_between(later, now)), (1.5, -1.5));
    }
}
