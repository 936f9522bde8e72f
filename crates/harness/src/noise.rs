//! The noise floor: how late the scheduler of this machine is by itself, right now.

use std::fmt;
use std::time::{Duration, Instant};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How late short sleeps ended.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
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

impl fmt::Display for Noise {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { p50_ms, p99_ms, max_ms } = self;
        write!(f, "a 1 ms sleep ends {p50_ms:.2} ms late (p50), {p99_ms:.2} (p99), {max_ms:.2} (worst)")
    }
}

/// The value at `part` (0 to 1) of an ascending list; 0 for an empty one.
pub fn quantile(sorted: &[f64], part: f64) -> f64 {
    let last = sorted.len().saturating_sub(1);
    sorted.get((last as f64 * part).round() as usize).copied().unwrap_or(0.0)
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
}
