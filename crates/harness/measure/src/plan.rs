//! The plan of a run: its measurements, their repetitions and their order.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

mod load;

pub use load::{Burst, Fast, Leak, Memory, Strip};

/// The styles of work, in the order of every table.
pub const STYLES: &[&str] = &["context", "drop", "polling", "detached", "blocking", "spin"];

/// The plan of a run; durations are written in milliseconds.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Plan {
    /// True for the short plan.
    pub quick: bool,
    /// True for the long plan.
    #[serde(default)]
    pub full: bool,
    /// Flags that every server is started with, on top of its defaults.
    pub flags: Vec<(String, String)>,
    /// The lateness of the 504.
    pub overshoot: Overshoot,
    /// The zombie time: the time for which work runs on after its 504.
    pub tail: Tail,
    /// The time until work hears that its client has disconnected.
    #[serde(default)]
    pub leave: Leave,
    /// The cost of a storm of timeouts.
    pub storm: Storm,
    /// The throughput and the latency of `/fast`.
    #[serde(default)]
    pub fast: Fast,
    /// The footprint of a connection.
    #[serde(default)]
    pub memory: Memory,
    /// The interference of a burst of `/slow` with `/fast`.
    #[serde(default)]
    pub strip: Strip,
    /// The growth that storms leave behind.
    #[serde(default)]
    pub leak: Leak,
}

/// The measurement of overshoot: requests one by one, and many at once.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Overshoot {
    /// The deadline of a request sent alone.
    #[serde(rename = "alone_deadline_ms", with = "ms")]
    #[schemars(with = "f64")]
    pub alone_deadline: Duration,
    /// Requests in a row, per turn.
    pub alone: usize,
    /// The deadline of requests sent at once.
    #[serde(rename = "at_once_deadline_ms", with = "ms")]
    #[schemars(with = "f64")]
    pub at_once_deadline: Duration,
    /// Requests at once, per turn.
    pub at_once: usize,
    /// Other numbers of requests at once, a measurement each.
    #[serde(default)]
    pub crowds: Vec<usize>,
    /// Numbers of requests in step over one second, a measurement each.
    #[serde(default)]
    pub spread: Vec<usize>,
    /// Turns of each server.
    pub turns: usize,
}

/// The measurement of tails: a request of each style.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, JsonSchema)]
pub struct Tail {
    /// The deadline.
    #[serde(rename = "deadline_ms", with = "ms")]
    #[schemars(with = "f64")]
    pub deadline: Duration,
    /// The work that a request asks for.
    #[serde(rename = "work_ms", with = "ms")]
    #[schemars(with = "f64")]
    pub work: Duration,
    /// The same for work that keeps a processor busy.
    #[serde(rename = "spin_work_ms", with = "ms")]
    #[schemars(with = "f64")]
    pub spin_work: Duration,
    /// A unit of work: it beats, and may look at its context, once in this time.
    #[serde(rename = "tick_ms", with = "ms")]
    #[schemars(with = "f64")]
    pub tick: Duration,
    /// Requests of each style, per turn.
    pub each: usize,
    /// Turns of each server.
    pub turns: usize,
}

/// The measurement of departures: clients that leave in every way there is.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize, JsonSchema)]
pub struct Leave {
    /// The work that a request asks for.
    #[serde(rename = "work_ms", with = "ms")]
    #[schemars(with = "f64")]
    pub work: Duration,
    /// Clients of each way, per turn.
    pub tries: usize,
    /// Turns of each server.
    pub turns: usize,
}

/// The measurement of a storm: many requests that time out together.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Storm {
    /// The deadline.
    #[serde(rename = "deadline_ms", with = "ms")]
    #[schemars(with = "f64")]
    pub deadline: Duration,
    /// The work that a request asks for.
    #[serde(rename = "work_ms", with = "ms")]
    #[schemars(with = "f64")]
    pub work: Duration,
    /// Requests at once.
    pub requests: usize,
    /// Styles, a storm each.
    pub styles: Vec<String>,
    /// Turns of each server and style.
    pub turns: usize,
}

