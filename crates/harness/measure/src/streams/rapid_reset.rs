//! The cost of rapid reset (CVE-2023-44487): streams that are reset as fast as they are opened.

use std::time::{Duration, Instant};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use suite::document::Series;
use suite::verdict::Failure;
use testbed::capability::Capability;
use testbed::proc;
use testbed::server::Server;
use testbed::witness::{Witness, Word};
use wire::Request;
use wire::h2::{Code, Frame};

use super::{LIMIT, PATIENCE, connect, step};
use crate::measurement::{Measurement, Size, millis};
use crate::results::Results;
use crate::schedule::Taker;
use crate::series::{Gathered, Sample};
use crate::stats::Summary;
use crate::table::{Cell, Column, Table, Tone};
use crate::text::{number, range};

/// The time that work is given to stop, before its words are counted.
const SETTLE: Duration = Duration::from_millis(200);

/// Attacks by rapid reset, and how often.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Plan {
    /// The length of the attack.
    pub lasts_ms: u64,
    /// Rounds of each server.
    pub rounds: usize,
}

/// One attack on one server.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RapidReset {
    /// The server.
    pub server: String,
    /// The number of the round, from 0.
    pub round: usize,
    /// Streams that were opened and reset.
    pub resets: usize,
    /// Connections that it took: a server may close one for its resets.
    pub connections: usize,
    /// The number of streams whose work began.
    pub begun: usize,
    /// The most units of work of one connection that were under way at once.
    pub most: usize,
    /// Units of work that had not ended when the attack was over.
    pub left: usize,
    /// Processor time of the server, in milliseconds.
    pub cpu_ms: f64,
}

/// Measures what streams cost that are reset as fast as they are opened.
#[derive(Debug)]
pub struct Measure;

impl Measurement for Measure {
    type Record = RapidReset;
    type Plan = Plan;

    fn plan(size: Size) -> Plan {
        Plan { lasts_ms: size.pick(250, 1000, 1000), rounds: size.pick(1, 3, 3) }
    }

    fn rounds(plan: &mut Plan) -> Vec<&mut usize> {
        vec![&mut plan.rounds]
    }

    fn run(plan: &Plan, taker: &mut Taker<'_>) -> Vec<RapidReset> {
        let step = step(taker, plan.rounds, &[Capability::Witness, Capability::Process]);
        let taken = taker.take(&step, |slot| attack(slot.server, millis(plan.lasts_ms)));
        let record = |server: &str, round, found| RapidReset { server: server.to_owned(), round, ..found };
        taken.into_iter().map(|round| record(round.subject.name(), round.number, round.found)).collect()
    }

    fn series(results: &Results) -> Vec<Series> {
        let mut all = Gathered::default();
        for one in &results.measured.rapid_reset {
            let sample = |what: &str, value| Sample {
                server: &one.server,
                what: what.to_owned(),
                round: one.round,
                value: Some(value),
            };
            all.less(sample("processor time of a rapid reset", one.cpu_of_one()), "us", 1.0);
            all.less(sample("live work under rapid reset", one.most as f64), "units of work", 0.0);
        }
        all.0
    }

    fn tables(results: &Results) -> Vec<Table> {
        let words = ["resets", "connections", "work begun", "most at work at once", "work left after"]
            .map(Column::from);
        let columns = words.into_iter().chain([Column::of("CPU", "ms"), Column::of("CPU of a reset", "µs")]);
        let lasts = results.plan.rapid_reset.lasts_ms;
        let mut table =
            Table::new(format!("What does a rapid reset over HTTP/2 cost in {lasts} ms?"), "server", columns);
        table.note = "HEADERS and RST_STREAM of 100 streams in a write, as fast as the server takes them, over a new connection \
                      behind each GOAWAY. At most 100 units of work may be under way at once on one connection; work left after: \
                      when the attack had been over for 200 ms."
            .to_owned();
        for name in results.names() {
            let of = |one: &&RapidReset| one.server == name;
            let all: Vec<&RapidReset> = results.measured.rapid_reset.iter().filter(of).collect();
            if all.is_empty() {
                continue;
            }
            let count = |of: fn(&RapidReset) -> usize| {
                range(all.iter().map(|one| of(one) as f64), |count| number(count as u64))
            };
            let most = all.iter().map(|one| one.most).max().unwrap_or(0);
            let left = all.iter().map(|one| one.left).max().unwrap_or(0);
            let median = |of: fn(&RapidReset) -> f64| {
                Summary::of(all.iter().map(|one| of(one))).map_or(0.0, |of| of.p50)
            };
            let cells = vec![
                Cell::plain(count(|one| one.resets)),
                Cell::plain(count(|one| one.connections)),
                Cell::plain(count(|one| one.begun)),
                Cell::new(if most > LIMIT { Tone::Bad } else { Tone::Good }, number(most as u64)),
                Cell::new(if left > 0 { Tone::Bad } else { Tone::Good }, number(left as u64)),
                Cell::plain(format!("{:.0}", median(|one| one.cpu_ms))),
                Cell::plain(format!("{:.1}", median(RapidReset::cpu_of_one))),
            ];
            table.line(name, cells);
            if most > LIMIT {
                table.sentences.push(format!(
                    "{name}: {} units of work at once for one connection, and the limit is {LIMIT}: a broken promise.",
                    number(most as u64)
                ));
            }
        }
        if table.sentences.is_empty() && !table.lines.is_empty() {
            table.sentences.push(format!("Live work of a connection never exceeded its limit of {LIMIT}."));
        }
        table.filled().into_iter().collect()
    }
}

