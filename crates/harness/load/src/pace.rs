//! When requests are due.

use std::time::{Duration, Instant};

/// The schedule of a load, fixed before it begins.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Pace {
    /// Closed loop: every connection sends its next request when it has the answer to the last, for so long. Good for
    /// throughput; its latencies hide stalls, because a server that stalls is asked less.
    BackToBack {
        /// The time for which requests are sent.
        lasting: Duration,
    },
    /// Open loop: one request every 1/`per_second`, come what may.
    Rate {
        /// Requests a second.
        per_second: f64,
        /// The number of requests in all.
        requests: usize,
    },
    /// One after the other as fast as the generator can write; each is due when its turn has come.
    AtOnce {
        /// The number of requests in all.
        requests: usize,
    },
}

impl Pace {
    /// Returns the number of planned requests; none in the closed loop, where the server decides.
    pub fn requests(&self) -> Option<usize> {
        match *self {
            Self::BackToBack { .. } => None,
            Self::Rate { requests, .. } | Self::AtOnce { requests } => Some(requests),
        }
    }

    /// From the beginning to when request `number` is due.
    pub fn due(&self, number: usize) -> Duration {
        match *self {
            Self::Rate { per_second, .. } => Duration::from_secs_f64(number as f64 / per_second),
            Self::BackToBack { .. } | Self::AtOnce { .. } => Duration::ZERO,
        }
    }

    /// From the beginning to when nothing more is due.
    pub fn length(&self) -> Duration {
        match *self {
            Self::BackToBack { lasting } => lasting,
            Self::Rate { requests, .. } => self.due(requests),
            Self::AtOnce { .. } => Duration::ZERO,
        }
    }

    /// True where a request waits for the answer to the one before.
    pub fn is_closed_loop(&self) -> bool {
        matches!(self, Self::BackToBack { .. })
    }

    /// Its name in rows.
    pub fn name(&self) -> &'static str {
        match self {
            Self::BackToBack { .. } => "closed loop",
            Self::Rate { .. } => "open loop",
            Self::AtOnce { .. } => "at once",
        }
    }
}

/// The share of a schedule that one thread of several keeps: with `of` threads, every `of`-th request.
#[derive(Debug, Clone, Copy)]
pub(super) struct Share {
    pace: Pace,
    number: usize,
    of: usize,
    next: usize,
}

impl Share {
    /// The share of thread `number` among `of`.
    pub(super) fn new(pace: Pace, number: usize, of: usize) -> Self {
        Self { pace, number, of, next: 0 }
    }

    /// When the next request is due; none when the schedule is over, or there is none.
    pub(super) fn due(&self, begin_at: Instant) -> Option<Instant> {
        let number = self.next * self.of + self.number;
        (number < self.pace.requests()?).then(|| begin_at + self.pace.due(number))
    }

    /// The next request has been sent, or given up.
    pub(super) fn advance(&mut self) {
        self.next += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_a_request_every_so_often() {
        let pace = Pace::Rate { per_second: 500.0, requests: 4 };
        let due: Vec<u128> = (0..4).map(|number| pace.due(number).as_micros()).collect();
        assert_eq!((due, pace.length()), (vec![0, 2000, 4000, 6000], Duration::from_millis(8)));
    }

    #[test]
    fn threads_share_a_schedule_without_gap_or_overlap() {
        let begin_at = Instant::now();
        let pace = Pace::Rate { per_second: 1000.0, requests: 7 };
        let mut due = Vec::new();
        for number in 0..3 {
            let mut share = Share::new(pace, number, 3);
            while let Some(at) = share.due(begin_at) {
                due.push((at - begin_at).as_millis());
                share.advance();
            }
        }
        due.sort_unstable();
        assert_eq!(due, [0, 1, 2, 3, 4, 5, 6]);
    }
}