/// Durations as milliseconds.
pub mod ms {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, Serializer, de};

    /// Writes milliseconds.
    ///
    /// # Errors
    /// Those of the serializer.
    pub fn serialize<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_f64(duration.as_secs_f64() * 1e3)
    }

    /// Reads milliseconds.
    ///
    /// # Errors
    /// When they are no number, or below zero.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
        let ms = f64::deserialize(deserializer)?;
        Duration::try_from_secs_f64(ms / 1e3).map_err(de::Error::custom)
    }
}

impl Plan {
    /// The measurements that can be chosen; the first is all of them.
    pub const MEASUREMENTS: [&str; 9] =
        ["all", "fast", "overshoot", "tails", "leaving", "storms", "memory", "strip", "leak"];

    /// The same plan with no turns for anything but these of [`Plan::MEASUREMENTS`].
    #[must_use]
    pub fn only(mut self, measurements: &[String]) -> Self {
        let wanted = |name: &str| measurements.iter().any(|have| have == name || have == "all");
        for (name, turns) in [
            ("fast", &mut self.fast.throughput_turns),
            ("fast", &mut self.fast.latency_turns),
            ("overshoot", &mut self.overshoot.turns),
            ("tails", &mut self.tail.turns),
            ("leaving", &mut self.leave.turns),
            ("storms", &mut self.storm.turns),
            ("memory", &mut self.memory.idle_turns),
            ("memory", &mut self.memory.in_flight_turns),
            ("strip", &mut self.strip.turns),
            ("leak", &mut self.leak.turns),
        ] {
            if !wanted(name) {
                *turns = 0;
            }
        }
        self
    }

    /// Returns the plan of a run that asks for no other: about 60 s for four servers.
    pub fn standard() -> Self {
        let millis = Duration::from_millis;
        Self {
            quick: false,
            full: false,
            flags: Vec::new(),
            overshoot: Overshoot {
                alone_deadline: millis(50),
                alone: 15,
                at_once_deadline: millis(400),
                at_once: 1000,
                crowds: Vec::new(),
                spread: Vec::new(),
                turns: 2,
            },
            tail: Tail {
                deadline: millis(300),
                work: millis(3000),
                spin_work: millis(600),
                tick: millis(10),
                each: 1,
                turns: 1,
            },
            leave: Leave { work: millis(900), tries: 10, turns: 3 },
            storm: Storm {
                deadline: millis(400),
                work: millis(1200),
                requests: 500,
                styles: vec!["drop".to_owned()],
                turns: 1,
            },
            fast: Fast {
                connections: 64,
                warm_up: millis(100),
                lasting: millis(400),
                rate: 5000.0,
                throughput_turns: 5,
                latency_turns: 3,
            },
            memory: Memory { held: vec![0, 100, 1000], idle_turns: 0, in_flight_turns: 1 },
            strip: Strip {
                rate: 1000.0,
                lasting: millis(1200),
                burst_after: millis(400),
                deadline: millis(400),
                slot: millis(100),
                bursts: vec![Burst { style: "drop".to_owned(), requests: 500, work: millis(600) }],
                turns: 1,
            },
            leak: Leak {
                style: "drop".to_owned(),
                requests: 300,
                deadline: millis(200),
                work: millis(500),
                rounds: 7,
                turns: 0,
            },
        }
    }

