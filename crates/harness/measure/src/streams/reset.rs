//! The time to cancel work whose stream is reset.

use std::time::{Duration, Instant};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use suite::document::Series;
use suite::verdict::Failure;
use testbed::capability::Capability;
use testbed::server::Server;
use testbed::witness::Word;
use wire::Request;
use wire::h2::Code;

use super::{PATIENCE, connect, step};
use crate::measurement::{Measurement, Size, millis};
use crate::results::Results;
use crate::schedule::Taker;
use crate::series::{Gathered, Sample};
use crate::stats::{Summary, ms_between};
use crate::table::{Cell, Table, Tone};
use crate::text::number;

/// Between one reset and the next.
const APART: Duration = Duration::from_millis(1);
/// Its deadline never is what stops the work.
const DEADLINE: Duration = Duration::from_secs(60);

/// Streams that are reset, and how often.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Plan {
    /// The work that a stream asks for.
    pub work_ms: u64,
    /// Streams per round, all on one connection.
    pub streams: usize,
    /// Rounds of each server.
    pub rounds: usize,
}

/// The resets of one server in one round.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Resets {
    /// The server.
    pub server: String,
    /// The number of the round, from 0.
    pub round: usize,
    /// From RST_STREAM to the end of the work that was canceled.
    pub took_ms: Vec<f64>,
    /// The number of units of work that were not canceled.
    pub missed: usize,
}

/// Measures how soon work is canceled when its stream is reset.
#[derive(Debug)]
pub struct Measure;

impl Measurement for Measure {
    type Record = Resets;
    type Plan = Plan;

    fn plan(size: Size) -> Plan {
        Plan { work_ms: 900, streams: size.pick(50, 300, 1000), rounds: size.pick(1, 3, 3) }
    }

    fn rounds(plan: &mut Plan) -> Vec<&mut usize> {
        vec![&mut plan.rounds]
    }

    fn run(plan: &Plan, taker: &mut Taker<'_>) -> Vec<Resets> {
        let step = step(taker, plan.rounds, &[Capability::Witness]);
        let taken = taker.take(&step, |slot| resets(slot.server, slot.round, plan));
        let record = |(server, round, (took_ms, missed))| Resets { server, round, took_ms, missed };
        taken
            .into_iter()
            .map(|round| record((round.subject.name().to_owned(), round.number, round.found)))
            .collect()
    }

    fn series(results: &Results) -> Vec<Series> {
        let mut all = Gathered::default();
        for one in &results.measured.resets {
            let sample = |what: &str, value| Sample {
                server: &one.server,
                what: what.to_owned(),
                round: one.round,
                value: Some(value),
            };
            for took in &one.took_ms {
                all.less(sample("time to cancel, RST_STREAM", *took), "ms", results.noise.p99_ms);
            }
            let share = one.missed as f64 / (one.missed + one.took_ms.len()).max(1) as f64;
            all.less(sample("not canceled, RST_STREAM", share), "share", 0.0);
        }
        all.0
    }

    fn tables(results: &Results) -> Vec<Table> {
        let columns = ["streams", "not canceled", "median", "p99", "worst"];
        let mut table =
            Table::new("How soon is work canceled whose HTTP/2 stream is reset?", "server", columns);
        table.note = "Over HTTP/2: from RST_STREAM CANCEL to the last sign of the work, of all rounds. Not canceled: the work ran \
                      to its natural end."
            .to_owned();
        for name in results.names() {
            let of = |one: &&Resets| one.server == name;
            let all: Vec<&Resets> = results.measured.resets.iter().filter(of).collect();
            let missed: usize = all.iter().map(|one| one.missed).sum();
            let took = Summary::of(all.iter().flat_map(|one| one.took_ms.iter().copied()));
            let streams = missed + took.map_or(0, |took| took.count);
            if streams == 0 {
                continue;
            }
            let tone = if missed > 0 { Tone::Bad } else { Tone::Good };
            let mut cells = vec![Cell::plain(number(streams as u64)), Cell::new(tone, number(missed as u64))];
            cells.extend(Cell::quantiles(took));
            table.line(name, cells);
            if missed > 0 {
                let (missed, streams) = (number(missed as u64), number(streams as u64));
                let went_on = format!(
                    "{name}: the work of {missed} of {streams} streams that were reset ran to its end."
                );
                table.sentences.push(went_on);
            }
        }
        if table.sentences.is_empty() && !table.lines.is_empty() {
            table.sentences.push("The work of every stream that was reset was canceled.".to_owned());
        }
        table.filled().into_iter().collect()
    }
}

/// Resets streams on one connection once they work, one after the other, and watches their work to its end.
fn resets(server: &Server, round: usize, plan: &Plan) -> Result<(Vec<f64>, usize), Failure> {
    let witness = server.witness().ok_or_else(|| Failure::unsupported("no heartbeats"))?;
    let (mut took, mut missed, mut done) = (Vec::new(), 0, 0);
    let (mut h2, limit) = connect(server, Instant::now() + DEADLINE)?;
    while done < plan.streams {
        let names: Vec<String> =
            (done..plan.streams.min(done + limit)).map(|number| format!("resets-{round}-{number}")).collect();
        let target = format!("/slow?work={}ms&tick=100ms", plan.work_ms);
        let request = |name: &String| Request::get(target.clone()).timeout(DEADLINE).id(name.as_str());
        let streams = h2.together(&names.iter().map(request).collect::<Vec<_>>())?;
        for name in &names {
            let began = witness.wait_start(name, PATIENCE);
            began.ok_or_else(|| Failure::broken("the work of a stream did not begin"))?;
        }
        let mut reset_at = Vec::new();
        for stream in streams {
            std::thread::sleep(APART);
            reset_at.push(h2.reset(stream, Code::CANCEL)?);
        }
        let until = Instant::now() + millis(plan.work_ms) + PATIENCE;
        for (name, at) in names.iter().zip(reset_at) {
            match witness.wait_end(name, until.saturating_duration_since(Instant::now())) {
                // On a busy machine the work may have ended before its stream was reset.
                Some((ended, _)) if ended < at => {}
                Some((ended, Word::Canceled | Word::Panicked)) => took.push(ms_between(at, ended)),
                _ => missed += 1,
            }
        }
        done += names.len();
        h2.listen(Duration::ZERO)?;
        h2.forget_closed();
    }
    Ok((took, missed))
}
