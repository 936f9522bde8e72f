//! Disconnects: the time until work hears of one, for every way to disconnect and each thing that then lies unread.

use std::time::{Duration, Instant};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use suite::document::Series;
use suite::verdict::Failure;
use testbed::capability::Capability;
use testbed::server::Server;
use testbed::witness::Witness;
use wire::trace::Trace;
use wire::{Leave, Request, Wire};

use crate::measurement::{Measurement, Size, millis};
use crate::registry::Measured;
use crate::results::Results;
use crate::schedule::{Slot, Taker, named};
use crate::series::{Gathered, Sample};
use crate::stats::{Summary, ms_between};
use crate::table::Table;
use crate::zombie::How;

pub mod summary;

/// The time for which work is watched past its natural end.
const PATIENCE: Duration = Duration::from_secs(2);
/// Between a request's last bytes and its client's leaving, and between one client's leaving and the next one's.
const APART: Duration = Duration::from_millis(2);
/// Its deadline never is what stops the work.
const DEADLINE: Duration = Duration::from_secs(60);

/// A client's action: its requests, and its way to disconnect.
#[derive(Debug, Clone, Copy)]
pub struct Action {
    /// Its name in every document; [`said`] has it for readers.
    pub name: &'static str,
    /// The capabilities that the server needs.
    pub needs: &'static [Capability],
    sends: Sends,
    leave: Leave,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sends {
    /// A GET.
    Get,
    /// Two GETs in one write.
    Pipelined,
    /// A GET, and a second one when its work has begun.
    Later,
    /// A POST of three bytes that the handler does not read.
    Whole,
    /// A tenth of the body that was announced, which the handler does not read.
    Part,
    /// The same, and the handler drops the body.
    Dropped,
}

const GET: Action = Action { name: "FIN", needs: &[], sends: Sends::Get, leave: Leave::Fin };
const PIPELINED: Action = Action { needs: &[Capability::KeepAlive], ..GET };
const POST: Action = Action { needs: &[Capability::Post], ..GET };

/// Every action, in the order of every table.
pub const ACTIONS: &[Action] = &[
    GET,
    Action { name: "RST", leave: Leave::Rst, ..GET },
    Action { name: "shutdown(WR)", leave: Leave::HalfClose, ..GET },
    Action { name: "GET GET, FIN", sends: Sends::Pipelined, ..PIPELINED },
    Action { name: "GET GET, RST", sends: Sends::Pipelined, leave: Leave::Rst, ..PIPELINED },
    Action { name: "GET, later GET, FIN", sends: Sends::Later, ..PIPELINED },
    Action { name: "GET, later GET, RST", sends: Sends::Later, leave: Leave::Rst, ..PIPELINED },
    Action { name: "POST, part unread, FIN", sends: Sends::Part, ..POST },
    Action { name: "POST, part unread, RST", sends: Sends::Part, leave: Leave::Rst, ..POST },
    Action { name: "POST, part dropped, FIN", sends: Sends::Dropped, ..POST },
    Action { name: "POST, whole unread, FIN", sends: Sends::Whole, ..POST },
];

/// Returns the name of a way to disconnect for readers: `GET GET` are two requests, one right behind the other.
pub fn said(name: &str) -> String {
    name.replacen("GET GET", "two GETs", 1).replacen("GET, later GET", "GET, then another", 1)
}

/// Returns the name of one action's measurement in a [`Gap`](suite::document::Gap).
pub fn gap(action: &str) -> String {
    named("disconnect", action)
}

/// Clients that disconnect in every way there is, and how often.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Plan {
    /// The work that a request asks for.
    pub work_ms: u64,
    /// Clients of each way, per round.
    pub tries: usize,
    /// Rounds of each server.
    pub rounds: usize,
}

/// Measures how soon work is canceled when its client disconnects.
#[derive(Debug)]
pub struct Measure;

impl Measurement for Measure {
    type Record = Disconnect;
    type Plan = Plan;