    /// Everything, often enough for a median: several minutes.
    pub fn full() -> Self {
        let (standard, millis) = (Self::standard(), Duration::from_millis);
        let burst = |style: &str, requests, work| Burst { style: style.to_owned(), requests, work };
        Self {
            full: true,
            overshoot: Overshoot {
                alone: 20,
                crowds: vec![100, 5000],
                spread: vec![1000],
                turns: 5,
                ..standard.overshoot
            },
            tail: Tail { each: 2, ..standard.tail },
            storm: Storm {
                styles: vec!["drop".to_owned(), "context".to_owned(), "detached".to_owned()],
                turns: 5,
                ..standard.storm
            },
            fast: Fast {
                warm_up: millis(200),
                lasting: millis(2000),
                throughput_turns: 6,
                latency_turns: 5,
                ..standard.fast
            },
            memory: Memory { held: vec![0, 100, 1000, 5000, 10_000], idle_turns: 2, in_flight_turns: 5 },
            strip: Strip {
                lasting: millis(2400),
                bursts: vec![
                    burst("drop", 500, millis(1200)),
                    burst("context", 500, millis(1200)),
                    burst("spin", 1, millis(600)),
                ],
                turns: 2,
                ..standard.strip
            },
            leak: Leak { turns: 1, ..standard.leak },
            ..standard
        }
    }

    /// The same questions in about 25 s: fewer turns and shorter work.
    pub fn quick() -> Self {
        let (standard, millis) = (Self::standard(), Duration::from_millis);
        Self {
            quick: true,
            overshoot: Overshoot { alone: 10, at_once: 500, turns: 1, ..standard.overshoot },
            tail: Tail { work: millis(1500), ..standard.tail },
            leave: Leave { turns: 1, ..standard.leave },
            storm: Storm { work: millis(900), ..standard.storm },
            fast: Fast { lasting: millis(300), throughput_turns: 1, latency_turns: 0, ..standard.fast },
            strip: Strip { turns: 0, ..standard.strip },
            ..standard
        }
    }
}

/// The order of turns: A B C, then C B A, then A B C again, so that a drift of the machine meets all of them alike.
pub fn order(servers: usize, turns: usize) -> Vec<usize> {
    let turn = |turn: usize| -> Box<dyn Iterator<Item = usize>> {
        if turn.is_multiple_of(2) { Box::new(0..servers) } else { Box::new((0..servers).rev()) }
    };
    (0..turns).flat_map(turn).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_second_turn_runs_backwards() {
        assert_eq!(order(3, 3), [0, 1, 2, 2, 1, 0, 0, 1, 2]);
        assert!(order(0, 2).is_empty());
    }

    #[test]
    fn work_is_longer_than_its_deadline_in_every_plan() {
        for plan in [Plan::full(), Plan::standard(), Plan::quick()] {
            assert!(plan.tail.work > plan.tail.deadline && plan.tail.spin_work > plan.tail.deadline);
            assert!(plan.storm.work > plan.storm.deadline);
            let bursts = plan.strip.bursts.iter();
            assert!(
                plan.leak.work > plan.leak.deadline && bursts.clone().all(|b| b.work > plan.strip.deadline)
            );
            assert!(bursts.map(|burst| &burst.style).all(|style| STYLES.contains(&style.as_str())));
            assert!(plan.storm.styles.iter().all(|style| STYLES.contains(&style.as_str())));
        }
    }

    #[test]
    fn a_plan_of_one_measurement_has_no_turns_for_another() {
        let plan = Plan::standard().only(&["fast".to_owned()]);
        assert!(plan.fast.throughput_turns > 0 && plan.fast.latency_turns > 0);
        assert_eq!((plan.overshoot.turns, plan.tail.turns, plan.storm.turns), (0, 0, 0));
        assert_eq!((plan.memory.in_flight_turns, plan.strip.turns, plan.leak.turns), (0, 0, 0));
        assert_eq!(Plan::standard().only(&["all".to_owned()]).tail.turns, 1);
    }

    #[test]
    fn a_plan_says_its_durations_in_milliseconds() {
        let json = serde_json::to_value(Plan::quick()).unwrap();
        assert_eq!(json["tail"]["deadline_ms"], 300.0);
        assert_eq!(json["storm"]["requests"], 500);
    }
}
