//! Throughput and latency of `/fast`: back to back, and in step with a schedule.

use load::{Load, Pace, Row, validity};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use suite::document::{Better, Series};
use suite::verdict::Failure;
use testbed::server::Server;
use wire::Request;

use crate::measurement::{Interval, Measurement, Size, millis};
use crate::results::Results;
use crate::schedule::{Round, Step, Taker};
use crate::series::{Gathered, Sample};
use crate::stats::{ROUNDS, Summary};
use crate::table::Table;

pub mod summary;

/// The number of tries of a round in step, when its requests leave late.
const TRIES: usize = 3;

/// A load of `/fast`, and how often.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Plan {
    /// Connections.
    pub connections: usize,
    /// The time for which a round asks before it counts.
    pub warm_up_ms: u64,
    /// The time for which a round counts.
    pub lasting_ms: u64,
    /// Requests a second of the open loop; null in the closed one.
    pub rate: Option<f64>,
    /// Rounds of each server.
    pub rounds: usize,
}

impl Plan {
    fn of(size: Size, rate: Option<f64>, rounds: usize) -> Self {
        let (warm_up_ms, lasting_ms) = (size.pick(100, 100, 200), size.pick(300, 400, 2000));
        Self { connections: 64, warm_up_ms, lasting_ms, rate, rounds }
    }
}

/// Measures how many `/fast` are answered, back to back.
#[derive(Debug)]
pub struct Measure;

impl Measurement for Measure {
    type Record = Fast;
    type Plan = Plan;

    const ALIASES: &'static [&'static str] = &["fast"];
    const FLOORS: bool = true;

    fn plan(size: Size) -> Plan {
        Plan::of(size, None, size.pick(1, 5, 6))
    }

    fn rounds(plan: &mut Plan) -> Vec<&mut usize> {
        vec![&mut plan.rounds]
    }

    fn run(plan: &Plan, taker: &mut Taker<'_>) -> Vec<Fast> {
        let step = beside_floors(taker, plan);
        let taken = taker.take(&step, |slot| throughput(slot.server, plan).map(|row| vec![row]));
        rows(taker, taken)
    }

    fn series(results: &Results) -> Vec<Series> {
        fast(results, &results.measured.throughput, "back to back")
    }

    fn histograms(results: &Results) -> Vec<Interval> {
        intervals(&results.measured.throughput, "back-to-back")
    }

    fn tables(results: &Results) -> Vec<Table> {
        summary::throughput_tables(results)
    }
}

/// Measures how fast `/fast` is answered, in step with a schedule.
#[derive(Debug)]
pub struct Latency;

impl Measurement for Latency {
    type Record = Fast;
    type Plan = Plan;

    const ALIASES: &'static [&'static str] = &["fast"];
    const FLOORS: bool = true;

    fn plan(size: Size) -> Plan {
        Plan::of(size, Some(5000.0), size.pick(0, 3, 5))
    }

    fn rounds(plan: &mut Plan) -> Vec<&mut usize> {
        vec![&mut plan.rounds]
    }

    fn run(plan: &Plan, taker: &mut Taker<'_>) -> Vec<Fast> {
        let step = beside_floors(taker, plan);
        let taken = taker.take(&step, |slot| latency(slot.server, plan));
        rows(taker, taken)
    }

    fn series(results: &Results) -> Vec<Series> {
        fast(results, &results.measured.latency, "in step")
    }

    fn histograms(results: &Results) -> Vec<Interval> {
        intervals(&results.measured.latency, "in-step")
    }

    fn tables(results: &Results) -> Vec<Table> {
        summary::latency_tables(results)
    }
}

/// The floors, and behind them the servers.
fn beside_floors<'a>(taker: &Taker<'a>, plan: &Plan) -> Step<'a> {
    let mut step = taker.step("", plan.rounds);
    step.servers.splice(..0, taker.floors());
    step
}

/// The rows of all rounds.
fn rows(taker: &Taker<'_>, taken: Vec<Round<'_, Vec<Row>>>) -> Vec<Fast> {
    let of = |round: Round<'_, Vec<Row>>| {
        let (server, floor) = (round.subject.name().to_owned(), round.index < taker.floors().len());
        let (number, at_ms) = (round.number, Some(round.at_ms));
        let of = move |row| Fast { server: server.clone(), floor, round: number, at_ms, row };
        round.found.into_iter().map(of)
    };
    taken.into_iter().flat_map(of).collect()
}

/// Every answer of the loads, by status.
fn intervals(rounds: &[Fast], name: &str) -> Vec<Interval> {
    let mut all = Vec::new();
    for Fast { server, at_ms, row, .. } in rounds {
        for (status, latency) in [("200", &row.ok), ("504", &row.timeout), ("other", &row.other)] {
            all.extend(latency.as_ref().map(|latency| Interval {
                tag: format!("{server}/fast-{name}-{status}"),
                at_ms: *at_ms,
                lasted_ms: Some(row.window_ms),
                latencies: latency.histogram(),
            }));
        }
    }
    all
}

