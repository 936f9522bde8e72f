//! The lateness of 504s of streams that share one connection.

use std::time::{Duration, Instant};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use suite::document::Series;
use suite::verdict::Failure;
use testbed::server::Server;
use wire::Request;
use wire::h2::Ending;

use super::{LIMIT, PATIENCE, connect, step};
use crate::measurement::{Measurement, Size, millis};
use crate::overshoot::{self, Overshoot, Sample, gathered};
use crate::results::Results;
use crate::schedule::Taker;
use crate::table::Table;

/// Streams of one connection, and how often.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Plan {
    /// The deadline.
    pub deadline_ms: u64,
    /// Streams in all; as many at once as the server allows, 100 at most.
    pub streams: usize,
    /// Rounds of each server.
    pub rounds: usize,
}

/// Measures how late 504s are that share a connection.
#[derive(Debug)]
pub struct Measure;

impl Measurement for Measure {
    type Record = Overshoot;
    type Plan = Plan;

    fn plan(size: Size) -> Plan {
        Plan { deadline_ms: 200, streams: size.pick(100, 500, 1000), rounds: size.pick(1, 3, 5) }
    }

    fn rounds(plan: &mut Plan) -> Vec<&mut usize> {
        vec![&mut plan.rounds]
    }

    fn run(plan: &Plan, taker: &mut Taker<'_>) -> Vec<Overshoot> {
        let deadline = millis(plan.deadline_ms);
        let step = step(taker, plan.rounds, &[]);
        let taken = taker.take(&step, |slot| streams(slot.server, plan.streams, deadline));
        gathered(&step, &taken, plan.streams, deadline)
    }

    fn series(results: &Results) -> Vec<Series> {
        overshoot::lateness(results, &results.measured.streams, "streams of one connection")
    }

    /// An answer before its deadline breaks the check.
    fn is_broken(results: &Results) -> bool {
        results.measured.streams.iter().any(|overshoot| overshoot.early > 0)
    }

    fn tables(results: &Results) -> Vec<Table> {
        let title = "How late is the 504 of an HTTP/2 stream?";
        let mut table = overshoot::summary::table(&results.measured.streams, title, "streams");
        table.note = "Over HTTP/2, on one connection, as many at once as the server allows and 100 at most; from the deadline to \
                      the first byte of HEADERS."
            .to_owned();
        table.filled().into_iter().collect()
    }
}

/// Sends `count` streams on one connection, in waves of as many as may be under way at once.
fn streams(server: &Server, count: usize, deadline: Duration) -> Result<Vec<Sample>, Failure> {
    let waves = (deadline + PATIENCE) * count.div_ceil(LIMIT) as u32;
    let (mut h2, limit) = connect(server, Instant::now() + waves)?;
    let request = Request::get("/slow?work=60s&tick=1s").timeout(deadline);
    let mut samples = Vec::with_capacity(count);
    while samples.len() < count {
        let wave = limit.min(count - samples.len());
        for stream in h2.together(&vec![request.clone(); wave])? {
            let ended = h2.ending(stream, deadline + PATIENCE)?;
            let exchange = h2.exchange(stream)?;
            let whole = ended.is_some_and(|(how, _)| how == Ending::Complete);
            samples.push(Sample {
                status: exchange.head.as_ref().filter(|_| whole).map(|(status, _)| *status),
                intended_at: exchange.sent_at,
                sent_at: exchange.sent_at,
                first_byte_at: exchange.first_byte_at.filter(|_| whole),
            });
        }
        h2.forget_closed();
    }
    Ok(samples)
}
