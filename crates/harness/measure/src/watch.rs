//! Watches a server under somebody else's load: its census, its process and the heartbeats of its work, again and again.
//!
//! It sends no request of its own and belongs to no schedule, so it stands beside the [registry].

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Serialize};
use suite::document::{Better, Document, Measurement, Series};
use testbed::census::Census;
use testbed::heartbeats::{Counts, Heartbeats};
use testbed::{Error, proc};

use crate::registry;
use crate::stats::ms_between;

/// The measurement's name in the document.
pub const NAME: &str = "watch";

/// The most readings that are kept: of a longer watch every second one goes, and the pause between two doubles.
const MOST: usize = 4096;

/// A server as its instruments saw it while a load ran.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Watch {
    /// The server.
    pub server: String,
    /// The command of the load.
    pub load: String,
    /// The time for which it ran, in milliseconds.
    pub load_ms: f64,
    /// The status that it ended with; null when it was not waited for.
    pub load_end: Option<String>,
    /// Answers by status, by the server's count; empty without one.
    pub answered: BTreeMap<String, u64>,
    /// The heartbeats that were heard; null when nobody listened.
    pub heard: Option<Counts>,
    /// Every reading, in order: the first before the load, the last when the server was quiet or had been waited for.
    pub readings: Vec<Reading>,
}

/// The server at one moment. What no instrument tells is null.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Reading {
    /// Milliseconds since the load began; the reading before it is at 0.
    pub at_ms: f64,
    /// Open connections, by the server's count.
    pub connections: Option<u64>,
    /// Requests being answered, by the server's count.
    pub requests: Option<u64>,
    /// Units of work that run, by the server's count.
    pub work: Option<u64>,
    /// Those of them whose request has ended, by the server's count.
    pub zombies: Option<u64>,
    /// Units of work that run, by their heartbeats.
    pub heard: Option<u64>,
    /// Threads.
    pub threads: Option<u64>,
    /// Open descriptors.
    pub descriptors: Option<u64>,
    /// Proportional set size in bytes.
    pub pss: Option<u64>,
    /// Time on a processor since the server's start, in milliseconds.
    pub cpu_ms: Option<f64>,
}

impl Reading {
    /// Work that no request waits for: the census's own count, or what is heard beyond its requests.
    pub fn no_request_waits(&self) -> Option<u64> {
        self.zombies.or_else(|| Some(self.heard?.saturating_sub(self.requests?)))
    }

    /// Units of work that run, by the instrument that is there.
    pub fn running(&self) -> Option<u64> {
        self.work.or(self.heard)
    }
}

impl Watch {
    /// The reading before the load.
    pub fn before(&self) -> Reading {
        self.readings.first().copied().unwrap_or_default()
    }

    /// The last reading.
    pub fn after(&self) -> Reading {
        self.readings.last().copied().unwrap_or_default()
    }

    /// The most of a quantity; none when it was never read.
    pub fn most(&self, of: impl Fn(&Reading) -> Option<u64>) -> Option<u64> {
        self.readings.iter().filter_map(of).max()
    }

    /// Work that ran though no request waited for it, in task-seconds; none when no instrument tells.
    pub fn zombie_area(&self) -> Option<f64> {
        let between = |pair: &[Reading]| {
            let [before, after] = [&pair[0], &pair[1]].map(Reading::no_request_waits);
            Some((before? + after?) as f64 / 2.0 * (pair[1].at_ms - pair[0].at_ms) / 1e3)
        };
        let areas: Vec<f64> = self.readings.windows(2).filter_map(between).collect();
        (!areas.is_empty()).then(|| areas.iter().sum())
    }

    /// From the end of the load until no work was left, in milliseconds; none when some was left, or no instrument tells.
    pub fn quiet_after_ms(&self) -> Option<f64> {
        let busy = self.readings.iter().rposition(|reading| reading.running() != Some(0));
        let first = self.readings.get(busy.map_or(0, |last| last + 1))?;
        Some((first.at_ms - self.load_ms).max(0.0))
    }

    /// Time on a processor during the watch, in milliseconds.
    pub fn cpu_ms(&self) -> Option<f64> {
        Some(self.after().cpu_ms? - self.before().cpu_ms?)
    }

    /// The requests that came; none when neither the census nor a heartbeat tells.
    pub fn requests(&self) -> Option<u64> {
        let answered: u64 = self.answered.values().sum();
        if answered > 0 { Some(answered) } else { self.heard.map(|heard| heard.started) }
    }
}