    const ALIASES: &'static [&'static str] = &["leaving"];

    fn plan(size: Size) -> Plan {
        Plan { work_ms: 900, tries: 10, rounds: size.pick(1, 3, 3) }
    }

    fn rounds(plan: &mut Plan) -> Vec<&mut usize> {
        vec![&mut plan.rounds]
    }

    fn run(plan: &Plan, taker: &mut Taker<'_>) -> Vec<Disconnect> {
        let mut step = taker.step("", plan.rounds);
        step.supports = vec![Capability::Witness, Capability::StyleContext];
        let taken = taker.take(&step, |slot| {
            let met = |action: &&Action| action.needs.iter().all(|need| slot.subject.supports(*need));
            watch(slot, &ACTIONS.iter().filter(met).copied().collect::<Vec<_>>(), plan)
        });
        for round in &taken {
            for action in &round.found.unborn {
                let why = "the work of such a request does not begin, so there is none to cancel";
                taker.gap(round.subject, action.name, &Failure::unsupported(why));
            }
        }
        taken.into_iter().flat_map(|round| round.found.disconnects).collect()
    }

    fn series(results: &Results) -> Vec<Series> {
        let mut all = Gathered::default();
        for one in &results.measured.disconnect {
            let canceled = one.how == Some(How::Canceled);
            let (took, missed) = (format!("time to cancel, {}", one.action), f64::from(u8::from(!canceled)));
            let sample = |what, value| Sample { server: &one.server, what, round: one.round, value };
            all.less(sample(took, canceled.then_some(one.last_ms)), "ms", results.noise.p99_ms);
            all.less(sample(format!("not canceled, {}", one.action), Some(missed)), "share", 0.0);
        }
        for series in all.0.iter_mut().filter(|series| series.unit == "share") {
            for round in series.rounds.iter_mut().filter(|round| !round.is_empty()) {
                *round = vec![round.iter().sum::<f64>() / round.len() as f64];
            }
        }
        all.0
    }

    fn tables(results: &Results) -> Vec<Table> {
        summary::tables(results)
    }
}

impl Measured {
    /// Returns what became of the work of one server's clients that disconnected in one way.
    pub fn heard_of(&self, server: &str, action: &str) -> Option<Heard> {
        let wanted = |one: &&Disconnect| one.server == server && one.action == action;
        Heard::of(self.disconnect.iter().filter(wanted))
    }

    /// Returns the time to cancel of all work of one server that was canceled, in milliseconds.
    pub fn canceled_of(&self, server: &str) -> Option<Summary> {
        let heard = |one: &&Disconnect| one.server == server && one.how == Some(How::Canceled);
        Summary::of(self.disconnect.iter().filter(heard).map(|one| one.last_ms))
    }
}

/// One client that left; times are milliseconds since the moment just before it did.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Disconnect {
    /// The server.
    pub server: String,
    /// The client's action, by the name of its [`Action`].
    pub action: String,
    /// The number of the round, from 0.
    pub round: usize,
    /// The last sign of its work: its end, or a beat.
    pub last_ms: f64,
    /// The ending of the work; none when it never said so.
    pub how: Option<How>,
}

impl Disconnect {
    /// The time to cancel; `None` when the work was not canceled.
    pub fn canceled_ms(&self) -> Option<f64> {
        (self.how == Some(How::Canceled)).then_some(self.last_ms)
    }
}

/// The endings of all work whose client disconnected in one way.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Heard {
    /// The number of tries.
    pub tries: usize,
    /// The number of them that were canceled.
    pub canceled: usize,
    /// The median of the time to cancel, in milliseconds.
    pub median_ms: f64,
    /// The longest of them.
    pub worst_ms: f64,
}

impl Heard {
    /// Sums up; `None` when there were none.
    pub fn of<'a>(disconnects: impl IntoIterator<Item = &'a Disconnect>) -> Option<Self> {
        let (mut tries, mut took) = (0, Vec::new());
        for disconnect in disconnects {
            tries += 1;
            took.extend(disconnect.canceled_ms());
        }
        took.sort_by(f64::total_cmp);
        let (median_ms, worst_ms) = match took[..] {
            [] => (0.0, 0.0),
            [.., worst] => (testbed::noise::quantile(&took, 0.5), worst),
        };
        (tries > 0).then_some(Self { tries, canceled: took.len(), median_ms, worst_ms })
    }
}

/// A round.
struct Watched {
    /// Every client that left.
    disconnects: Vec<Disconnect>,
    /// The actions that could not be taken, because the work of their request does not begin: there is nothing to leave.
    unborn: Vec<Action>,
}

/// Lets `plan.tries` clients leave in each of `actions`, side by side, and watches their work to its end. One client of each
/// goes before, to see whose work begins at all.
fn watch(slot: &Slot<'_>, actions: &[Action], plan: &Plan) -> Result<Watched, Failure> {
    let (server, round) = (slot.server, slot.round);
    let witness = server.witness().ok_or_else(|| Failure::unsupported("no heartbeats"))?;
    let (actions, unborn) = born(slot, witness, actions, plan)?;
    let give_up_at = Instant::now() + millis(plan.work_ms) + PATIENCE;
    let mut clients = Vec::new();
    for number in 0..plan.tries {
        for (row, action) in actions.iter().enumerate() {
            let id = format!("disconnect-{round}-{row}-{number}");
            clients.push(Client::send(server, *action, id, millis(plan.work_ms), give_up_at)?);
        }
    }
    for client in &mut clients {
        client.send_more(witness)?;
    }
    let mut left = Vec::new();
    for client in clients {
        std::thread::sleep(APART);
        left.push(client.leave());
    }
    let disconnects = left.into_iter().filter_map(|left| left.watched(witness, slot, give_up_at)).collect();
    Ok(Watched { disconnects, unborn })
}

