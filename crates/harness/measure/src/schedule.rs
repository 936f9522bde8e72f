//! Takes the turns of a plan: one server at a time, or two where they only wait, each turn on a fresh process.

use std::time::Instant;

use load::Row;
use suite::document::Gap;
use suite::verdict::Failure;
use testbed::capability::Capability;
use testbed::server::Server;
use testbed::subject::{Setup, Subject};

use crate::disconnect::{self, ACTIONS, Action};
use crate::footprint::{self, Memory, State};
use crate::interference::{self, Strip};
use crate::leak::{self, Leak};
use crate::overshoot::{self, Overshoot};
use crate::plan::{Plan, STYLES, order};
use crate::stats::ms_between;
use crate::storm;
use crate::throughput::{self, Fast};
use crate::zombie;

mod samples;

pub use samples::Measured;

/// Returns the number of rounds in all.
pub fn count(plan: &Plan, servers: usize, floors: &[Subject]) -> usize {
    let overshoot = (2 + plan.overshoot.crowds.len() + plan.overshoot.spread.len()) * plan.overshoot.turns;
    let storms = plan.storm.styles.len() * plan.storm.turns;
    let held = |turns: usize, needs: Needs<'_>| {
        turns * (servers + floors.iter().filter(|floor| needs.are_met_by(floor)).count())
    };
    let memory = held(plan.memory.idle_turns, IDLE) + held(plan.memory.in_flight_turns, IN_FLIGHT);
    let strips = plan.strip.bursts.len() * plan.strip.turns;
    let fast = (servers + floors.len()) * (plan.fast.throughput_turns + plan.fast.latency_turns);
    servers * (overshoot + 2 * plan.tail.turns + plan.leave.turns + storms + strips + plan.leak.turns)
        + memory
        + fast
}

/// Takes every turn; `note` hears of the server and what is measured, before each. `floors` are servers that stand beside
/// the others where speed and memory are compared; times of turns are counted from `since`.
pub fn take(
    plan: &Plan,
    subjects: &[Subject],
    floors: &[Subject],
    since: Instant,
    note: &mut dyn FnMut(&str, &str),
) -> Measured {
    let mut taker = Taker { plan, since, note, gaps: Vec::new() };
    let servers: Vec<&Subject> = subjects.iter().collect();
    let with_floors: Vec<&Subject> = floors.iter().chain(subjects).collect();
    let fast = |turn: Turn<Vec<Row>>| {
        let (server, floor) = (with_floors[turn.index].name().to_owned(), turn.index < floors.len());
        let (number, at_ms) = (turn.number, Some(turn.at_ms));
        let of = move |row| Fast { server: server.clone(), floor, turn: number, at_ms, row };
        turn.brought.into_iter().map(of)
    };
    let throughput =
        taker.each(&with_floors, "/fast, back to back", plan.fast.throughput_turns, NOTHING, |seat| {
            throughput::throughput(seat.server, &plan.fast).map(|row| vec![row])
        });
    let latency = taker.each(&with_floors, "/fast, in step", plan.fast.latency_turns, NOTHING, |seat| {
        throughput::latency(seat.server, &plan.fast)
    });
    let (throughput, latency) =
        (throughput.into_iter().flat_map(fast).collect(), latency.into_iter().flat_map(fast).collect());
    let (overshoot, spread) = (taker.overshoot(&servers), taker.spread(&servers));
    let with_witness = Needs { supports: &[Capability::Witness], flags: &[] };
    // Work that waits leaves the machine to others; work that spins does not.
    let mut tails = taker.each_of(ABREAST, &servers, "tails", plan.tail.turns, with_witness, |seat| {
        let supported = |style: &&str| *style != SPIN && seat.subject.supports(styled(style));
        let styles: Vec<&'static str> = STYLES.iter().copied().filter(supported).collect();
        zombie::watch(seat.server, seat.subject.name(), &styles, &plan.tail, seat.turn)
    });
    let spins =
        |subject: &&Subject| subject.supports(Capability::Witness) && subject.supports(Capability::StyleSpin);
    let spinning: Vec<&Subject> = servers.iter().copied().filter(spins).collect();
    tails.extend(taker.each(&spinning, "tails, spin", plan.tail.turns, with_witness, |seat| {
        zombie::watch(seat.server, seat.subject.name(), &[SPIN], &plan.tail, seat.turn)
    }));
    let with_context = Needs { supports: &[Capability::Witness, Capability::StyleContext], flags: &[] };
    let departures = taker.each(&servers, "leaving", plan.leave.turns, with_context, |seat| {
        let met = |action: &&Action| action.needs.iter().all(|need| seat.subject.supports(*need));
        let actions: Vec<Action> = ACTIONS.iter().filter(met).copied().collect();
        disconnect::watch(seat.server, seat.subject.name(), &actions, &plan.leave, seat.turn)
    });
    for turn in &departures {
        for action in &turn.brought.unborn {
            let why = "the work of such a request does not begin, so there is none to cancel";
            taker.gap(servers[turn.index], &disconnect::gap(action.name), &Failure::unsupported(why));
        }
    }
    let mut storms = Vec::new();
    for style in &plan.storm.styles {
        let (what, styled) = (format!("storm, {style}"), styled(style));
        let needs = Needs { supports: &[Capability::Admin, Capability::Process, styled], flags: &[] };
        storms.extend(taker.each(&servers, &what, plan.storm.turns, needs, |seat| {
            storm::watch(seat.server, seat.subject.name(), style, &plan.storm, seat.turn)
        }));
    }
    let (memory, strips, leaks) =
        (taker.memory(&servers, floors), taker.strips(&servers), taker.leaks(&servers));
    Measured {
        overshoot,
        spread,
        memory,
        strips,
        leaks,
        tails: tails.into_iter().flat_map(|turn| turn.brought).collect(),
        departures: departures.into_iter().flat_map(|turn| turn.brought.departures).collect(),
        storms: storms.into_iter().map(|turn| turn.brought).collect(),
        throughput,
        latency,
        gaps: taker.gaps,
    }
}