/// The figures of each row that may be believed.
fn fast(results: &Results, rounds: &[Fast], name: &str) -> Vec<Series> {
    let mut all = Gathered::default();
    // A row that may not be believed is no sample of the server; it stands in the document with its reason.
    for one in rounds.iter().filter(|one| one.row.is_valid()) {
        let (ok, noise) = (one.row.ok.as_ref(), results.noise.p99_ms);
        let figures = [
            ("answers a second", "1/s", 0.0, Better::More, Some(one.row.per_second)),
            ("median latency", "ms", noise, Better::Less, ok.map(|latency| latency.p50_ms)),
            ("p99 latency", "ms", noise, Better::Less, ok.and_then(|latency| latency.p99_ms)),
            ("processor time of a request", "µs", 0.0, Better::Less, one.row.cost.map(|cost| cost.cpu_us)),
        ];
        for (what, unit, least, better, value) in figures {
            let what = format!("/fast {name}: {what}");
            all.add(Sample { server: &one.server, what, round: one.round, value }, unit, least, better);
        }
    }
    all.0
}

/// One turn of one server.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Fast {
    /// The server.
    pub server: String,
    /// True for a server that is there only to compare with.
    pub floor: bool,
    /// The number of the round, from 0.
    pub round: usize,
    /// The start, in milliseconds since that of the run; null where it is not known.
    pub at_ms: Option<f64>,
    /// The generator's row.
    pub row: Row,
}

/// Lets `plan.connections` connections ask back to back, after a warm-up that does not count.
///
/// # Errors
/// When the connections cannot be opened.
fn throughput(server: &Server, plan: &Plan) -> Result<Row, Failure> {
    warm_up(server, plan)?;
    load(server, plan, Pace::BackToBack { lasting: millis(plan.lasting_ms) })
}

/// Asks `plan.rate` times a second, whether the server keeps up or not, after a warm-up that does not count. A generator that
/// was not let run says nothing of the server, and tries again; what it tried is kept, and only the last can be valid.
///
/// # Errors
/// When the connections cannot be opened.
fn latency(server: &Server, plan: &Plan) -> Result<Vec<Row>, Failure> {
    warm_up(server, plan)?;
    let rate = plan.rate.unwrap_or_default();
    let requests = (rate * millis(plan.lasting_ms).as_secs_f64()).round() as usize;
    let mut rows = Vec::new();
    for _ in 0..TRIES {
        let row = load(server, plan, Pace::Rate { per_second: rate, requests })?;
        let held_up = validity::is_only_late(&row);
        rows.push(row);
        if !held_up {
            break;
        }
    }
    Ok(rows)
}

fn warm_up(server: &Server, plan: &Plan) -> Result<(), Failure> {
    load(server, plan, Pace::BackToBack { lasting: millis(plan.warm_up_ms) }).map(drop)
}

fn load(server: &Server, plan: &Plan, pace: Pace) -> Result<Row, Failure> {
    let load = Load::new(server.address(), server.pid(), Request::get("/fast"), plan.connections, pace);
    Ok(load.run().map(|done| done.row)?)
}

/// All rounds of one server.
#[derive(Debug, Clone, PartialEq)]
pub struct Standing<'a> {
    /// The server.
    pub server: &'a str,
    /// True for a server that is there only to compare with.
    pub floor: bool,
    /// Its turns that may be believed; when there are none, all of them.
    pub rows: Vec<&'a Row>,
    /// The number of rounds, those included that were tried again.
    pub turns: usize,
    /// Its place among the servers, from 1: how many servers are better by ranges that part, and one. None for a floor, and
    /// for a server with too few turns that may be believed to be ranked.
    pub rank: Option<usize>,
    /// Why turns may not be believed, each reason once.
    pub invalid: Vec<&'a str>,
}

impl Standing<'_> {
    /// Returns true when the turns that it is judged by may be believed.
    pub fn is_believed(&self) -> bool {
        self.rows.iter().all(|row| row.is_valid())
    }

    /// A figure of its turns: median, least and most.
    pub fn figure(&self, of: impl Fn(&Row) -> Option<f64>) -> Option<Summary> {
        Summary::of(self.rows.iter().filter_map(|row| of(row)))
    }
}

/// The servers of these turns: the ranked ones by `better` of their median (the greater the better), then the others.
pub fn standings(turns: &[Fast], better: impl Fn(&Row) -> Option<f64>) -> Vec<Standing<'_>> {
    let mut standings: Vec<Standing<'_>> = Vec::new();
    for turn in turns {
        if standings.iter().all(|standing| standing.server != turn.server) {
            standings.push(standing(turns, turn));
        }
    }
    let score = |standing: &Standing<'_>| standing.figure(&better).map_or(f64::NEG_INFINITY, |sum| sum.p50);
    standings
        .sort_by(|a, b| b.is_believed().cmp(&a.is_believed()).then_with(|| score(b).total_cmp(&score(a))));
    let ranked = |standing: &Standing<'_>| {
        let rounds = standing.figure(&better)?;
        (!standing.floor && standing.is_believed() && rounds.count >= ROUNDS).then_some(rounds)
    };
    let rounds: Vec<Option<Summary>> = standings.iter().map(ranked).collect();
    for (standing, own) in standings.iter_mut().zip(&rounds) {
        let beats = |own: &Summary, other: &Summary| other.parts_from(own) && other.p50 > own.p50;
        standing.rank = own.map(|own| 1 + rounds.iter().flatten().filter(|other| beats(&own, other)).count());
    }
    standings
}