/// The places where a server can be watched; at least one.
#[derive(Debug, Default)]
pub struct Instruments {
    /// Its census.
    pub admin: Option<SocketAddr>,
    /// Its process.
    pub pid: Option<u32>,
    /// Where its work sends heartbeats.
    pub heartbeats: Option<Heartbeats>,
}

impl Instruments {
    /// True when none is there.
    pub fn is_empty(&self) -> bool {
        self.admin.is_none() && self.pid.is_none() && self.heartbeats.is_none()
    }

    /// Reads them all; gives the census too.
    fn read(&self, at_ms: f64) -> Result<(Reading, Option<Census>), Error> {
        let census = self.admin.map(Census::read).transpose()?;
        let usage = self.pid.map(proc::usage).transpose()?;
        let heard = self.heartbeats.as_ref().map(Heartbeats::counts);
        let reading = Reading {
            at_ms,
            connections: census.as_ref().map(|census| census.connections.live),
            requests: census.as_ref().map(|census| census.requests.live),
            work: census.as_ref().map(|census| census.work.live),
            zombies: census.as_ref().map(|census| census.work.zombie),
            heard: heard.map(|heard| heard.running),
            threads: usage.map(|usage| usage.threads),
            descriptors: usage.map(|usage| usage.descriptors),
            pss: usage.map(|usage| usage.pss),
            cpu_ms: usage.map(|usage| usage.cpu.as_secs_f64() * 1e3),
        };
        Ok((reading, census))
    }
}

/// A watch under way.
#[derive(Debug)]
pub struct Watcher {
    instruments: Instruments,
    start_at: Instant,
    every: Duration,
    before: Option<Census>,
    watch: Watch,
}

impl Watcher {
    /// Takes the reading before the load.
    ///
    /// # Errors
    /// When an instrument that was named cannot be read.
    pub fn begin(server: &str, load: &str, instruments: Instruments, every: Duration) -> Result<Self, Error> {
        let (reading, before) = instruments.read(0.0)?;
        let watch = Watch {
            server: server.to_owned(),
            load: load.to_owned(),
            readings: vec![reading],
            ..Watch::default()
        };
        Ok(Self { instruments, start_at: Instant::now(), every, before, watch })
    }

    /// The pause until the next reading.
    pub fn every(&self) -> Duration {
        self.every
    }

    /// Reads all instruments once.
    ///
    /// # Errors
    /// When one of them cannot be read: the server has ended.
    pub fn read(&mut self) -> Result<Reading, Error> {
        let at_ms = ms_between(self.start_at, Instant::now());
        let (reading, census) = self.instruments.read(at_ms)?;
        self.watch.readings.push(reading);
        if let (Some(before), Some(census)) = (&self.before, census) {
            self.watch.answered = grown(&before.requests.answered, &census.requests.answered);
        }
        self.watch.heard = self.instruments.heartbeats.as_ref().map(Heartbeats::counts);
        if self.watch.readings.len() >= MOST {
            thin(&mut self.watch.readings);
            self.every *= 2;
        }
        Ok(reading)
    }

    /// Notes that the load has ended.
    pub fn load_ended(&mut self, end: &str) {
        self.watch.load_ms = ms_between(self.start_at, Instant::now());
        self.watch.load_end = Some(end.to_owned());
    }

    /// The watch until now.
    pub fn watch(&self) -> &Watch {
        &self.watch
    }
}

/// The growth of each counter; those that did not grow are left out.
fn grown(before: &BTreeMap<String, u64>, after: &BTreeMap<String, u64>) -> BTreeMap<String, u64> {
    let growth = |(status, count): (&String, &u64)| {
        let grown = count.saturating_sub(before.get(status).copied().unwrap_or(0));
        (grown > 0).then(|| (status.clone(), grown))
    };
    after.iter().filter_map(growth).collect()
}

/// Keeps every second reading, the first among them.
fn thin(readings: &mut Vec<Reading>) {
    let mut keep = false;
    readings.retain(|_| {
        keep = !keep;
        keep
    });
}

/// Puts the record of a watch in its document.
pub fn put(document: &mut Document, watch: &Watch) {
    let records = vec![registry::value(watch)];
    document.measurements.push(Measurement { name: NAME.to_owned(), series: series(watch), records });
}

/// The watches of a document; none when it measured something else.
///
/// # Errors
/// A sentence that names the field that is missing or wrong.
pub fn of(document: &Document) -> Result<Vec<Watch>, String> {
    registry::records(&mut document.clone(), NAME)
}