/// Takes turns and keeps what could not be measured.
struct Taker<'a> {
    plan: &'a Plan,
    since: Instant,
    note: &'a mut dyn FnMut(&str, &str),
    gaps: Vec<Gap>,
}

/// Servers side by side in turns in which everybody only waits.
const ABREAST: usize = 2;

/// The style that keeps a processor busy.
const SPIN: &str = "spin";

/// The capability of a style of a plan.
fn styled(style: &str) -> Capability {
    Capability::style(style).expect("plans name styles of the contract")
}

/// The demands of a measurement on a server.
#[derive(Clone, Copy)]
struct Needs<'a> {
    /// The capabilities that it needs.
    supports: &'a [Capability],
    /// The flags it is started with, on top of the plan's.
    flags: &'a [(&'a str, &'a str)],
}

/// A measurement that asks for nothing.
const NOTHING: Needs<'static> = Needs { supports: &[], flags: &[] };

/// The demands of holding connections that do nothing.
const IDLE: Needs<'static> = Needs { supports: &[Capability::Process], flags: &[] };

/// The demands of holding requests that do not time out.
const IN_FLIGHT: Needs<'static> =
    Needs { supports: &[Capability::Process, Capability::FlagRequestTimeout], flags: footprint::FLAGS };

impl Needs<'_> {
    fn are_met_by(&self, subject: &Subject) -> bool {
        self.supports.iter().all(|need| subject.supports(*need))
    }
}

/// A server that was started for one turn.
struct Seat<'a> {
    subject: &'a Subject,
    server: &'a Server,
    turn: usize,
}

/// The result of a round.
struct Turn<T> {
    /// The server, by its number.
    index: usize,
    /// Which turn of that server it was, from 0.
    number: usize,
    /// When it began.
    at_ms: f64,
    brought: T,
}