fn standing<'a>(turns: &'a [Fast], first: &'a Fast) -> Standing<'a> {
    let all: Vec<&Row> =
        turns.iter().filter(|turn| turn.server == first.server).map(|turn| &turn.row).collect();
    let valid: Vec<&Row> = all.iter().copied().filter(|row| row.is_valid()).collect();
    let mut invalid: Vec<&str> = Vec::new();
    for reason in all.iter().flat_map(|row| &row.invalid) {
        // The same rule broken by another figure is the same reason.
        let kind = |text: &str| text.chars().filter(|c| c.is_alphabetic()).collect::<String>();
        if invalid.iter().all(|have| kind(have) != kind(reason)) {
            invalid.push(reason);
        }
    }
    Standing {
        server: &first.server,
        floor: first.floor,
        turns: all.len(),
        rows: if valid.is_empty() { all } else { valid },
        rank: None,
        invalid,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn turn(server: &str, per_second: f64, invalid: &[&str]) -> Fast {
        let invalid = invalid.iter().map(|reason| (*reason).to_owned()).collect();
        let row = Row { per_second, invalid, ..Row::default() };
        Fast { server: server.to_owned(), floor: server == "floor", round: 0, at_ms: None, row }
    }

    fn ranks(turns: &[Fast]) -> Vec<(&str, Option<usize>, f64)> {
        let standings = standings(turns, |row| Some(row.per_second));
        let line = |standing: &Standing<'_>| {
            standing.figure(|row| Some(row.per_second)).map_or(0.0, |summary| summary.p50)
        };
        turns_of(standings, line)
    }

    fn turns_of<'a>(
        standings: Vec<Standing<'a>>,
        median: impl Fn(&Standing<'a>) -> f64,
    ) -> Vec<(&'a str, Option<usize>, f64)> {
        standings.iter().map(|standing| (standing.server, standing.rank, median(standing))).collect()
    }

    /// Three turns of a server.
    fn three(server: &str, per_second: [f64; 3]) -> [Fast; 3] {
        per_second.map(|per_second| turn(server, per_second, &[]))
    }

    #[test]
    fn servers_are_ranked_by_their_median_and_floors_are_not() {
        let turns = [
            three("slow", [10.0, 25.0, 20.0]),
            three("floor", [99.0; 3]),
            three("quick", [30.0, 40.0, 35.0]),
        ];
        assert_eq!(
            ranks(turns.as_flattened()),
            [("floor", None, 99.0), ("quick", Some(1), 35.0), ("slow", Some(2), 20.0)]
        );
    }

    #[test]
    fn servers_whose_ranges_overlap_share_a_place() {
        let turns = [
            three("first", [50.0, 60.0, 70.0]),
            three("second", [40.0, 45.0, 55.0]),
            three("third", [10.0, 42.0, 43.0]),
        ];
        let places: Vec<_> =
            ranks(turns.as_flattened()).into_iter().map(|(name, rank, _)| (name, rank)).collect();
        assert_eq!(places, [("first", Some(1)), ("second", Some(1)), ("third", Some(2))]);
    }

    #[test]
    fn two_rounds_rank_nothing() {
        let turns = [turn("x", 1.0, &[]), turn("x", 1.0, &[]), turn("y", 9.0, &[]), turn("y", 9.0, &[])];
        assert_eq!(ranks(&turns), [("y", None, 9.0), ("x", None, 1.0)]);
    }

    #[test]
    fn a_server_whose_rows_are_all_invalid_is_shown_last_and_not_ranked() {
        let turns = [turn("starved", 100.0, &["sent 5 of 10 requests a second"]), turn("sound", 1.0, &[])];
        assert_eq!(ranks(&turns), [("sound", None, 1.0), ("starved", None, 100.0)]);
    }

    #[test]
    fn a_turn_that_may_not_be_believed_is_left_out_of_the_median_and_its_reason_is_said_once() {
        let turns = [
            turn("x", 1000.0, &["requests left late: 3.0 ms (p99)"]),
            turn("x", 2.0, &[]),
            turn("x", 900.0, &["requests left late: 4.5 ms (p99)"]),
        ];
        let standings = standings(&turns, |row| Some(row.per_second));
        assert_eq!((standings[0].is_believed(), standings[0].rows.len(), standings[0].turns), (true, 1, 3));
        assert_eq!(standings[0].invalid, ["requests left late: 3.0 ms (p99)"]);
    }
}
