//! The noise floor: how late the scheduler of this machine is by itself, right now.

use std::time::{Duration, Instant};

use derive_more::Display;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The lateness of short sleeps.
#[derive(Debug, Clone, Copy, Default, PartialEq, Display, Serialize, Deserialize, JsonSchema)]
#[display("a 1 ms sleep ends {p50_ms:.2} ms late (p50), {p99_ms:.2} (p99), {max_ms:.2} (worst)")]
pub struct Noise {
    /// Median lateness in milliseconds.
    pub p50_ms: f64,
    /// 99th percentile in milliseconds.
    pub p99_ms: f64,
    /// The worst in milliseconds.
    pub max_ms: f64,
}

impl Noise {
    /// Sleeps `times` times one millisecond and looks at the clock.
    pub fn measure(times: usize) -> Self {
        let nap = Duration::from_millis(1);
        let mut late: Vec<f64> = (0..times)
            .map(|_| {
                let start_at = Instant::now();
                std::thread::sleep(nap);
                (start_at.elapsed().saturating_sub(nap)).as_secs_f64() * 1e3
            })
            .collect();
        late.sort_by(f64::total_cmp);
        // More digits than a microsecond's are noise about noise.
        let [p50_ms, p99_ms, max_ms] =
            [0.5, 0.99, 1.0].map(|part| (quantile(&late, part) * 1e3).round() / 1e3);
        Self { p50_ms, p99_ms, max_ms }
    }
}

/// The value at `part` (0 to 1) of an ascending list, the nearest one; the mean of two that are as near, as in the median of
/// an even number. 0 for an empty list.
pub fn quantile(sorted: &[f64], part: f64) -> f64 {
    let place = sorted.len().saturating_sub(1) as f64 * part;
    let at = |place: f64| sorted.get(place as usize).copied().unwrap_or(0.0);
    if place.fract() == 0.5 { f64::midpoint(at(place.floor()), at(place.ceil())) } else { at(place.round()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_of_a_list() {
        let list: Vec<f64> = (0..=100).map(f64::from).collect();
        assert_eq!((quantile(&list, 0.5), quantile(&list, 0.99), quantile(&list, 1.0)), (50.0, 99.0, 100.0));
        assert_eq!(quantile(&[], 0.5), 0.0);
    }

    #[test]
    fn the_median_of_an_even_number_is_the_mean_of_the_two_in_the_middle() {
        assert_eq!(quantile(&[1.0, 3.0], 0.5), 2.0);
        assert_eq!(quantile(&[1.0, 2.0, 4.0, 9.0], 0.5), 3.0);
        assert_eq!(quantile(&[1.0, 2.0, 9.0], 0.5), 2.0);
    }
}