impl RapidReset {
    /// Returns the processor time of one reset, in microseconds.
    fn cpu_of_one(&self) -> f64 {
        self.cpu_ms * 1e3 / self.resets.max(1) as f64
    }
}

/// Resets streams as fast as they are opened, and returns a record without the names of its server and round.
fn attack(server: &Server, lasts: Duration) -> Result<RapidReset, Failure> {
    let witness = server.witness().ok_or_else(|| Failure::unsupported("no heartbeats"))?;
    let pid = server.pid().ok_or_else(|| Failure::unsupported("not our process"))?;
    let give_up_at = Instant::now() + lasts + PATIENCE;
    let (mut h2, limit) = connect(server, give_up_at)?;
    let (mut resets, mut connections) = (0, 1);
    let (before, since) = (proc::usage(pid)?, Instant::now());
    while since.elapsed() < lasts {
        let mut frames = Vec::new();
        for _ in 0..limit {
            let request = Request::get("/slow?work=3s&tick=500ms").timeout(PATIENCE);
            let (stream, mut opening) = h2.prepare(&request.id(format!("rapid-{connections}-{resets}")));
            frames.append(&mut opening);
            frames.push(Frame::reset(stream, Code::CANCEL));
            resets += 1;
        }
        h2.flood(&frames, PATIENCE, true)?;
        h2.listen(Duration::ZERO)?;
        h2.forget_closed();
        if h2.is_over() || h2.session().goaway().is_some() {
            (h2, _) = connect(server, give_up_at)?;
            connections += 1;
        }
    }
    std::thread::sleep(SETTLE);
    let cpu = proc::usage(pid)?.cpu.saturating_sub(before.cpu);
    let (mut begun, mut most, mut left) = (0, 0, 0);
    for connection in 1..=connections {
        let work = Work::heard(witness, since, &format!("rapid-{connection}-"));
        (begun, most, left) = (begun + work.begun, most.max(work.most), left + work.left);
    }
    let cpu_ms = cpu.as_secs_f64() * 1e3;
    Ok(RapidReset { server: String::new(), round: 0, resets, connections, begun, most, left, cpu_ms })
}

/// The work of a connection, by its own words.
#[derive(Debug, Default, PartialEq, Eq)]
struct Work {
    begun: usize,
    most: usize,
    left: usize,
}

impl Work {
    fn heard(witness: &Witness, since: Instant, prefix: &str) -> Self {
        let events = witness.since(since, prefix).into_iter().flat_map(|(_, events)| events);
        Self::of(events.collect())
    }

    fn of(events: Vec<(Instant, Word)>) -> Self {
        let mut steps: Vec<(Instant, bool)> = Vec::new();
        steps.extend(events.iter().filter(|(_, word)| *word == Word::Start).map(|(at, _)| (*at, true)));
        steps.extend(events.iter().filter(|(_, word)| word.is_end()).map(|(at, _)| (*at, false)));
        // Of two words that were heard at once the end counts first.
        steps.sort();
        let mut work = Self::default();
        for (_, begins) in steps {
            work.begun += usize::from(begins);
            work.left = if begins { work.left + 1 } else { work.left.saturating_sub(1) };
            work.most = work.most.max(work.left);
        }
        work
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn live_work_is_counted_by_its_own_words() {
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        let events = vec![
            (at(1), Word::Start),
            (at(2), Word::Start),
            (at(3), Word::Beat(1)),
            (at(4), Word::Canceled),
            (at(4), Word::Start),
            (at(9), Word::Canceled),
        ];
        assert_eq!(Work::of(events), Work { begun: 3, most: 2, left: 1 });
        assert_eq!(Work::of(Vec::new()), Work::default());
    }
}