/// The actions whose work begins, and those whose work does not.
fn born(
    slot: &Slot<'_>,
    witness: &Witness,
    actions: &[Action],
    plan: &Plan,
) -> Result<(Vec<Action>, Vec<Action>), Failure> {
    let give_up_at = Instant::now() + PATIENCE;
    let (server, work) = (slot.server, millis(plan.work_ms));
    let id = |row: usize| format!("disconnect-{}-{row}-first", slot.round);
    let send = |(row, action): (usize, &Action)| Client::send(server, *action, id(row), work, give_up_at);
    let clients = actions.iter().enumerate().map(send).collect::<Result<Vec<_>, _>>()?;
    let rows = (0..actions.len()).map(|row| {
        // The time is one for all: whoever has not begun when it is over does not begin.
        witness.wait_start(&id(row), give_up_at.saturating_duration_since(Instant::now())).is_some()
    });
    let rows: Vec<bool> = rows.collect();
    drop(clients);
    let all = |wanted: bool| {
        let found = actions.iter().zip(&rows).filter(move |(_, begun)| **begun == wanted);
        found.map(|(action, _)| *action).collect()
    };
    Ok((all(true), all(false)))
}

/// A client whose request is on its way.
struct Client {
    action: Action,
    id: String,
    wire: Wire,
}

impl Client {
    fn send(
        server: &Server,
        action: Action,
        id: String,
        work: Duration,
        give_up_at: Instant,
    ) -> Result<Self, Failure> {
        let target = |body: &str| format!("/slow?work={}ms&tick=100ms{body}", work.as_millis());
        let request = match action.sends {
            Sends::Get | Sends::Pipelined | Sends::Later => Request::get(target("")),
            Sends::Whole => Request::post(target("&body=ignore"), *b"lab"),
            Sends::Part => Request::post_part(target("&body=ignore"), 100, *b"0123456789"),
            Sends::Dropped => Request::post_part(target("&body=drop"), 100, *b"0123456789"),
        };
        let mut bytes = request.timeout(DEADLINE).id(id.as_str()).bytes(server.host());
        if action.sends == Sends::Pipelined {
            bytes.extend(Request::get("/fast").bytes(server.host()));
        }
        let mut wire = Wire::connect(server.address(), give_up_at, &Trace::default())?;
        wire.send(&bytes)?;
        Ok(Self { action, id, wire })
    }

    /// Waits until the work has begun, and sends what is to be sent then.
    fn send_more(&mut self, witness: &Witness) -> Result<(), Failure> {
        let began = witness.wait_start(&self.id, PATIENCE);
        began.ok_or_else(|| Failure::broken(format!("{}: the work did not begin", self.action.name)))?;
        if self.action.sends == Sends::Later {
            self.wire.send_request(&Request::get("/fast"))?;
        }
        Ok(())
    }

    fn leave(self) -> Left {
        let (at, kept) = self.action.leave.act(self.wire);
        Left { action: self.action, id: self.id, at, _kept: kept }
    }
}

/// A client that has left.
struct Left {
    action: Action,
    id: String,
    at: Instant,
    _kept: Option<Wire>,
}

impl Left {
    /// Returns what became of its work; `None` when that had ended before, on a machine too busy to leave in time.
    fn watched(self, witness: &Witness, slot: &Slot<'_>, give_up_at: Instant) -> Option<Disconnect> {
        let ended = witness.wait_end(&self.id, give_up_at.saturating_duration_since(Instant::now()));
        let last_at = ended.map(|(at, _)| at).or_else(|| witness.last(&self.id)).unwrap_or(self.at);
        (ended.is_none() || last_at >= self.at).then(|| Disconnect {
            server: slot.subject.name().to_owned(),
            action: self.action.name.to_owned(),
            round: slot.round,
            last_ms: ms_between(self.at, last_at),
            how: ended.and_then(|(_, word)| How::of(word)),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn disconnect(last_ms: f64, how: Option<How>) -> Disconnect {
        Disconnect { server: "x".into(), action: "FIN".into(), round: 0, last_ms, how }
    }

    #[test]
    fn only_what_was_canceled_has_a_time_to_cancel() {
        let canceled = |ms| disconnect(ms, Some(How::Canceled));
        let all = [
            canceled(3.0),
            disconnect(900.0, Some(How::Completed)),
            canceled(1.0),
            disconnect(5.0, None),
            canceled(2.0),
        ];
        let heard = Heard { tries: 5, canceled: 3, median_ms: 2.0, worst_ms: 3.0 };
        assert_eq!(Heard::of(&all), Some(heard));
        assert_eq!(Heard::of(&[]), None);
    }

    #[test]
    fn every_action_has_a_name_of_its_own() {
        let mut names: Vec<_> = ACTIONS.iter().map(|action| action.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), ACTIONS.len());
    }
}