impl Taker<'_> {
    /// Takes `turns` turns of each server, interleaved, each on a fresh process.
    fn each<T: Send>(
        &mut self,
        servers: &[&Subject],
        what: &str,
        turns: usize,
        needs: Needs<'_>,
        measure: impl Fn(&Seat<'_>) -> Result<T, Failure> + Sync,
    ) -> Vec<Turn<T>> {
        self.each_of(1, servers, what, turns, needs, measure)
    }

    /// The same, so many servers side by side.
    fn each_of<T: Send>(
        &mut self,
        abreast: usize,
        servers: &[&Subject],
        what: &str,
        turns: usize,
        needs: Needs<'_>,
        measure: impl Fn(&Seat<'_>) -> Result<T, Failure> + Sync,
    ) -> Vec<Turn<T>> {
        let (plan, since) = (self.plan, self.since);
        let turn = |(count, index): (usize, usize)| {
            let (subject, number) = (servers[index], count / servers.len());
            let at_ms = ms_between(since, Instant::now());
            let seat = |server: &Server| measure(&Seat { subject, server, turn: number });
            let brought = seated(plan, subject, needs, seat).map_err(|failure| (subject, failure))?;
            Ok(Turn { index, number, at_ms, brought })
        };
        let order: Vec<(usize, usize)> = order(servers.len(), turns).into_iter().enumerate().collect();
        let mut taken = Vec::new();
        for abreast in order.chunks(abreast) {
            for (_, index) in abreast {
                (self.note)(servers[*index].name(), what);
            }
            let turns: Vec<Result<_, (&Subject, Failure)>> = std::thread::scope(|scope| {
                let running: Vec<_> = abreast.iter().map(|one| scope.spawn(|| turn(*one))).collect();
                running.into_iter().map(|thread| thread.join().expect("a turn does not panic")).collect()
            });
            for turn in turns {
                match turn {
                    Ok(turn) => taken.push(turn),
                    Err((subject, failure)) => self.gap(subject, what, &failure),
                }
            }
        }
        taken
    }

    /// Measures the lateness of 504s, one request at a time and many at once.
    fn overshoot(&mut self, servers: &[&Subject]) -> Vec<Overshoot> {
        let plan = &self.plan.overshoot;
        let mut all = Vec::new();
        if plan.turns == 0 {
            return all;
        }
        let mut numbers: Vec<usize> = plan.crowds.iter().copied().chain([1, plan.at_once]).collect();
        numbers.sort_unstable();
        for at_once in numbers {
            let deadline = if at_once == 1 { plan.alone_deadline } else { plan.at_once_deadline };
            let first = all.len();
            all.extend(servers.iter().map(|subject| Overshoot::new(subject.name(), at_once, deadline)));
            let what = format!("overshoot, {at_once} at once");
            let turns = self.each(servers, &what, plan.turns, NOTHING, |seat| match at_once {
                1 => overshoot::alone(seat.server, plan.alone, deadline),
                many => overshoot::at_once(seat.server, many, deadline),
            });
            for turn in turns {
                all[first + turn.index].add(&turn.brought, turn.at_ms);
            }
        }
        all
    }

    /// Measures the lateness of 504s of requests that come in step, over one second.
    fn spread(&mut self, servers: &[&Subject]) -> Vec<Overshoot> {
        let plan = &self.plan.overshoot;
        let mut all = Vec::new();
        for requests in plan.spread.iter().copied().filter(|_| plan.turns > 0) {
            let (first, deadline) = (all.len(), plan.at_once_deadline);
            all.extend(servers.iter().map(|subject| Overshoot::new(subject.name(), requests, deadline)));
            let what = format!("overshoot, {requests} in a second");
            let turns = self.each(servers, &what, plan.turns, NOTHING, |seat| {
                overshoot::spread(seat.server, requests, deadline)
            });
            for turn in turns {
                all[first + turn.index].add(&turn.brought, turn.at_ms);
            }
        }
        all
    }

    /// Measures the footprint of a connection, idle and in flight; on the floors too that can hold any.
    fn memory(&mut self, subjects: &[&Subject], floors: &[Subject]) -> Vec<Memory> {
        let plan = &self.plan.memory;
        let mut all = Vec::new();
        for (state, what, turns, needs) in [
            (State::Idle, "memory, idle", plan.idle_turns, IDLE),
            (State::InFlight, "memory, in flight", plan.in_flight_turns, IN_FLIGHT),
        ] {
            let able = floors.iter().filter(|floor| needs.are_met_by(floor));
            let servers: Vec<&Subject> = subjects.iter().copied().chain(able).collect();
            let taken =
                self.each(&servers, what, turns, needs, |seat| footprint::watch(seat.server, plan, state));
            all.extend(
                taken
                    .into_iter()
                    .map(|turn| Memory::of(servers[turn.index].name(), state, turn.number, turn.brought)),
            );
        }
        all
    }

    /// Measures the interference of bursts with `/fast`.
    fn strips(&mut self, servers: &[&Subject]) -> Vec<Strip> {
        let plan = &self.plan.strip;
        let mut all = Vec::new();
        for burst in &plan.bursts {
            let (what, styled) = (format!("/fast beside {}", burst.style), styled(&burst.style));
            let needs = Needs { supports: &[styled], flags: &[] };
            let taken = self.each(servers, &what, plan.turns, needs, |seat| {
                interference::watch(seat.server, seat.subject.name(), plan, burst, seat.turn)
            });
            all.extend(taken.into_iter().map(|turn| turn.brought));
        }
        all
    }

    /// Measures the growth that storms leave behind.
    fn leaks(&mut self, servers: &[&Subject]) -> Vec<Leak> {
        let plan = &self.plan.leak;
        let styled = styled(&plan.style);
        let needs = Needs { supports: &[Capability::Admin, Capability::Process, styled], flags: &[] };
        let taken =
            self.each(servers, "storm after storm", plan.turns, needs, |seat| leak::watch(seat.server, plan));
        taken.into_iter().map(|turn| Leak::of(servers[turn.index].name(), plan, turn.brought)).collect()
    }

    fn gap(&mut self, subject: &Subject, what: &str, failure: &Failure) {
        let gap = Gap {
            server: subject.name().to_owned(),
            what: what.to_owned(),
            unsupported: matches!(failure, Failure::Unsupported(_)),
            why: failure.text().to_owned(),
        };
        if !self.gaps.contains(&gap) {
            self.gaps.push(gap);
        }
    }
}

/// Starts a server of its own for one turn.
fn seated<T>(
    plan: &Plan,
    subject: &Subject,
    needs: Needs<'_>,
    turn: impl FnOnce(&Server) -> Result<T, Failure>,
) -> Result<T, Failure> {
    if let Some(need) = needs.supports.iter().find(|need| !subject.supports(**need)) {
        return Err(Failure::unsupported(format!("lacks {need}")));
    }
    let flags = plan.flags.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    let flags: Vec<_> = flags.chain(needs.flags.iter().copied()).collect();
    let server = subject.start(Setup { flags: &flags, ..Setup::default() }).map_err(Failure::harness)?;
    turn(&server).map_err(|failure| match server.died() {
        Some(death) => Failure::broken(format!("{}; {death}", failure.text())),
        None => failure,
    })
}