/// The schema of a record.
pub fn schema(generator: &mut SchemaGenerator) -> Schema {
    generator.subschema_for::<Watch>()
}

/// The figures of a watch by which two can be compared.
fn series(watch: &Watch) -> Vec<Series> {
    let count = |of: fn(&Reading) -> Option<u64>| watch.most(of).map(|most| most as f64);
    let figures = [
        ("zombie area", "task-seconds", 1.0, watch.zombie_area()),
        ("most zombies", "works", 5.0, count(Reading::no_request_waits)),
        ("quiet after", "ms", 100.0, watch.quiet_after_ms()),
        ("most threads", "threads", 5.0, count(|reading| reading.threads)),
        ("most descriptors", "descriptors", 5.0, count(|reading| reading.descriptors)),
        ("most memory", "bytes", 1e6, count(|reading| reading.pss)),
        ("time on a processor", "ms", 100.0, watch.cpu_ms()),
    ];
    let series = |(what, unit, least, value): (&str, &str, f64, Option<f64>)| {
        Some(Series {
            server: watch.server.clone(),
            what: format!("{NAME}: {what}"),
            unit: unit.to_owned(),
            better: Better::Less,
            least,
            latency_from: None,
            rounds: vec![vec![value?]],
            rounds_at_ms: Vec::new(),
        })
    };
    figures.into_iter().filter_map(series).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reading(at_ms: f64, requests: u64, work: u64, zombies: u64) -> Reading {
        let (requests, work, zombies) = (Some(requests), Some(work), Some(zombies));
        Reading { at_ms, requests, work, zombies, ..Reading::default() }
    }

    fn watch(readings: Vec<Reading>) -> Watch {
        Watch { server: "x".to_owned(), load_ms: 1000.0, readings, ..Watch::default() }
    }

    #[test]
    fn the_area_is_what_no_request_waited_for() {
        let watch = watch(vec![
            reading(0.0, 0, 0, 0),
            reading(500.0, 10, 10, 0),
            reading(1000.0, 0, 10, 10),
            reading(2000.0, 0, 10, 10),
            reading(2500.0, 0, 0, 0),
        ]);
        assert_eq!(watch.zombie_area(), Some(2.5 + 10.0 + 2.5));
        assert_eq!(watch.quiet_after_ms(), Some(1500.0));
        assert_eq!(watch.most(Reading::no_request_waits), Some(10));
    }

    #[test]
    fn without_a_census_the_heartbeats_alone_name_no_zombie() {
        let heard = |at_ms, heard| Reading { at_ms, heard: Some(heard), ..Reading::default() };
        let watch = watch(vec![heard(0.0, 0), heard(1500.0, 3), heard(2000.0, 0)]);
        assert_eq!(watch.zombie_area(), None);
        assert_eq!((watch.after().running(), watch.quiet_after_ms()), (Some(0), Some(1000.0)));
    }

    #[test]
    fn work_that_is_left_at_the_end_has_no_quiet_moment() {
        assert_eq!(watch(vec![reading(0.0, 0, 0, 0), reading(1200.0, 0, 1, 1)]).quiet_after_ms(), None);
    }

    #[test]
    fn of_a_long_watch_every_second_reading_is_kept_and_the_first_among_them() {
        let mut readings: Vec<Reading> =
            (0..5).map(|n| Reading { at_ms: f64::from(n), ..Reading::default() }).collect();
        thin(&mut readings);
        assert_eq!(readings.iter().map(|reading| reading.at_ms).collect::<Vec<_>>(), [0.0, 2.0, 4.0]);
    }

    #[test]
    fn only_what_grew_was_answered_during_the_watch() {
        let counts = |pairs: &[(&str, u64)]| {
            pairs.iter().map(|(status, count)| ((*status).to_owned(), *count)).collect::<BTreeMap<_, _>>()
        };
        let (before, after) =
            (counts(&[("200", 5), ("404", 1)]), counts(&[("200", 9), ("404", 1), ("504", 2)]));
        assert_eq!(grown(&before, &after), counts(&[("200", 4), ("504", 2)]));
    }

    #[test]
    fn a_watch_is_read_back_as_it_was_written() {
        let watch = watch(vec![reading(0.0, 0, 0, 0), reading(1200.0, 0, 1, 1)]);
        let mut document = crate::fixtures::empty(&["x"]).document();
        put(&mut document, &watch);
        assert_eq!(of(&document), Ok(vec![watch]));
    }
}
