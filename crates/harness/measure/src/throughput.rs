//! Throughput and latency of `/fast`: back to back, and in step with a schedule.

use load::{Load, Pace, Row, validity};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use suite::verdict::Failure;
use testbed::server::Server;
use wire::Request;

use crate::plan;
use crate::stats::Summary;

/// The number of tries of a round in step, when its requests leave late.
const TRIES: usize = 3;

/// One turn of one server.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Fast {
    /// The server.
    pub server: String,
    /// True for a server that is there only to compare with.
    pub floor: bool,
    /// Which turn it was, from 0.
    pub turn: usize,
    /// When it began, in milliseconds since the run did; not known of old runs.
    #[serde(default)]
    pub at_ms: Option<f64>,
    /// The generator's row.
    pub row: Row,
}

/// Lets `plan.connections` connections ask back to back, after a warm-up that does not count.
///
/// # Errors
/// When the connections cannot be opened.
pub fn throughput(server: &Server, plan: &plan::Fast) -> Result<Row, Failure> {
    warm_up(server, plan)?;
    load(server, plan, Pace::BackToBack { lasting: plan.lasting })
}

/// Asks `plan.rate` times a second, whether the server keeps up or not, after a warm-up that does not count. A generator that
/// was not let run says nothing of the server, and tries again; what it tried is kept, and only the last can be valid.
///
/// # Errors
/// When the connections cannot be opened.
pub fn latency(server: &Server, plan: &plan::Fast) -> Result<Vec<Row>, Failure> {
    warm_up(server, plan)?;
    let requests = (plan.rate * plan.lasting.as_secs_f64()).round() as usize;
    let mut rows = Vec::new();
    for _ in 0..TRIES {
        let row = load(server, plan, Pace::Rate { per_second: plan.rate, requests })?;
        let held_up = validity::is_only_late(&row);
        rows.push(row);
        if !held_up {
            break;
        }
    }
    Ok(rows)
}

fn warm_up(server: &Server, plan: &plan::Fast) -> Result<(), Failure> {
    load(server, plan, Pace::BackToBack { lasting: plan.warm_up }).map(drop)
}

fn load(server: &Server, plan: &plan::Fast, pace: Pace) -> Result<Row, Failure> {
    let load = Load::new(server.address(), server.pid(), Request::get("/fast"), plan.connections, pace);
    Ok(load.run().map(|done| done.row)?)
}

/// All turns of one server.
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
    /// Its place among the servers, from 1; none for a floor and for one without a turn that may be believed.
    pub rank: Option<usize>,
    /// Why turns may not be believed, each reason once.
    pub invalid: Vec<&'a str>,
}

impl Standing<'_> {
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
    let is_valid = |standing: &Standing<'_>| standing.rows.iter().all(|row| row.is_valid());
    standings.sort_by(|a, b| is_valid(b).cmp(&is_valid(a)).then_with(|| score(b).total_cmp(&score(a))));
    let mut place = 0;
    for standing in &mut standings {
        if !standing.floor && standing.rows.iter().all(|row| row.is_valid()) {
            place += 1;
            standing.rank = Some(place);
        }
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
        Fast { server: server.to_owned(), floor: server == "floor", turn: 0, at_ms: None, row }
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

    #[test]
    fn servers_are_ranked_by_their_median_and_floors_are_not() {
        let turns = [
            turn("slow", 10.0, &[]),
            turn("floor", 99.0, &[]),
            turn("quick", 30.0, &[]),
            turn("slow", 50.0, &[]),
            turn("slow", 20.0, &[]),
        ];
        assert_eq!(ranks(&turns), [("floor", None, 99.0), ("quick", Some(1), 30.0), ("slow", Some(2), 20.0)]);
    }

    #[test]
    fn a_server_whose_rows_are_all_invalid_is_shown_last_and_not_ranked() {
        let turns = [turn("starved", 100.0, &["sent 5 of 10 requests a second"]), turn("sound", 1.0, &[])];
        assert_eq!(ranks(&turns), [("sound", Some(1), 1.0), ("starved", None, 100.0)]);
    }

    #[test]
    fn a_turn_that_may_not_be_believed_is_left_out_of_the_median_and_its_reason_is_said_once() {
        let turns = [
            turn("x", 1000.0, &["requests left late: 3.0 ms (p99)"]),
            turn("x", 2.0, &[]),
            turn("x", 900.0, &["requests left late: 4.5 ms (p99)"]),
        ];
        let standings = standings(&turns, |row| Some(row.per_second));
        assert_eq!((standings[0].rank, standings[0].rows.len(), standings[0].turns), (Some(1), 1, 3));
        assert_eq!(standings[0].invalid, ["requests left late: 3.0 ms (p99)"]);
    }
}
