//! Work outside the process: the time for which it goes on after its request, by a witness that is not the server's.
//!
//! A child process is watched in `/proc`, a query in `pg_stat_activity`, a call by the server that is called, and a permit by
//! the request that waits for it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use suite::document::Series;
use testbed::capability::Capability;
use testbed::subject::Subject;

use crate::measurement::{Measurement, Size};
use crate::registry::Measured;
use crate::results::Results;
use crate::schedule::Taker;
use crate::series::{Gathered, Sample};
use crate::table::Table;

pub mod summary;
mod watch;

/// Work may go on outside for this long after its request, in milliseconds; longer is a zombie.
const FORGIVEN_MS: f64 = 50.0;

/// A style of work outside the process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Style {
    /// Its name in the contract.
    pub name: &'static str,
    /// The capability of a server that has it.
    pub needs: Capability,
    /// The way in which it is watched.
    kind: Kind,
}

/// The witnesses of work outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// `/proc`.
    Process,
    /// `pg_stat_activity`.
    Query,
    /// The server that is called.
    Upstream,
    /// The request that waits for the permit.
    Permit,
}

/// Every style, in the order of every table: each that stops its work beside the one that does not.
pub const STYLES: &[Style] = &[
    Style { name: "process", needs: Capability::StyleProcess, kind: Kind::Process },
    Style { name: "process-unkilled", needs: Capability::StyleProcessUnkilled, kind: Kind::Process },
    Style { name: "query", needs: Capability::StyleQuery, kind: Kind::Query },
    Style { name: "query-dropped", needs: Capability::StyleQueryDropped, kind: Kind::Query },
    Style { name: "upstream", needs: Capability::StyleUpstream, kind: Kind::Upstream },
    Style { name: "permit", needs: Capability::StylePermit, kind: Kind::Permit },
];

/// Requests of each style that end in each way, and how often.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Plan {
    /// The deadline of a request that times out, and the time after which the client of another disconnects.
    pub deadline_ms: u64,
    /// The work that a request asks for.
    pub work_ms: u64,
    /// Requests of each style and end, per round.
    pub tries: usize,
    /// Rounds of each server.
    pub rounds: usize,
}

/// Measures how long work outside the process goes on after its request.
#[derive(Debug)]
pub struct Measure;

impl Measurement for Measure {
    type Record = Outside;
    type Plan = Plan;

    fn plan(size: Size) -> Plan {
        Plan { deadline_ms: 300, work_ms: 900, tries: size.pick(1, 3, 5), rounds: 1 }
    }

    fn rounds(plan: &mut Plan) -> Vec<&mut usize> {
        vec![&mut plan.rounds]
    }

    fn run(plan: &Plan, taker: &mut Taker<'_>) -> Vec<Outside> {
        let mut step = taker.step("", plan.rounds);
        // Everybody waits.
        step.abreast = 2;
        step.servers.retain(|subject| has_any(subject));
        let taken = taker.take(&step, |slot| Ok(watch::all(slot, plan)));
        let mut found = Vec::new();
        for round in taken {
            for (kind, failure) in &round.found.failed {
                taker.gap(round.subject, kind, failure);
            }
            found.extend(round.found.seen);
        }
        found
    }

    fn series(results: &Results) -> Vec<Series> {
        let mut all = Gathered::default();
        for one in &results.measured.outside {
            let what = format!("work outside after {}, {}", one.end.word(), one.style);
            let (server, round) = (&one.server[..], one.round);
            all.less(
                Sample { server, what, round, value: Some(one.outlived_ms) },
                "ms",
                results.noise.p99_ms.max(2.0),
            );
        }
        all.0
    }

    fn tables(results: &Results) -> Vec<Table> {
        summary::tables(results)
    }
}

/// True for a server with work outside that can be watched.
fn has_any(subject: &Subject) -> bool {
    subject.supports(Capability::Process) && STYLES.iter().any(|style| subject.supports(style.needs))
}

/// The end of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum End {
    /// It was answered at its deadline.
    Deadline,
    /// Its client closed the connection.
    Disconnect,
}

impl End {
    /// Both, in the order of every table.
    pub const ALL: [Self; 2] = [Self::Deadline, Self::Disconnect];

    /// The word in tables.
    pub fn word(self) -> &'static str {
        match self {
            Self::Deadline => "the deadline",
            Self::Disconnect => "the client's disconnect",
        }
    }
}

/// One request and the work that was done for it outside; times are milliseconds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Outside {
    /// The server.
    pub server: String,
    /// The style of the work.
    pub style: String,
    /// The end of its request.
    pub end: End,
    /// The number of the round, from 0.
    pub round: usize,
    /// When the work was first seen from outside the server, since the request was sent; null in documents of before it was noted.
    #[serde(default)]
    pub began_ms: Option<f64>,
    /// When the request ended, since it was sent; null in documents of before it was noted.
    #[serde(default)]
    pub over_ms: Option<f64>,
    /// The answer's status; none when the client left.
    pub status: Option<u16>,
    /// From the end of the request until the work was last seen from outside the server; 0 when it was gone before.
    pub outlived_ms: f64,
    /// True when the work still went on then, and was not watched further.
    pub endless: bool,
    /// True when an ended child process was never waited for.
    pub defunct: bool,
}

impl Outside {
    /// True for work that went on after its request.
    pub fn is_zombie(&self) -> bool {
        self.endless || self.outlived_ms > FORGIVEN_MS
    }
}

impl Measured {
    /// The work of one server in one style whose requests ended so, the longest first.
    pub fn outside_of(&self, server: &str, style: &str, end: End) -> Vec<&Outside> {
        let wanted = |one: &&Outside| one.server == server && one.style == style && one.end == end;
        let mut found: Vec<&Outside> = self.outside.iter().filter(wanted).collect();
        found.sort_by(|a, b| {
            (b.endless, b.outlived_ms).partial_cmp(&(a.endless, a.outlived_ms)).expect("times are numbers")
        });
        found
    }
}
